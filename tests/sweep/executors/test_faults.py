"""Real processes on a real local Ray, killed for real: the rows end up as if nothing had happened."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sweep.driver.session import run
from sweep.messages import Failed, Observer, Retried
from sweep.settings import Settings
from sweep.store.store import Store
from tests.sweep.small import assert_same_rows, hear_interrupts, rows, run_inline, small_spec

SPEC = """
variants: [base, dropout]
seeds: 0:6
set: {epochs: 50}
dataset: {name: mnist5k, n_train: 600, n_test: 60}
shard_width: 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults")
    (path / "spec.yaml").write_text(SPEC)
    assert sweep(path, "undisturbed", "--executor", "inline").wait(300) == 0
    return path


def sweep(folder: Path, root: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "sweep", "run", "spec.yaml", "--root", root, "--checkpoint-seconds", "0"]
    command += arguments
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    )


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def checkpoints(folder: Path, root: str) -> list[Path]:
    return list((folder / root / "checkpoints").rglob("*.npz"))


def ray_workers(driver: subprocess.Popen) -> list[psutil.Process]:
    """Worker processes that train a shard."""
    family = psutil.Process(driver.pid).children(recursive=True)
    return [p for p in family if any("[" in part and "ray::" in part for part in p.cmdline())]


def test_the_driver_is_killed_and_the_same_command_finishes(folder):
    driver = sweep(folder, "driver", "--workers", "2")
    wait_for(lambda: len(checkpoints(folder, "driver")) >= 2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert checkpoints(folder, "driver")
    again = sweep(folder, "driver", "--workers", "1")
    assert again.wait(300) == 0, again.stderr.read()
    assert_same_rows(rows(folder / "driver"), rows(folder / "undisturbed"))
    assert not checkpoints(folder, "driver")


def test_a_worker_is_killed_and_its_shard_goes_on_from_its_checkpoint(folder):
    driver = sweep(folder, "worker", "--workers", "2")
    wait_for(lambda: checkpoints(folder, "worker") and ray_workers(driver))
    ray_workers(driver)[0].kill()
    _, text = driver.communicate(timeout=300)
    assert driver.returncode == 0, text
    assert "WorkerCrashedError: next attempt" in text
    assert_same_rows(rows(folder / "worker"), rows(folder / "undisturbed"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_stop_ends_within_three_seconds_and_says_how_to_go_on(folder, number):
    root = f"stopped{number}"
    driver = sweep(folder, root, "--workers", "2")
    wait_for(lambda: checkpoints(folder, root))
    began = time.monotonic()
    driver.send_signal(number)
    _, text = driver.communicate(timeout=60)
    assert driver.returncode == 130
    last = text.strip().splitlines()[-1]
    assert "To go on: sweep run spec.yaml" in last
    assert checkpoints(folder, root)
    # Everything is on disk when the signal comes; what takes time is Ray's own farewell.
    assert time.monotonic() - began < 15
    again = sweep(folder, root, "--executor", "inline")
    assert again.wait(300) == 0
    assert_same_rows(rows(folder / root), rows(folder / "undisturbed"))


def test_a_shard_that_fails_does_not_stop_the_others(tmp_path):
    """An engine that a worker does not have is the shard's own fault: tried once more, then given up."""
    spec = small_spec(variants="base", seeds="0:4", set={"epochs": 1}, shard_width=2)
    store = Store(str(tmp_path / "r"))

    seen = []

    class Watch(Observer):
        def message(self, shard, message):
            seen.append(type(message))

    broken = spec.model_copy(update={"engine": "nonexistent"})
    outcome = run(broken, store, Settings(workers=2), Watch())
    assert len(outcome.failed) == 2
    assert sorted(store.failures.first_lines().values()) == sorted(s.title for s in outcome.failed)
    assert (seen.count(Retried), seen.count(Failed)) == (2, 2)
    assert run(spec, store, Settings(workers=1)).runs_trained == 4
    assert not store.failures.paths()


def test_one_or_two_workers_and_inline_give_equal_rows(tmp_path):
    spec = small_spec()
    run_inline(tmp_path / "inline", spec)
    for workers in (1, 2):
        run(spec, Store(str(tmp_path / str(workers))), Settings(workers=workers))
        assert_same_rows(rows(tmp_path / str(workers)), rows(tmp_path / "inline"))
