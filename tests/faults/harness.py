"""Real sweeps on a real Ray cluster of several raylets, while a seeded hand breaks things.

A round is one sweep in a fresh root: started, disturbed, started again by the same command until it has finished,
and then compared with an undisturbed sweep, row by row and bit by bit.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from ray._raylet import GcsClient
from ray.cluster_utils import Cluster
from ray.core.generated import autoscaler_pb2

from sweep.store.check import examine
from sweep.store.store import Store
from tests.sweep.small import assert_same_rows, hear_interrupts, rows

SPEC = """
variants: [base, dropout]
seeds: 0:{seeds}
set: {{epochs: {epochs}}}
dataset: {{name: mnist5k, n_train: 600, n_test: 60}}
shard_width: 2
"""
NODES = 2
TMPFS_MIB = 16
FAST = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
}


@dataclass
class Figures:
    """What was done and found."""

    faults: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    lost: int = 0  # rounds that did not end in the right rows
    starts: int = 0  # of the driver
    memory: list[tuple[str, int, float, int]] = field(
        default_factory=list
    )  # kind, pid, seconds, private bytes

    def slope(self, kind: str, settled: float = 180.0) -> float | None:
        """Growth of private memory in MiB an hour, after each process has settled; None where none lived so long.

        A process takes minutes to settle: allocators keep what the first shards of each kind needed.
        """
        above, below = 0.0, 0.0
        for pid in {pid for k, pid, _, _ in self.memory if k == kind}:
            samples = np.array([(t, b) for k, p, t, b in self.memory if k == kind and p == pid], float)
            samples = samples[samples[:, 0] >= samples[0, 0] + settled]
            if len(samples) > 2:
                t, b = (samples - samples.mean(axis=0)).T
                above, below = above + float(t @ b), below + float(t @ t)
        return above / below * 3600 / 2**20 if below else None

    def largest(self, kind: str) -> float:
        """Most private memory that a process of a kind had, MiB."""
        return max((b for k, _, _, b in self.memory if k == kind), default=0) / 2**20


class Harness:
    """A cluster, a folder, and the faults that can be done to them."""

    def __init__(self, folder: Path, seed: int, seeds: int, epochs: int) -> None:
        self.folder, self.chance, self.figures = folder, random.Random(seed), Figures()
        (folder / "spec.yaml").write_text(SPEC.format(seeds=seeds, epochs=epochs))
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": FAST},
        )
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(NODES)]
        self.driver: subprocess.Popen[bytes] | None = None
        self.root = folder / "undisturbed"
        self._run("--executor", "inline").wait()
        self.undisturbed = rows(self.root)
        self.mounted = False
        self.faults: dict[str, Callable[[], None]] = {
            "driver killed": lambda: self._signal_driver(signal.SIGKILL),
            "driver: SIGTERM": lambda: self._signal_driver(signal.SIGTERM),
            "driver: SIGINT": lambda: self._signal_driver(signal.SIGINT),
            "worker killed": self._kill_worker,
            "worker stopped for a while": self._stop_worker,
            "raylet killed": self._kill_raylet,
            "node drained": self._drain,
            "node added late": self._add_late,
            "checkpoint truncated": lambda: self._damage(lambda b: b[: self.chance.randint(0, len(b))]),
            "checkpoint emptied": lambda: self._damage(lambda b: b""),
            "checkpoint flipped": lambda: self._damage(self._flipped),
            "checkpoint removed": lambda: self._damage(lambda b: None),
            "disk full": self._fill_disk,
            "root read-only": self._make_read_only,
        }

    def close(self) -> None:
        """End the cluster and everything it started."""
        if self.driver is not None and self.driver.poll() is None:
            self.driver.kill()
        self.cluster.shutdown()

    # --- a round ---

    def round(self, pause: Callable[[], float], enough: Callable[[], bool]) -> None:
        """One sweep, disturbed until it ends.

        Args:
          pause: seconds until the next fault.
          enough: no more faults.
        """
        self.figures.rounds += 1
        with self._small_disk() as disk:
            self.root = disk / "results"
            end, next_fault = time.monotonic() + 1800, time.monotonic() + pause()
            code: int | None = None
            while code != 0:
                if self.driver is None or self.driver.poll() is not None:
                    self.driver = self._run("--address", self.cluster.address)
                time.sleep(0.1)
                code = self.driver.poll()
                self._sample()
                if code is None and time.monotonic() >= next_fault and not enough():
                    self._one_fault()
                    next_fault = time.monotonic() + pause()
                if time.monotonic() > end:
                    break
            self.driver = None
            try:
                assert code == 0, "the sweep did not end"
                assert_same_rows(rows(self.root), self.undisturbed)
                left = [f for f in examine(Store(str(self.root))) if "was left by" not in f.what]
                assert not left, left
                assert len(Store(str(self.root)).files) == len(Store(str(self.folder / "undisturbed")).files)
            except Exception as error:
                self.figures.lost += 1
                print(f"round {self.figures.rounds} is lost: {error}", flush=True)

    def _one_fault(self) -> None:
        """Any that can be done now; one that finds nothing to break is not counted."""
        names = list(self.faults)
        self.chance.shuffle(names)
        fewest = min(self.figures.faults[name] for name in names)
        names.sort(
            key=lambda name: self.figures.faults[name] > fewest + 1
        )  # each about as often as the others
        for name in names:
            with suppress(_NothingToBreak, psutil.NoSuchProcess):
                began = time.monotonic()
                self.faults[name]()
                self.figures.faults[name] += 1
                print(
                    f"{self.figures.faults.total():5d}  {name} ({time.monotonic() - began:.1f} s)", flush=True
                )
                return

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        self.figures.starts += 1
        command = [sys.executable, "-m", "sweep", "run", "spec.yaml", "--root", str(self.root)]
        with open(self.folder / "driver.log", "ab") as log:
            return subprocess.Popen(
                [*command, "--checkpoint-seconds", "0.2", *arguments],
                cwd=self.folder,
                preexec_fn=hear_interrupts,
                stdout=log,
                stderr=log,
                env=os.environ | {"RAY_AUTH_MODE": "disabled", "PYTHONPATH": os.getcwd()},
            )

    def _sample(self) -> None:
        now = time.monotonic()
        if self.figures.memory and now - self.figures.memory[-1][2] < 1:
            return
        alive = self.driver is not None and self.driver.poll() is None
        processes = [("driver", psutil.Process(self.driver.pid))] if alive and self.driver else []
        processes += [("worker", process) for _, process in self._workers()]
        for kind, process in processes:
            with suppress(psutil.NoSuchProcess):
                memory = process.memory_info()
                self.figures.memory.append((kind, process.pid, now, memory.rss - memory.shared))

    # --- faults ---

    def _signal_driver(self, number: int) -> None:
        if self.driver is None or not self.root.exists():
            raise _NothingToBreak
        self.driver.send_signal(number)
        try:
            self.driver.wait(60)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            raise AssertionError(f"the driver did not end after signal {number}") from None

    def _workers(self) -> Iterator[tuple[int, psutil.Process]]:
        """Processes that train a shard, each with the place of its node."""
        for place, node in enumerate(self.nodes):
            with suppress(psutil.NoSuchProcess, KeyError):
                raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
                for process in raylet.children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        if any("ray::" in part and "[" in part for part in process.cmdline()):
                            yield place, process

    def _a_worker(self) -> tuple[int, psutil.Process]:
        found = list(self._workers())
        if not found:
            raise _NothingToBreak
        return self.chance.choice(found)

    def _kill_worker(self) -> None:
        self._a_worker()[1].kill()

    def _stop_worker(self) -> None:
        _, worker = self._a_worker()
        worker.suspend()
        time.sleep(self.chance.uniform(0.5, 3))
        worker.resume()

    def _kill_raylet(self) -> None:
        place, _ = self._a_worker()
        self.cluster.remove_node(self.nodes.pop(place), allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def _drain(self) -> None:
        place, _ = self._a_worker()
        node = self.nodes.pop(place)
        GcsClient(address=self.cluster.address).drain_node(
            node.node_id,
            autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
            "taken back",
            int(time.time() * 1000) + 2000,
        )
        self.nodes.append(self.cluster.add_node(num_cpus=1))
        time.sleep(3)
        self.cluster.remove_node(node, allow_graceful=True)

    def _add_late(self) -> None:
        place, _ = self._a_worker()
        self.cluster.remove_node(self.nodes.pop(place), allow_graceful=False)
        time.sleep(self.chance.uniform(1, 4))
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def _damage(self, change: Callable[[bytes], bytes | None]) -> None:
        """To a checkpoint or a temporary file; a worker is killed, so that what was damaged is asked for."""
        files = [p for p in self.root.rglob("*") if p.suffix == ".npz" or p.name.startswith("_")]
        if not files:
            raise _NothingToBreak
        with suppress(FileNotFoundError):
            path = self.chance.choice(files)
            content = change(path.read_bytes())
            path.unlink() if content is None else path.write_bytes(content)
            self._kill_worker()
            return
        raise _NothingToBreak

    def _flipped(self, content: bytes) -> bytes:
        flipped = bytearray(content)
        if flipped:
            flipped[self.chance.randrange(len(flipped))] ^= self.chance.randint(1, 255)
        return bytes(flipped)

    @contextmanager
    def _small_disk(self) -> Iterator[Path]:
        """A folder on a file system of its own where this user may mount one, else a plain one."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        size = f"size={TMPFS_MIB}m"
        self.mounted = _succeeds("mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder))
        try:
            yield folder
        finally:
            if self.mounted:
                _succeeds("umount", str(folder))

    def _fill_disk(self) -> None:
        if not self.mounted or not self.root.exists():
            raise _NothingToBreak
        filler = self.root.parent / "filler"
        with suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
        with suppress(OSError), open(filler, "ab", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        self._until_the_driver_ends(5)
        filler.unlink()

    def _make_read_only(self) -> None:
        root = str(self.root)
        if not self.mounted or not self.root.exists() or not _succeeds("mount", "--bind", root, root):
            raise _NothingToBreak
        _succeeds("mount", "-o", "remount,ro,bind", root)
        self._until_the_driver_ends(5)
        while not _succeeds("umount", root):
            time.sleep(0.2)

    def _until_the_driver_ends(self, seconds: float) -> None:
        if self.driver is not None:
            with suppress(subprocess.TimeoutExpired):
                self.driver.wait(seconds)


class _NothingToBreak(Exception):
    """The fault has no object just now."""


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
