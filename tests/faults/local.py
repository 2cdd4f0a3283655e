"""Kill processes of sweeps on a local Ray at random moments: drivers, workers, raylets and GCS servers.

A round is one sweep in a new root. After each death of the driver the same command runs again, until the sweep is
finished. Then the rows equal those of an undisturbed sweep, `doctor` finds nothing, and 10 seconds after the last
driver no process of the round is left.

Half of the kills are timed from the start of the driver or from the previous kill, and so hit the start-up of Ray and
of its workers. The others are timed from the moment when a shard is in training.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil

from sweep.store.check import examine
from sweep.store.store import Store
from tests.sweep.small import assert_same_rows, rows

SPEC = """
variants: [base, dropout]
seeds: 0:{seeds}
set: {{epochs: {epochs}}}
dataset: {{name: mnist5k, n_train: 600, n_test: 60}}
shard_width: 2
"""
KINDS = ("driver", "worker", "raylet", "gcs_server")
LEFT_SECONDS = 10.0
ROUND_SECONDS = 900.0


class Soak:
    """Rounds of kills in a folder."""

    def __init__(self, folder: Path, seed: int, every: float, seeds: int, epochs: int) -> None:
        """every: mean seconds between two kills; seeds and epochs: of each of two variants."""
        self.folder, self.every, self.random = folder, every, random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.starts = self.rounds = self.failures = 0
        self.family: set[psutil.Process] = set()
        (folder / "spec.yaml").write_text(SPEC.format(seeds=seeds, epochs=epochs))
        assert self._start("undisturbed", "--executor", "inline").wait() == 0
        self.undisturbed = rows(folder / "undisturbed")

    def round(self, kills: int) -> None:
        """One sweep, until that number of kills is reached."""
        self.rounds += 1
        root = f"round{self.rounds}"
        end, code = time.monotonic() + ROUND_SECONDS, 1
        while code != 0 and time.monotonic() < end:
            code = self._attempt(root, kills)
        began = time.monotonic()
        _, left = psutil.wait_procs(self.family, timeout=LEFT_SECONDS)
        try:
            assert code == 0, "the sweep did not finish"
            assert not left, f"processes left: {left}"
            assert_same_rows(rows(self.folder / root), self.undisturbed)
            found = examine(Store(str(self.folder / root)))
            assert not found, found
        except Exception as error:
            self.failures += 1
            print(f"{root} failed: {error}", flush=True)
        self.family.clear()
        print(
            f"{root}: {self.kills.total()} kills, all processes gone after {time.monotonic() - began:.1f} s",
            flush=True,
        )

    def _start(self, root: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sweep", "run", "spec.yaml", "--root", root]
        with open(self.folder / "driver.log", "ab") as log:
            return subprocess.Popen(
                [*command, "--checkpoint-seconds", "0.2", *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.getcwd()},
            )

    def _attempt(self, root: str, kills: int) -> int:
        """Run the command once, killing processes meanwhile; its exit code."""
        self.starts += 1
        driver = self._start(root, "--workers", "2")
        next_kill = self._next_kill()
        while driver.poll() is None:
            with suppress(psutil.NoSuchProcess):
                family = psutil.Process(driver.pid).children(recursive=True)
                self.family |= set(family)
                if next_kill is None and any(_is(process, "worker") for process in family):
                    next_kill = time.monotonic() + self.random.uniform(0, self.every)
                if next_kill and time.monotonic() >= next_kill and self.kills.total() < kills:
                    self._kill(driver, family)
                    next_kill = self._next_kill()
            time.sleep(0.05)
        return driver.returncode

    def _next_kill(self) -> float | None:
        """Time of the next kill; None if it waits for a shard in training."""
        pause = self.random.uniform(0, 2 * self.every)
        return time.monotonic() + pause if self.random.random() < 0.5 else None

    def _kill(self, driver: subprocess.Popen[bytes], family: list[psutil.Process]) -> None:
        """Kill a process of a random kind that exists now, preferring kinds with fewer kills."""
        found = {kind: [p for p in family if _is(p, kind)] for kind in KINDS}
        found["driver"] = [psutil.Process(driver.pid)]
        kinds = [kind for kind in KINDS if found[kind]]
        kind = min(kinds, key=lambda kind: (self.kills[kind] // 2, self.random.random()))
        when = "in training" if found["worker"] else "between shards or in start-up"
        self.random.choice(found[kind]).send_signal(signal.SIGKILL)
        self.kills[kind] += 1
        print(f"{self.kills.total():4d}  {kind}, {when}", flush=True)


def _is(process: psutil.Process, kind: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        if kind == "worker":
            return any("ray::" in part and "[" in part for part in process.cmdline())
        return process.name() == kind
    return False


def soak(folder: Path, kills: int, seed: int, every: float, seeds: int, epochs: int) -> int:
    """Rounds until a number of kills is reached. The exit code is 1 if a round failed."""
    began, found = time.monotonic(), Soak(folder, seed, every, seeds, epochs)
    while found.kills.total() < kills:
        found.round(kills)
    by_kind = ", ".join(f"{count} {kind}" for kind, count in found.kills.items())
    print(
        f"{found.kills.total()} kills ({by_kind}) in {found.rounds} sweeps, {found.starts} starts, "
        f"{found.failures} sweeps failed, {time.monotonic() - began:.0f} s"
    )
    return 1 if found.failures else 0
