"""Partly trained runs: counted from checkpoints, shown by `sweep status`, continued by a resume."""

import random

import pytest

from sweep.driver.driver import train
from sweep.messages import Progress
from sweep.spec.spec import parse
from sweep.store.status import InProgress, in_progress
from sweep.store.store import Store
from tests.simulation import workers
from tests.sweep.cli.command import sweep

SPEC = parse({"variants": "base", "seeds": "0:6", "set": {"epochs": 10}, "shard_width": 4})


class Stop(Exception):
    """The driver is interrupted."""


def interrupted_at(epoch):
    """An executor that trains both shards to an epoch, with checkpoints, and is interrupted."""

    def execute(shards, load_checkpoint):
        for shard in shards:
            for message in workers.train(shard, None, lambda: True):
                yield shard, message
                if isinstance(message, Progress) and message.epoch == epoch:
                    break
        raise Stop

    return execute


def test_partly_trained_runs_are_counted_with_their_share_of_the_work(tmp_path):
    store = Store(str(tmp_path / "r"))
    store.open_for_writing()
    datasets = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in SPEC.cells()}
    assert in_progress(store) == InProgress(0, 0.0)
    with pytest.raises(Stop):
        train(SPEC, store, datasets, interrupted_at(3))
    assert in_progress(store) == InProgress(6, 0.3)
    assert (
        "6 runs partly trained, 30% done; a resume continues them"
        in sweep("status", "--root", store.root).out
    )
    path = next((tmp_path / "r" / "checkpoints").rglob("seeds-0-3-*.npz"))
    path.write_bytes(path.read_bytes()[:100])
    assert in_progress(store) == InProgress(6, pytest.approx(0.1))
    train(SPEC, Store(store.root), datasets, workers.Workers(random.Random(0), 0.0))
    assert in_progress(Store(store.root)).runs == 0
