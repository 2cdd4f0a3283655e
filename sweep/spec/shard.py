"""Cells and shards: the units of identity and of work."""

import hashlib
from dataclasses import dataclass

from model.variants import Variant


@dataclass(frozen=True)
class Cell:
    """One variant on one data set: everything that identifies a run except its seed."""

    variant: Variant
    dataset: str  # display name, "mnist"
    dataset_digest: str  # SHA-256 of the arrays, 64 hex digits
    n_train: int  # its training digits

    @property
    def key(self) -> tuple[str, str]:
        """Identity: digests of the variant and of the data set."""
        return self.variant.digest, self.dataset_digest

    @property
    def folder(self) -> str:
        """Path of its files below `epochs/`, `labels/` and `checkpoints/`."""
        return f"{self.variant.label}/{self.dataset.replace('=', '-')}-{self.dataset_digest[:8]}"


@dataclass(frozen=True)
class Shard:
    """Consecutive seeds of one cell, trained together by one worker and stored in one file."""

    cell: Cell
    seeds: range

    @property
    def name(self) -> str:
        """File name without extension. The same seeds of the same cell always have the same name."""
        return shard_name(self.cell.key, self.seeds)

    @property
    def path(self) -> str:
        """Folder and name, below `epochs/`, `labels/` and `checkpoints/`."""
        return f"{self.cell.folder}/{self.name}"

    @property
    def title(self) -> str:
        """Display name: ``base[0:16]``."""
        return f"{self.cell.variant.name}[{self.seeds.start}:{self.seeds.stop}]"

    @property
    def work(self) -> int:
        """Presentations of a digit in the whole training: the unit of progress and the sort key of the queue."""
        return self.presentations(self.cell.variant.epochs)

    def presentations(self, epochs: int) -> int:
        """Presentations of a digit in some epochs of all replicas."""
        return epochs * len(self.seeds) * self.cell.n_train


def shard_name(key: tuple[str, str], seeds: range) -> str:
    """File name of a shard: first and last seed, and eight hex digits over them and the cell's key."""
    text = ":".join((*key, str(seeds.start), str(seeds.stop)))
    return f"seeds-{seeds.start}-{seeds[-1]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
