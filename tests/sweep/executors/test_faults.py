"""Killed processes on a real local Ray: the rows equal those of an undisturbed run."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sweep.driver.session import run
from sweep.executors.cleanup import DIED, ENDED
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


def test_the_shard_of_a_killed_worker_resumes_from_its_checkpoint(folder):
    driver = sweep(folder, "worker", "--workers", "2")
    wait_for(lambda: checkpoints(folder, "worker") and ray_workers(driver))
    ray_workers(driver)[0].kill()
    _, text = driver.communicate(timeout=300)
    assert driver.returncode == 0, text
    assert "WorkerCrashedError: next attempt" in text
    assert_same_rows(rows(folder / "worker"), rows(folder / "undisturbed"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_within_three_seconds_and_says_how_to_resume(folder, number):
    root = f"stopped{number}"
    driver = sweep(folder, root, "--workers", "2")
    wait_for(lambda: checkpoints(folder, root))
    began = time.monotonic()
    driver.send_signal(number)
    _, text = driver.communicate(timeout=60)
    assert driver.returncode == 130
    last = text.strip().splitlines()[-1]
    assert "To continue: sweep run spec.yaml" in last
    assert checkpoints(folder, root)
    # Everything is on disk at the time of the signal; the delay is the shutdown of Ray.
    assert time.monotonic() - began < 15
    again = sweep(folder, root, "--executor", "inline")
    assert again.wait(300) == 0
    assert_same_rows(rows(folder / root), rows(folder / "undisturbed"))


def test_a_shard_that_fails_does_not_stop_the_others(tmp_path):
    """An unknown engine is an error of the shard: it is retried once, then fails."""
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
    for record in (tmp_path / "r" / "sweeps").iterdir():
        record.unlink()  # of an engine that no version has
    assert run(spec, store, Settings(workers=1)).runs_trained == 4
    assert not store.failures.paths()


def test_one_or_two_workers_and_inline_give_equal_rows(tmp_path):
    spec = small_spec()
    run_inline(tmp_path / "inline", spec)
    for workers in (1, 2):
        run(spec, Store(str(tmp_path / str(workers))), Settings(workers=workers))
        assert_same_rows(rows(tmp_path / str(workers)), rows(tmp_path / "inline"))


def server(driver: subprocess.Popen, name: str) -> psutil.Process:
    """A process of the driver's local Ray."""
    return next(p for p in psutil.Process(driver.pid).children(recursive=True) if p.name() == name)


def ray_folder(driver: subprocess.Popen) -> Path:
    """The folder of the driver's local Ray."""
    arguments = " ".join(server(driver, "raylet").cmdline())
    return Path(re.search(r"\S*?(/\S*/sweep-ray-\w+)", arguments)[1])


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
def test_a_dead_server_of_the_local_ray_is_one_clear_line(folder, name):
    driver = sweep(folder, name, "--workers", "2")
    wait_for(lambda: checkpoints(folder, name))
    began = time.monotonic()
    server(driver, name).kill()
    _, text = driver.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert driver.returncode != 0  # Ray's native code may end or block the process before Python notices
    lines = text.strip().splitlines()
    dead = [name, f"{name}, gcs_server", f"{name}, raylet"]  # the other server may follow at once
    here = [f"sweep: a process of the local Ray ended unexpectedly: {names}" for names in dead]
    printed = [line for line in lines if line.startswith("sweep: ")]
    died = [DIED.format(name=names) for names in dead]
    assert len(printed) == 1, text
    assert printed[0] in [*here, *died, ENDED], text
    assert not any("raylet)" in line or "state-dump" in line or ".cc:" in line for line in lines), text
    assert checkpoints(folder, name)


def test_a_killed_driver_leaves_no_process_and_no_folder(folder):
    driver = sweep(folder, "alone", "--workers", "2")
    wait_for(lambda: checkpoints(folder, "alone"))
    family, remains = psutil.Process(driver.pid).children(recursive=True), ray_folder(driver)
    assert len(family) > 4
    assert remains.is_dir()
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    wait_for(lambda: not remains.exists(), seconds=5)


def test_a_finished_run_leaves_no_folder(folder):
    driver = sweep(folder, "whole", "--workers", "1")
    wait_for(lambda: checkpoints(folder, "whole"))
    remains = ray_folder(driver)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=60)
    assert not remains.exists()


@pytest.mark.parametrize("listening", [False, True])
def test_an_address_without_a_cluster_is_rejected_quickly(folder, listening):
    with socket.socket() as s:
        s.bind(("", 0))  # Ray replaces the loopback address by one of the machine
        if listening:
            s.listen()
        address = f"127.0.0.1:{s.getsockname()[1]}"
        start = time.monotonic()
        driver = sweep(folder, "nowhere", "--address", address)
        _, text = driver.communicate(timeout=60)
    assert time.monotonic() - start < 40  # 20 s for the answer, the rest for imports on a busy machine
    assert driver.returncode == 2
    assert text.strip().splitlines()[-1].startswith(f"sweep: {address}: no cluster answers (")
    assert ".cc:" not in text
    assert not (folder / "nowhere").exists()
