"""Retries by class of fault; a shard that raises an error is recorded and does not stop the others."""

from contextlib import contextmanager

import pytest
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError
from typer.testing import CliRunner

from model.variants import variant
from sweep.cli.main import app
from sweep.driver import session
from sweep.executors.faults import fault_of
from sweep.executors.retry import MAX_DELAY, MAX_LOSSES, Attempt, after_fault
from sweep.messages import Failed, Repartitioned, Retried
from sweep.spec.shard import Cell, Shard
from sweep.store.store import Store
from tests.simulation import workers

SHARD = Shard(Cell(variant("base"), "mnist5k", "d" * 64, 3920), range(3, 8))


def task_error(cause):
    return RayTaskError("_run", "Traceback", cause)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OutOfMemoryError("killed by the memory monitor"), "memory"),
        (task_error(MemoryError()), "memory"),
        (task_error(RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 GiB")), "memory"),
        (WorkerCrashedError(), "lost"),
        (NodeDiedError("ended"), "lost"),
        (task_error(ValueError("no such engine")), "error"),
    ],
)
def test_classes_of_faults(error, fault):
    assert fault_of(error) == fault


def test_out_of_memory_halves_the_block_down_to_one_seed():
    attempts, seen = [Attempt(SHARD)], []
    while attempts:
        attempt = attempts.pop()
        if len(attempt.shard.seeds) == 1:
            seen += attempt.shard.seeds
            continue
        halves, message = after_fault("memory", "OutOfMemoryError", "", attempt, 5.0)
        added = tuple(half.shard for half in halves)
        assert message == Repartitioned((attempt.shard,), added, "memory")
        assert all(half.not_before == 5.0 for half in halves)
        attempts += halves
    assert sorted(seen) == list(SHARD.seeds)


@pytest.mark.parametrize(("fault", "tries"), [("lost", MAX_LOSSES), ("error", 1)])
def test_a_shard_is_retried_a_limited_number_of_times(fault, tries):
    attempt, delays = Attempt(SHARD), []
    for _ in range(tries):
        again, message = after_fault(fault, "WorkerCrashedError", "Traceback …", attempt, 100.0)
        assert again == [attempt]
        assert isinstance(message, Retried)
        delays.append(attempt.not_before - 100.0 if fault == "lost" else 0.0)
    assert delays == sorted(delays)
    assert delays[-1] <= MAX_DELAY
    assert after_fault(fault, "WorkerCrashedError", "Traceback …", attempt, 100.0) == (
        [],
        Failed("Traceback …"),
    )


def test_a_failed_shard_has_a_log_an_exit_code_and_a_place_in_status(tmp_path, monkeypatch):
    """The others continue; the next run tries it again, and deletes its log once it has finished."""
    broken = True

    @contextmanager
    def executor(settings, stop):
        yield execute

    def execute(shards, datasets, engine, keep_weights, load_checkpoint):
        for shard in shards:
            if broken and shard.seeds.start == 0:
                yield shard, Failed("Traceback\nValueError: what went wrong")
            else:
                yield from ((shard, message) for message in workers.train(shard, None, lambda: False))

    monkeypatch.setattr(session, "executor", executor)
    path, root = tmp_path / "spec.yaml", str(tmp_path / "results")
    path.write_text(
        "variants: base\nseeds: 0:4\nset: {epochs: 3}\nshard_width: 2\n"
        "dataset: {name: mnist5k, n_train: 120, n_test: 60}\n"
    )
    run = ["run", str(path), "--root", root]
    first = CliRunner().invoke(app, run)
    assert first.exit_code == 1, first.output
    assert [len(file.seeds) for file in Store(root).files] == [2]
    (log,) = Store(root).failures.paths()
    assert "ValueError: what went wrong" in (tmp_path / "results" / log).read_text()
    status = CliRunner().invoke(app, ["status", "--root", root]).output
    assert f"failed: {next(iter(Store(root).failures.first_lines().values()))}, see {root}/{log}" in " ".join(
        status.split("\n")
    )
    broken = False
    assert CliRunner().invoke(app, run).exit_code == 0
    assert not Store(root).failures.paths()
