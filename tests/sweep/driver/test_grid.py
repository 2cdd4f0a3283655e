"""Grids over data sets: extension, interruption and resume, `status` and `doctor`."""

import pytest

from sweep.driver.driver import missing
from sweep.driver.session import run
from sweep.messages import Finished, Observer
from sweep.settings import Settings
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.status import in_progress, sweep_status
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec

SIZES, DRAWS = (40, 80), (0, 1)


def grid(**dataset):
    digits = {"name": "mnist5k", "n_train": list(SIZES), "n_test": 30, "subset_seed": "0:2"}
    return small_spec(variants="base", seeds="0:2", set={"epochs": 3}, dataset=digits | dataset)


class Interrupt(Observer):
    """Raises KeyboardInterrupt after the second finished shard."""

    finished = 0

    def message(self, shard, message):
        """See `Observer`."""
        self.finished += isinstance(message, Finished)
        if self.finished == 2:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("grid") / "whole"
    assert run_inline(root, grid()).runs_trained == 8
    return Store(str(root))


def by_data_set(root):
    frame = rows(root)
    return frame.sort_values(["dataset", "variant", "seed", "epoch"], ignore_index=True)


def test_status_and_doctor_know_every_data_set(whole):
    (statuses,) = sweep_status(whole).values()
    assert [(s.dataset, s.done, s.missing) for s in statuses] == [
        (f"mnist5k,n_train={n},n_test=30,draw={draw}", 2, 0) for n in SIZES for draw in DRAWS
    ]
    assert examine(whole) == []
    assert sweep("doctor", "--root", whole.root).code == 0
    assert "st=30,draw=1" in sweep("status", "--root", whole.root).out


def test_a_grid_extends_a_sweep_of_one_data_set(whole, tmp_path):
    root = tmp_path / "extended"
    assert run_inline(root, grid(n_train=40, subset_seed=1)).runs_trained == 2
    assert run_inline(root, grid()).runs_trained == 6
    assert_same_rows(by_data_set(root), by_data_set(whole.root))


def test_an_interrupted_grid_resumes(whole, tmp_path):
    store = Store(str(tmp_path / "resumed"))
    with pytest.raises(KeyboardInterrupt):
        run(grid(), store, Settings(executor="inline", checkpoint_seconds=0), Interrupt())
    (record,) = recorded_sweeps(store).values()
    store = Store(store.root)
    assert sum(len(shard.seeds) for shard in missing(record.spec, store, record.datasets)) == 4
    assert in_progress(store).runs == 0
    assert run_inline(store.root, record.spec).runs_trained == 4
    assert_same_rows(by_data_set(store.root), by_data_set(whole.root))


def test_longer_work_is_planned_first(whole, tmp_path):
    (record,) = recorded_sweeps(whole).values()
    shards = missing(record.spec, Store(str(tmp_path / "nothing")), record.datasets)
    assert [shard.cell.n_train for shard in shards] == [80, 80, 40, 40]
    assert [shard.work for shard in shards] == [2 * 3 * n for n in (80, 80, 40, 40)]
