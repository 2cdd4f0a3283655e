"""A run that ends early keeps the last epochs of its shards, and a resume gives the rows of an undisturbed run."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sweep.cli.training import _interrupts
from sweep.driver.session import run
from sweep.messages import Finished, Observer, Progress
from sweep.settings import Settings
from sweep.stop import Stop
from sweep.store.checkpoint import unpack
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.small import assert_same_rows, hear_interrupts, rows, run_inline, small_spec

SPEC = small_spec(variants="base", set={"epochs": 6})
YAML = """
variants: base
seeds: 0:4
set: {epochs: 4000}
dataset: {name: mnist5k, n_train: 120, n_test: 60}
shard_width: 2
"""


class StopAfter(Observer):
    """Requests the end after a number of epochs."""

    def __init__(self, epochs: int, stop: Stop) -> None:
        self.left, self.stop, self.last, self.finished = epochs, stop, {}, 0

    def message(self, shard, message):
        self.finished += isinstance(message, Finished)
        if isinstance(message, Progress):
            self.left -= 1
            self.last[shard] = message
            if self.left == 0:
                self.stop.at = time.monotonic()


@pytest.mark.parametrize(
    ("executor", "workers"), [("inline", None), pytest.param("ray", 2, marks=pytest.mark.slow)]
)
def test_the_last_epoch_before_the_end_is_kept(tmp_path, executor, workers):
    stop = Stop()
    observer = StopAfter(3, stop)
    settings = Settings(executor=executor, workers=workers, checkpoint_seconds=1000.0)
    store = Store(str(tmp_path / "r"))
    run(SPEC, store, settings, observer, stop)
    unfinished = {s: m for s, m in observer.last.items() if m.epoch < 6}
    for shard, message in unfinished.items():
        content = store.checkpoints.load(shard)
        assert unpack(content).epoch == message.epoch
        assert message.checkpoint == content
    assert unfinished or observer.finished
    if executor == "inline":
        assert [m.epoch for m in unfinished.values()] == [4]
    run_inline(tmp_path / "r", SPEC)
    run_inline(tmp_path / "whole", SPEC)
    assert_same_rows(rows(tmp_path / "r"), rows(tmp_path / "whole"))


def test_a_time_limit_ends_with_exit_code_0_and_says_what_is_left(tmp_path):
    (tmp_path / "spec.yaml").write_text(YAML)
    ended = sweep(
        "run", "spec.yaml", "--root", "r", "--executor", "inline", "--max-hours", "0.0001", cwd=tmp_path
    )
    assert ended.code == 0, ended.err
    assert "the time limit of 0.0001 h is reached, 4 runs left; 2 runs partly trained" in ended.err
    assert len(Store(str(tmp_path / "r")).checkpoints.paths()) == 1


def test_a_finished_sweep_does_not_mention_its_time_limit(tmp_path):
    (tmp_path / "spec.yaml").write_text(YAML.replace("4000", "1"))
    ended = sweep("run", "spec.yaml", "--root", "r", "--executor", "inline", "--max-hours", "1", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "time limit" not in ended.err


def interrupted(
    folder: Path, after: str, *arguments: str, number: signal.Signals = signal.SIGINT
) -> tuple[int, str]:
    """Interrupt the command once a line of its output contains a text; its exit code and the other lines."""
    command = [sys.executable, "-u", "-m", "sweep", "run", "spec.yaml", "--root", "r", *arguments]
    driver = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts
    )
    assert driver.stderr is not None
    for line in driver.stderr:
        if after in line:
            break
    driver.send_signal(number)
    _, text = driver.communicate(timeout=120)
    return driver.returncode, text


def test_an_interruption_while_training_takes_a_last_checkpoint(tmp_path):
    (tmp_path / "spec.yaml").write_text(YAML)
    options = ("--executor", "inline", "--checkpoint-seconds", "1000")
    code, text = interrupted(tmp_path, "engine", *options)
    assert code == 130
    assert "interrupted; 2 runs partly trained" in text
    assert len(Store(str(tmp_path / "r")).checkpoints.paths()) == 1


def test_an_interruption_before_training_says_that_nothing_is_stored(tmp_path):
    (tmp_path / "spec.yaml").write_text(YAML)
    code, text = interrupted(tmp_path, "starting Ray")
    assert code == 130
    assert "interrupted; nothing is stored yet. To continue: sweep run" in text
    assert not (tmp_path / "r").exists()


def test_an_interruption_whose_exception_is_lost_still_ends_the_run():
    """Python discards an exception that is raised in a finalizer or in a callback of the import system."""
    stop = Stop()
    with _interrupts(stop), suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stop.requested


def finishing(folder: Path) -> "subprocess.Popen[str]":
    """A command that trains for a moment; its output is not buffered."""
    (folder / "spec.yaml").write_text(YAML.replace("4000", "1"))
    command = [sys.executable, "-u", "-m", "sweep", "run", "spec.yaml", "--root", "r", "--executor", "inline"]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def test_an_interruption_after_the_summary_does_not_change_the_exit_code(tmp_path):
    driver = finishing(tmp_path)
    assert driver.stdout is not None
    assert driver.stderr is not None
    head = driver.stdout.readline()
    driver.send_signal(signal.SIGINT)
    rest, text = driver.stdout.read(), driver.stderr.read()
    assert driver.wait(60) == 0, text
    assert head.split()[0] == "variant"
    assert "base,epochs=1" in rest.split()
    assert "interrupted" not in text
    assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.1, 0.2, 0.4])
def test_an_interruption_between_training_and_summary_gives_no_traceback(tmp_path, delay):
    driver = finishing(tmp_path)
    assert driver.stderr is not None
    for line in driver.stderr:
        if "trained in" in line:
            break
    time.sleep(delay)
    driver.send_signal(signal.SIGINT)
    rest, text = driver.communicate(timeout=60)
    assert "Traceback" not in text
    assert driver.returncode == (0 if "base,epochs=1" in rest else 130)
