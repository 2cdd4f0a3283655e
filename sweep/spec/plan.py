"""What is still to run: (wanted, stored) to shards. Run, resume, retry and extend are this one operation."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.variants import Variant


@dataclass(frozen=True)
class Cell:
    """One variant on one data set: what a seed completes to a run."""

    variant: Variant
    dataset: str  # display name, "mnist"
    dataset_digest: str  # 64 hex digits over the arrays

    @property
    def key(self) -> tuple[str, str]:
        """Identity: digests of the variant and of the data set."""
        return self.variant.digest, self.dataset_digest

    @property
    def folder(self) -> str:
        """Where its files lie below `epochs/`, `labels/` and `checkpoints/`."""
        return f"{self.variant.label}/{self.dataset.replace('=', '-')}-{self.dataset_digest[:8]}"


@dataclass(frozen=True)
class Shard:
    """Neighbouring seeds of one cell, trained together by one worker into one file."""

    cell: Cell
    seeds: range

    @property
    def name(self) -> str:
        """File name without ending. The same seeds of the same cell always have the same name."""
        return shard_name(self.cell.key, self.seeds)

    @property
    def path(self) -> str:
        """Folder and name, below `epochs/` and the like."""
        return f"{self.cell.folder}/{self.name}"

    @property
    def title(self) -> str:
        """For people: ``base[0:16]``."""
        return f"{self.cell.variant.name}[{self.seeds.start}:{self.seeds.stop}]"

    @property
    def epochs_of_work(self) -> int:
        """Replica-epochs, the unit of progress and of the order of work."""
        return len(self.seeds) * self.cell.variant.epochs


def shard_name(key: tuple[str, str], seeds: range) -> str:
    """First and last seed, and eight digits over them and their cell's key."""
    text = ":".join((*key, str(seeds.start), str(seeds.stop)))
    return f"seeds-{seeds.start}-{seeds[-1]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


Completed = Mapping[tuple[str, str], Iterable[range]]


def plan(
    cells: Iterable[Cell],
    wanted: Iterable[range],
    completed: Completed,
    begun: Mapping[tuple[str, str], Iterable[range]],
    width: int,
) -> list[Shard]:
    """Cut what is missing into shards, longest first.

    Args:
      cells: what to train.
      wanted: seeds of each cell, disjoint ascending ranges.
      completed: seeds in the store, by cell key.
      begun: seeds of shards with a checkpoint, by cell key. One whose seeds are all missing is planned as it
        stands, whatever `width` now is, so that its work is not lost.
      width: seeds of the other shards, at most.

    Returns:
      Shards that partition exactly the wanted seeds that are not completed.
    """
    wanted = list(wanted)
    shards = []
    for cell in cells:
        missing = subtract(wanted, completed.get(cell.key, ()))
        for seeds in sorted(begun.get(cell.key, ()), key=lambda r: r.start):
            if seeds and len(seeds) == sum(len(r) for r in intersect(missing, seeds)):
                shards.append(Shard(cell, seeds))
                missing = subtract(missing, [seeds])
        shards += [
            Shard(cell, range(start, min(start + width, r.stop)))
            for r in missing
            for start in range(r.start, r.stop, width)
        ]
    return sorted(shards, key=lambda s: -s.epochs_of_work)


def subtract(ranges: Iterable[range], gone: Iterable[range]) -> list[range]:
    """The numbers of `ranges` (disjoint, ascending) that are in none of `gone`."""
    left = list(ranges)
    for g in gone:
        pieces = []
        for r in left:
            pieces += [range(r.start, min(r.stop, g.start)), range(max(r.start, g.stop), r.stop)]
        left = [r for r in pieces if len(r)]
    return left


def intersect(ranges: Iterable[range], other: range) -> list[range]:
    """The numbers of `ranges` that are in `other`."""
    pieces = (range(max(r.start, other.start), min(r.stop, other.stop)) for r in ranges)
    return [r for r in pieces if len(r)]
