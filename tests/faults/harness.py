"""Fault injection into sweeps on a real Ray cluster with several raylets.

A round is one sweep in a new root. The harness starts it, injects faults, and repeats the same command until the
sweep finishes. The rows must then equal those of an undisturbed sweep bit for bit.
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
    """Counts and measurements."""

    faults: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    lost: int = 0  # rounds with wrong rows
    starts: int = 0  # of the driver
    memory: list[tuple[str, int, float, int]] = field(
        default_factory=list
    )  # kind, pid, seconds, private bytes

    def slope(self, kind: str, settled: float = 180.0) -> float | None:
        """Growth of private memory in MiB per hour, ignoring the first seconds of each process.

        Allocators keep the memory that the first shards of each kind needed, so a process settles after minutes. None
        if no process lived long enough.
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
        """Maximum private memory of a kind of process in MiB."""
        return max((b for k, _, _, b in self.memory if k == kind), default=0) / 2**20


class Harness:
    """A cluster, a folder, and the faults that can be injected."""

    def __init__(self, folder: Path, seed: int, seeds: int, epochs: int) -> None:
        self.folder, self.random, self.figures = folder, random.Random(seed), Figures()
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
            "worker suspended": self._suspend_worker,
            "raylet killed": self._kill_raylet,
            "node drained": self._drain,
            "node added late": self._add_late,
            "checkpoint truncated": lambda: self._damage(lambda b: b[: self.random.randint(0, len(b))]),
            "checkpoint emptied": lambda: self._damage(lambda b: b""),
            "checkpoint flipped": lambda: self._damage(self._flip_bits),
            "checkpoint removed": lambda: self._damage(lambda b: None),
            "disk full": self._fill_disk,
            "root read-only": self._make_read_only,
        }

    def close(self) -> None:
        """Stop the driver and the cluster."""
        if self.driver is not None and self.driver.poll() is None:
            self.driver.kill()
        self.cluster.shutdown()

    # --- a round ---

    def round(self, pause: Callable[[], float], enough: Callable[[], bool]) -> None:
        """Run one sweep and inject faults until it ends.

        Args:
          pause: returns the seconds until the next fault.
          enough: returns whether to stop injecting faults.
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
                    self._inject()
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
                print(f"round {self.figures.rounds} lost: {error}", flush=True)

    def _inject(self) -> None:
        """Inject one fault that is possible now, preferring kinds with fewer injections."""
        names = list(self.faults)
        self.random.shuffle(names)
        fewest = min(self.figures.faults[name] for name in names)
        names.sort(key=lambda name: self.figures.faults[name] > fewest + 1)
        for name in names:
            with suppress(_NotPossible, psutil.NoSuchProcess):
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
            raise _NotPossible
        self.driver.send_signal(number)
        try:
            self.driver.wait(60)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            raise AssertionError(f"the driver did not end after signal {number}") from None

    def _workers(self) -> Iterator[tuple[int, psutil.Process]]:
        """Worker processes that train a shard, each with the index of its node."""
        for index, node in enumerate(self.nodes):
            with suppress(psutil.NoSuchProcess, KeyError):
                raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
                for process in raylet.children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        if any("ray::" in part and "[" in part for part in process.cmdline()):
                            yield index, process

    def _random_worker(self) -> tuple[int, psutil.Process]:
        found = list(self._workers())
        if not found:
            raise _NotPossible
        return self.random.choice(found)

    def _kill_worker(self) -> None:
        self._random_worker()[1].kill()

    def _suspend_worker(self) -> None:
        _, worker = self._random_worker()
        worker.suspend()
        time.sleep(self.random.uniform(0.5, 3))
        worker.resume()

    def _kill_raylet(self) -> None:
        index, _ = self._random_worker()
        self.cluster.remove_node(self.nodes.pop(index), allow_graceful=False)
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def _drain(self) -> None:
        index, _ = self._random_worker()
        node = self.nodes.pop(index)
        GcsClient(address=self.cluster.address).drain_node(
            node.node_id,
            autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
            "preempted",
            int(time.time() * 1000) + 2000,
        )
        self.nodes.append(self.cluster.add_node(num_cpus=1))
        time.sleep(3)
        self.cluster.remove_node(node, allow_graceful=True)

    def _add_late(self) -> None:
        index, _ = self._random_worker()
        self.cluster.remove_node(self.nodes.pop(index), allow_graceful=False)
        time.sleep(self.random.uniform(1, 4))
        self.nodes.append(self.cluster.add_node(num_cpus=1))

    def _damage(self, change: Callable[[bytes], bytes | None]) -> None:
        """Change a checkpoint or temporary file and kill a worker, so that the next attempt reads it."""
        files = [p for p in self.root.rglob("*") if p.suffix == ".npz" or p.name.startswith("_")]
        if not files:
            raise _NotPossible
        with suppress(FileNotFoundError):
            path = self.random.choice(files)
            content = change(path.read_bytes())
            path.unlink() if content is None else path.write_bytes(content)
            self._kill_worker()
            return
        raise _NotPossible

    def _flip_bits(self, content: bytes) -> bytes:
        changed = bytearray(content)
        if changed:
            changed[self.random.randrange(len(changed))] ^= self.random.randint(1, 255)
        return bytes(changed)

    @contextmanager
    def _small_disk(self) -> Iterator[Path]:
        """A folder on a separate tmpfs if this user may mount one, else a plain folder."""
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
            raise _NotPossible
        filler = self.root.parent / "filler"
        with suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))
        with suppress(OSError), open(filler, "ab", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        self._wait_for_driver(5)
        filler.unlink()

    def _make_read_only(self) -> None:
        root = str(self.root)
        if not self.mounted or not self.root.exists() or not _succeeds("mount", "--bind", root, root):
            raise _NotPossible
        _succeeds("mount", "-o", "remount,ro,bind", root)
        self._wait_for_driver(5)
        while not _succeeds("umount", root):
            time.sleep(0.2)

    def _wait_for_driver(self, seconds: float) -> None:
        if self.driver is not None:
            with suppress(subprocess.TimeoutExpired):
                self.driver.wait(seconds)


class _NotPossible(Exception):
    """The fault cannot be injected in the current state."""


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
