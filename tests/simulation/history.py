"""One history: a sweep's lives and deaths drawn from one seed, at the end of which the rows must be right."""

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
from tests.simulation.disk import Disk, WorldStopped
from tests.simulation.workers import Workers

DIGEST = "d" * 64  # of the stand-in digits
Run = tuple[str, int]  # variant without its epochs, and seed


class Interrupted(Exception):
    """Ctrl-C, at any moment between two messages."""


@dataclass
class Ledger(Observer):
    """Holds the driver to its word: what it called finished is never done again, whatever happens later."""

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
    """The world of one seed: a disk, a sweep that grows, and drivers that come and go."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.disk = Disk(self.chance)
        self.object_store = self.chance.random() < 0.3
        self.variants = self.chance.choice(["base", "softmax", "base,softmax"])
        self.seeds = [f"0:{self.chance.randint(1, 7)}"]
        self.epochs = self.chance.randint(1, 4)
        self.ledger = Ledger()
        self.faults = 0

    def spec(self) -> SweepSpec:
        """What is wanted now; the width changes from life to life, seeds are added."""
        if self.chance.random() < 0.2:
            start = self.chance.randint(0, 12)
            self.seeds.append(f"{start}:{start + self.chance.randint(1, 4)}")
        return parse(
            {
                "variants": self.variants,
                "seeds": ",".join(self.seeds),
                "set": {"epochs": self.epochs},
                "shard_width": self.chance.randint(1, 5),
            }
        )

    def datasets(self, spec: SweepSpec) -> dict[str, dict[str, str]]:
        return {options.key: {"digest": DIGEST, "name": "digits"} for _, options in spec.cells()}

    def store(self) -> Store:
        """The root as a new process finds it."""
        base = "bucket/root" if self.object_store else "/root"
        return Store("simulated", self.disk.files(base, self.object_store))

    def drive(self, trouble: float, between: float) -> None:
        """One driver's life. `between`: the chance that Ctrl-C or a second driver comes between two messages."""
        spec = self.spec()
        store = self.store()
        store.open_for_writing()
        source = Workers(self.chance, trouble)

        def messages(shards, resume_from):
            for shard, message in source(shards, resume_from):
                if self.chance.random() < between:
                    self.faults += 1
                    if self.chance.random() < 0.5:
                        raise Interrupted
                    self.drive(trouble, 0.0)  # a second driver, on a root whose lease went stale
                yield shard, message

        train(spec, store, self.datasets(spec), messages, self.ledger)
        self.faults += source.faults

    def damage(self) -> None:
        """Checkpoints and temporary files are truncated, emptied, overwritten and removed."""
        for path in sorted(self.disk.names):
            name = path.rpartition("/")[2]
            if not ("/checkpoints/" in path or name.startswith("_")) or self.chance.random() < 0.6:
                continue
            self.faults += 1
            content = bytearray(self.disk.names[path].content)
            match self.chance.choice(["truncate", "empty", "flip", "remove", "swap"]):
                case "truncate":
                    content = content[: self.chance.randint(0, len(content))]
                case "empty":
                    content.clear()
                case "flip" if content:
                    content[self.chance.randrange(len(content))] ^= self.chance.randint(1, 255)
                case "swap":
                    content = bytearray(self.disk.names[self.chance.choice(sorted(self.disk.names))].content)
                case "remove":
                    del self.disk.names[path]
                    continue
            self.disk.put(path, bytes(content))

    def damage_finished(self) -> None:
        """A finished file is damaged; the doctor quarantines it, and its seeds may be planned again."""
        paths = [
            p for p in sorted(self.disk.names) if "/epochs/" in p and "/_" not in p and "quarantine" not in p
        ]
        if not paths or self.chance.random() < 0.9:
            return
        self.faults += 1
        path = self.chance.choice(paths)
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

    def live(self) -> "History":
        """Lives that end badly, then one that ends well; the rows are checked."""
        for _ in range(self.chance.randint(1, 5)):
            end = self.disk.operations + int(self.chance.expovariate(1 / 60))
            how = self.chance.choice(["killed", "power cut", "full disk", "on its own"])
            self.disk.full_at = end if how == "full disk" else None
            self.disk.stop_at = end if how in ("killed", "power cut") else None
            try:
                self.drive(trouble=self.chance.choice([0.0, 0.05, 0.2]), between=0.03)
            except (WorldStopped, Interrupted):
                self.faults += 1
            except StoreError:
                if how != "full disk":
                    raise
                self.faults += 1
            self.disk.restart(power_cut=how == "power cut" and not self.object_store)
            self.damage()
            self.damage_finished()
        self.drive(trouble=0.1, between=0.0)
        while True:  # a shard may have failed by its own fault: the same command again
            self.drive(trouble=0.0, between=0.0)
            if not self.store().failures.paths():
                break
        self.check()
        return self

    def check(self) -> None:
        """Every wanted row and label is there once, and is what an undisturbed run gives."""
        spec = parse(
            {"variants": self.variants, "seeds": ",".join(self.seeds), "set": {"epochs": self.epochs}}
        )
        whole = [
            finished
            for cell in cells(spec, self.datasets(spec))
            for seeds in spec.seed_ranges.ranges
            for finished in workers.train(Shard(cell, seeds), None, lambda: False)
            if isinstance(finished, Finished)
        ]
        store = self.store()
        for schema, rows, tables in (
            (EPOCHS, store.epochs(), [w.epochs for w in whole]),
            (LABELS, store.labels(), [w.labels for w in whole]),
        ):
            expected = pa.concat_tables(tables).to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)
            assert _rows(rows[schema.names]) == _rows(expected)
        assert not store.checkpoints.paths(), "checkpoints of finished shards were left"


def _rows(frame: pd.DataFrame) -> list[str]:
    return sorted(map(repr, frame.itertuples(index=False, name=None)))
