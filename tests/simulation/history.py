"""A random history of driver processes and faults, derived from one seed. At its end the rows must be correct."""

import random
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from model.variants import variant
from sweep.driver.driver import train
from sweep.errors import StoreError
from sweep.messages import Finished, Message, Observer
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.spec.spec import SweepSpec, parse
from sweep.store.check import examine
from sweep.store.records import cells
from sweep.store.schema import EPOCHS, LABELS
from sweep.store.store import Store
from tests.simulation import workers
from tests.simulation.disk import Disk, ProcessStopped
from tests.simulation.workers import Workers

DIGEST = "d" * 64  # of the simulated data set
Run = tuple[str, int]  # variant without its epochs, and seed


class Interrupted(Exception):
    """Ctrl-C between two messages."""


@dataclass
class Ledger(Observer):
    """Asserts that a finished run is never planned again."""

    finished: set[Run] = field(default_factory=set)
    trained: int = 0

    def begin(self, shards: list[Shard], stored: int) -> None:
        again = self.finished & {run for shard in shards for run in runs(shard)}
        assert not again, f"finished and planned again: {sorted(again)}"

    def message(self, shard: Shard, message: Message) -> None:
        if isinstance(message, Finished):
            self.finished.update(runs(shard))
            self.trained += len(shard.seeds)


def runs(shard: Shard) -> set[Run]:
    return {(shard.cell.variant.parent, seed) for seed in shard.seeds}


class History:
    """A simulated disk, a sweep that grows, and successive driver processes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.disk = Disk(self.random)
        self.object_store = self.random.random() < 0.3
        self.variants = self.random.choice(["base", "softmax", "base,softmax"])
        self.seeds = [f"0:{self.random.randint(1, 7)}"]
        self.epochs = self.random.randint(1, 4)
        self.ledger = Ledger()
        self.faults = 0

    def spec(self) -> SweepSpec:
        """The current spec. The shard width is random, and seeds are added from time to time."""
        if self.random.random() < 0.2:
            start = self.random.randint(0, 12)
            self.seeds.append(f"{start}:{start + self.random.randint(1, 4)}")
        return parse(
            {
                "variants": self.variants,
                "seeds": ",".join(self.seeds),
                "set": {"epochs": self.epochs},
                "shard_width": self.random.randint(1, 5),
            }
        )

    def datasets(self, spec: SweepSpec) -> dict[str, dict[str, str]]:
        return {options.key: {"digest": DIGEST, "name": "digits"} for _, options in spec.cells()}

    def store(self) -> Store:
        """Open the root as a new process."""
        base = "bucket/root" if self.object_store else "/root"
        return Store("simulated", self.disk.files(base, self.object_store))

    def drive(self, trouble: float, between: float) -> None:
        """Run one driver.

        Args:
          trouble: probability of a worker fault between two messages.
          between: probability of Ctrl-C or a second driver between two messages.
        """
        spec = self.spec()
        store = self.store()
        store.open_for_writing()
        source = Workers(self.random, trouble)

        def messages(shards, resume_from):
            for shard, message in source(shards, resume_from):
                if self.random.random() < between:
                    self.faults += 1
                    if self.random.random() < 0.5:
                        raise Interrupted
                    self.drive(trouble, 0.0)  # a second driver after the lease expired
                yield shard, message

        train(spec, store, self.datasets(spec), messages, self.ledger)
        self.faults += source.faults

    def damage(self) -> None:
        """Truncate, empty, overwrite and remove checkpoints and temporary files."""
        for path in sorted(self.disk.names):
            name = path.rpartition("/")[2]
            if not ("/checkpoints/" in path or name.startswith("_")) or self.random.random() < 0.6:
                continue
            self.faults += 1
            content = bytearray(self.disk.names[path].content)
            match self.random.choice(["truncate", "empty", "flip", "remove", "swap"]):
                case "truncate":
                    content = content[: self.random.randint(0, len(content))]
                case "empty":
                    content.clear()
                case "flip" if content:
                    content[self.random.randrange(len(content))] ^= self.random.randint(1, 255)
                case "swap":
                    content = bytearray(self.disk.names[self.random.choice(sorted(self.disk.names))].content)
                case "remove":
                    del self.disk.names[path]
                    continue
            self.disk.put(path, bytes(content))

    def damage_finished(self) -> None:
        """A finished file is damaged; the doctor quarantines it, and its seeds may be planned again."""
        paths = [
            p for p in sorted(self.disk.names) if "/epochs/" in p and "/_" not in p and "quarantine" not in p
        ]
        if not paths or self.random.random() < 0.9:
            return
        self.faults += 1
        path = self.random.choice(paths)
        self.disk.put(path, self.disk.names[path].content[:-9])
        store = self.store()
        for finding in examine(store):
            if finding.severity == "damaged":
                store.quarantine(finding.path)
        stored = store.completed()
        self.ledger.finished = {
            (name, seed)
            for name, seed in self.ledger.finished
            if seed in stored.get((variant(name, epochs=self.epochs).digest, DIGEST), SeedRanges())
        }

    def run(self) -> "History":
        """Run drivers that fail, then one that finishes, and check the rows."""
        for _ in range(self.random.randint(1, 5)):
            end = self.disk.operations + int(self.random.expovariate(1 / 60))
            how = self.random.choice(["killed", "power failure", "full disk", "no fault"])
            self.disk.full_at = end if how == "full disk" else None
            self.disk.stop_at = end if how in ("killed", "power failure") else None
            try:
                self.drive(trouble=self.random.choice([0.0, 0.05, 0.2]), between=0.03)
            except (ProcessStopped, Interrupted):
                self.faults += 1
            except StoreError:
                if how != "full disk":
                    raise
                self.faults += 1
            self.disk.restart(power_failure=how == "power failure" and not self.object_store)
            self.damage()
            self.damage_finished()
        self.drive(trouble=0.1, between=0.0)
        while True:  # a shard may have failed: repeat the command
            self.drive(trouble=0.0, between=0.0)
            if not self.store().failures.paths():
                break
        self.check()
        return self

    def check(self) -> None:
        """Every requested row and label exists once and equals that of an undisturbed run."""
        spec = parse(
            {"variants": self.variants, "seeds": ",".join(self.seeds), "set": {"epochs": self.epochs}}
        )
        undisturbed = [
            finished
            for cell in cells(spec, self.datasets(spec))
            for seeds in spec.seed_ranges.ranges
            for finished in workers.train(Shard(cell, seeds), None, lambda: False)
            if isinstance(finished, Finished)
        ]
        store = self.store()
        for schema, rows, tables in (
            (EPOCHS, store.epochs(), [w.epochs for w in undisturbed]),
            (LABELS, store.labels(), [w.labels for w in undisturbed]),
        ):
            expected = pa.concat_tables(tables).to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
            assert _rows(rows[schema.names]) == _rows(expected)
        assert not store.checkpoints.paths(), "checkpoints of finished shards were left"


def _rows(frame: pd.DataFrame) -> list[str]:
    return sorted(map(repr, frame.itertuples(index=False, name=None)))
