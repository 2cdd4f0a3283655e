"""Retries by class of fault, and a shard that fails by its own fault: kept, named, and not in the others' way."""

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError
from typer.testing import CliRunner

from model.variants import variant
from sweep.cli.main import app
from sweep.driver import driver
from sweep.executors.ray import _fault
from sweep.executors.retry import CRASH_RETRIES, LONGEST_PAUSE, Attempt, after
from sweep.messages import Failed, Note, Repartitioned
from sweep.spec.shard import Cell, Shard
from sweep.store.store import Store
from tests.simulation import workers

SHARD = Shard(Cell(variant("base"), "mnist5k", "d" * 64), range(3, 8))


def task_error(cause):
    return RayTaskError("_run", "Traceback", cause)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OutOfMemoryError("killed by the memory monitor"), "memory"),
        (task_error(MemoryError()), "memory"),
        (task_error(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 GiB")), "memory"),
        (WorkerCrashedError(), "lost"),
        (NodeDiedError("gone"), "lost"),
        (task_error(ValueError("no such engine")), "own"),
    ],
)
def test_classes_of_faults(error, fault):
    assert _fault(error) == fault


def test_out_of_memory_halves_the_block_down_to_one_seed():
    attempts, seen = [Attempt(SHARD)], []
    while attempts:
        attempt = attempts.pop()
        if len(attempt.shard.seeds) == 1:
            seen += attempt.shard.seeds
            continue
        halves, message = after("memory", "OutOfMemoryError", "", attempt, 5.0)
        added = tuple(half.shard for half in halves)
        assert message == Repartitioned((attempt.shard,), added, "memory")
        assert all(half.not_before == 5.0 for half in halves)
        attempts += halves
    assert sorted(seen) == list(SHARD.seeds)


@pytest.mark.parametrize(("fault", "tries"), [("lost", CRASH_RETRIES), ("own", 1)])
def test_a_shard_is_tried_again_and_in_the_end_given_up(fault, tries):
    attempt, pauses = Attempt(SHARD), []
    for _ in range(tries):
        again, told = after(fault, "WorkerCrashedError", "Traceback …", attempt, 100.0)
        assert again == [attempt]
        assert isinstance(told, Note)
        pauses.append(attempt.not_before - 100.0 if fault == "lost" else 0.0)
    assert pauses == sorted(pauses)
    assert pauses[-1] <= LONGEST_PAUSE
    assert after(fault, "WorkerCrashedError", "Traceback …", attempt, 100.0) == ([], Failed("Traceback …"))


def test_a_failed_shard_has_a_log_an_exit_code_and_a_place_in_status(tmp_path, monkeypatch):
    """The others go on; the next run tries it again, and its log goes when it has finished."""
    broken = True

    def execute(digits, engine, settings, shards, resume_from):
        for shard in shards:
            if broken and shard.seeds.start == 0:
                yield shard, Failed("Traceback\nValueError: what went wrong")
            else:
                yield from ((shard, message) for message in workers.train(shard, None, lambda: False))

    monkeypatch.setattr(driver, "_execute", execute)
    path, root = tmp_path / "spec.yaml", str(tmp_path / "results")
    path.write_text(
        "variants: base\nseeds: 0:4\nset: {epochs: 3}\nshard_width: 2\n"
        "dataset: {name: mnist5k, n_train: 120, n_test: 60}\n"
    )
    run = ["run", str(path), "--root", root]
    first = CliRunner().invoke(app, run)
    assert first.exit_code == 1, first.output
    assert [len(file.seeds) for file in Store(root).files] == [2]
    (log,) = Store(root).failures()
    assert "ValueError: what went wrong" in (tmp_path / "results" / log).read_text()
    status = CliRunner().invoke(app, ["status", "--root", root]).output
    assert f"failed: {next(iter(Store(root).failures().values()))}, see {root}/{log}" in " ".join(
        status.split("\n")
    )
    broken = False
    assert CliRunner().invoke(app, run).exit_code == 0
    assert not Store(root).failures()
