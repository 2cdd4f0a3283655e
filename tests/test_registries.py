"""A data set is added through its registry: an entry and a module."""

import pytest

from data import DATASETS, describe
from data.options import DatasetEntry
from tests.sweep.small import rows, run_inline, small_spec


@pytest.fixture
def toy_data(monkeypatch):
    entry = DatasetEntry(
        summary="20 toy digits",
        module="tests.toys",
        rows=(20, 10),
        shared=False,
        sizes=(20, 10),
        permuted=False,
        resized=False,
    )
    monkeypatch.setitem(DATASETS, "toy", entry)


def test_a_data_set(toy_data, tmp_path):
    spec = small_spec(dataset="toy", variants="base", seeds="0:2", set={"epochs": 2})
    assert run_inline(tmp_path / "results", spec).runs_trained == 2
    frame = rows(tmp_path / "results")
    assert set(frame["dataset"]) == {"toy"}
    assert len(frame) == 4
    assert describe("toy") == "in the tests"
