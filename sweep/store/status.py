"""Progress of every recorded sweep, and provenance of the stored runs. Reads only the root."""

import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.store import lease, queue
from sweep.store.active import read_active
from sweep.store.checkpoint import read_epoch
from sweep.store.reader import of_cell
from sweep.store.records import cells, recorded_sweeps
from sweep.store.schema import DIVERGED
from sweep.store.store import Store, StoredFile


@dataclass(frozen=True)
class CellStatus:
    """Runs of one variant on one data set, as counts of seeds."""

    variant: str
    dataset: str
    wanted: int
    done: int
    running: int  # of a shard in progress
    epoch: str  # finished epochs of these shards, such as "3–5"; "" if none is running
    missing: int  # neither done nor running
    diverged: int  # of those done


def sweep_status(store: Store) -> dict[str, list[CellStatus]]:
    """Status of each cell of each recorded sweep, by the sweep's name."""
    completed = store.completed()
    active: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_active(store)[1]:
        active[row["cell"]].append(row)
    last = store.epochs(["variant", "seed", "status"], last_only=True)
    diverged = last[last["status"] == DIVERGED]
    found: dict[str, list[CellStatus]] = {}
    for name, (spec, datasets) in recorded_sweeps(store).items():
        found[name] = []
        for cell in cells(spec, datasets):
            wanted = spec.seed_ranges
            missing = wanted - completed.get(cell.key, SeedRanges())
            shards = [row for row in active[cell.folder] if missing & SeedRanges([range(*row["seeds"])])]
            running = missing & SeedRanges(range(*row["seeds"]) for row in shards)
            epochs = {row["epoch"] for row in shards}
            found[name].append(
                CellStatus(
                    variant=cell.variant.name,
                    dataset=cell.dataset,
                    wanted=len(wanted),
                    done=len(wanted) - len(missing),
                    running=len(running),
                    epoch="–".join(map(str, sorted({min(epochs), max(epochs)}))) if epochs else "",
                    missing=len(missing) - len(running),
                    diverged=sum(seed in wanted for seed in of_cell(diverged, cell)["seed"]),
                )
            )
    return found


def count_runs(store: Store) -> tuple[int, int]:
    """Finished runs and all runs of the recorded sweeps. A run of several sweeps counts once."""
    wanted: dict[tuple[str, str], SeedRanges] = {}
    for spec, datasets in recorded_sweeps(store).values():
        for cell in cells(spec, datasets):
            wanted[cell.key] = wanted.get(cell.key, SeedRanges()) | spec.seed_ranges
    completed = store.completed()
    done = sum(len(seeds & completed.get(key, SeedRanges())) for key, seeds in wanted.items())
    return done, sum(map(len, wanted.values()))


@dataclass(frozen=True)
class InProgress:
    """Runs of the shards in progress; without a driver, runs that have a checkpoint and are not finished."""

    runs: int = 0
    share: float = 0.0  # fraction of their epochs that is done


@dataclass(frozen=True)
class Failure:
    """A shard whose last attempt failed."""

    title: str
    path: str  # of the traceback, relative to the root


@dataclass(frozen=True)
class Waiting:
    """A driver that waits for the root."""

    sweep: str
    priority: int
    pid: int
    host: str
    since: str


@dataclass(frozen=True)
class RootStatus:
    """State of a root."""

    root: str
    sweeps: dict[str, list[CellStatus]]  # by name of the sweep
    driver: dict[str, Any] | None  # pid, host, since and sweep of the driver that holds the root
    waiting: list[Waiting]  # in the order in which they take the root
    in_progress: InProgress
    failed: list[Failure]
    quarantined: list[str]  # paths relative to the root

    def __repr__(self) -> str:
        cells = [cell for rows in self.sweeps.values() for cell in rows]
        done, wanted = sum(cell.done for cell in cells), sum(cell.wanted for cell in cells)
        driver = "a driver is running" if self.driver else "no driver is running"
        return (
            f"<RootStatus {self.root}: {done:,} of {wanted:,} runs done, {len(self.failed)} failed, {driver}>"
        )


def status(store: Store) -> RootStatus:
    """State of a root: its sweeps, its driver, partly trained runs, failures and damaged files.

    Args:
      store: the root, which a driver may be writing.

    Raises:
      StoreError: a file is damaged.
    """
    driver = lease.holder(store)
    return RootStatus(
        root=store.root,
        sweeps=sweep_status(store),
        driver={key: driver.get(key) for key in ("pid", "host", "since", "sweep")} if driver else None,
        waiting=[Waiting(t.sweep, t.priority, t.pid, t.host, t.since) for t in queue.waiting(store)],
        in_progress=in_progress(store),
        failed=[Failure(title, path) for path, title in store.failures.first_lines().items()],
        quarantined=store.quarantined(),
    )


def in_progress(store: Store) -> InProgress:
    """Runs in progress, or partly trained if no driver runs. A damaged checkpoint counts as no epochs."""
    if lease.holder(store):
        rows = read_active(store)[1]
        runs = [len(range(*row["seeds"])) for row in rows]
        done = sum(n * row["epoch"] for n, row in zip(runs, rows, strict=True))
        work = sum(n * row["epochs"] for n, row in zip(runs, rows, strict=True))
        return InProgress(sum(runs), done / work if work else 0.0)
    completed, checkpoints = store.completed(), store.checkpoints.shards()
    found = {
        Shard(cell, seeds)
        for spec, datasets in recorded_sweeps(store).values()
        for cell in cells(spec, datasets)
        for seeds in checkpoints.get(cell.folder, ())
        if len(SeedRanges([seeds]) - completed.get(cell.key, SeedRanges())) == len(seeds) > 0
    }
    work = done = 0
    for shard in found:
        content = store.checkpoints.load(shard)
        epoch = (content and read_epoch(io.BytesIO(content))) or 0
        work, done = work + shard.work, done + shard.presentations(epoch)
    return InProgress(sum(len(shard.seeds) for shard in found), done / work if work else 0.0)


def provenance(files: list[StoredFile]) -> Iterator[dict[str, Any]]:
    """Provenance of the stored runs: one entry per (variant, data set, engine, device, code)."""
    groups: dict[tuple[str, ...], list[StoredFile]] = defaultdict(list)
    for file in files:
        m = file.metadata
        groups[(m.variant["name"], m.dataset_digest[:8], m.engine, m.device, m.code)].append(file)
    for (variant, dataset, engine, device, code), members in sorted(groups.items()):
        yield {
            "variant": variant,
            "dataset": f"{members[0].metadata.dataset['name']}-{dataset}",
            "engine": engine,
            "device": device,
            "code": code,
            "runs": sum(len(f.seeds) for f in members),
            "seconds": round(sum(f.metadata.seconds for f in members), 1),
            "first": min(f.metadata.started for f in members),
            "last": max(f.metadata.started for f in members),
            "versions": members[0].metadata.versions,
        }
