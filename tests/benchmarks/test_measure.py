"""The measurement of engines on an accelerator, run here on the CPU."""

import jax
import pytest

from benchmarks.measure import measure, table
from data import DatasetOptions, load
from data.dataset import Dataset, Examples


def test_another_device_is_an_error_of_one_line() -> None:
    with pytest.raises(SystemExit, match="no TPU that JAX can use") as error:
        measure("tpu", ["vmap"], ["base"], 4)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_table_has_a_row_for_each_engine_and_variant() -> None:
    digits = load(DatasetOptions("mnist5k"))
    train, test = (Examples(split.images[:20], split.labels[:20]) for split in (digits.train, digits.test))
    *head, base, dropout = table(Dataset("few", train, test, {}), ["vmap"], ["base", "dropout"], 2)
    assert len(head) == 3
    assert "20 training and 20 test digits" in head[0]
    assert jax.devices()[0].device_kind in head[0]
    for row, name in ((base, "base"), (dropout, "dropout")):
        engine, variant, *times = (cell.strip() for cell in row.strip("|").split("|"))
        assert (engine, variant) == ("`vmap`", f"`{name}`")
        assert all(float(time.removesuffix(" s")) > 0 for time in times)
