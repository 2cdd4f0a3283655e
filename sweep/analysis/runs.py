"""Runs grouped by cell: the input of every table on the misses after one epoch.

A cell is a variant on a data set. Its runs differ only by seed. Engine, device and code may differ within a
cell; a note of the table then lists them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from model.variants import RECIPES, VARIANTS
from sweep.analysis.names import SplitName
from sweep.store.schema import DIVERGED

KEY = ["variant", "recipe", "dataset", "variant_digest", "dataset_digest"]
STUCK = 0.5  # error above which a run counts as not learning; chance level is 0.9


@dataclass(frozen=True)
class CellId:
    """Names and digests of a variant and a data set, as tables show them."""

    variant: str  # "base", "base@karpathy", "base,learning_rate=0.01"
    recipe: str
    dataset: str
    variant_digest: str  # 8 hex digits
    dataset_digest: str

    @property
    def parent(self) -> str:
        """The variant of `model.variants.VARIANTS` it is derived from."""
        return self.variant.partition(",")[0].partition("@")[0]

    @property
    def overrides(self) -> dict[str, str]:
        """Overridden hyperparameters and their values."""
        return dict(part.split("=", 1) for part in self.variant.split(",")[1:])

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key: data set, recipe, variant, overrides; numbers in names by value."""
        return (
            natural(self.dataset),
            _position(self.recipe, RECIPES),
            _position(self.parent, VARIANTS),
            natural(self.variant) if self.overrides else [],
            self.variant_digest,
            self.dataset_digest,
        )

    @property
    def key(self) -> tuple[str, str]:
        """Digests of the variant and of the data set."""
        return self.variant_digest, self.dataset_digest

    @property
    def columns(self) -> dict[str, str]:
        """The columns that identify the cell in a table."""
        return {name: getattr(self, name) for name in KEY}


@dataclass(frozen=True)
class Runs:
    """All runs of one cell after one epoch."""

    cell: CellId
    epoch: int
    epochs: int  # of the whole training
    sizes: dict[SplitName, int]  # digits in each split
    ok: pd.DataFrame  # rows of `schema.EPOCHS` of the runs that did not diverge, by seed
    diverged: np.ndarray  # [d] int64, seeds of the diverged runs
    engine: str  # several joined by " + "
    device: str
    code: str

    @property
    def n(self) -> int:
        """Number of runs that did not diverge."""
        return len(self.ok)

    @property
    def total(self) -> int:
        """Number of runs, diverged ones included."""
        return self.n + len(self.diverged)

    @property
    def seeds(self) -> np.ndarray:
        """[n] int64, ascending."""
        return self.ok["seed"].to_numpy(np.int64)

    @property
    def complete(self) -> bool:
        """Whether the epoch is the last one."""
        return self.epoch == self.epochs

    def misses(self, split: SplitName) -> np.ndarray:
        """[n] float64, misses of each run that did not diverge, by seed."""
        return self.ok[f"{split}_misses"].to_numpy(np.float64)

    def all_misses(self, split: SplitName) -> np.ndarray:
        """[n + d] float64, with infinity for diverged runs: for ranks only."""
        return np.concatenate([self.misses(split), np.full(len(self.diverged), np.inf)])

    def mean_loss(self, split: SplitName) -> float:
        """Mean loss of the runs that did not diverge; NaN if the loss was not read."""
        return float(self.ok[f"{split}_loss"].mean()) if f"{split}_loss" in self.ok else np.nan

    def stuck(self, split: SplitName) -> int:
        """Number of runs that did not diverge and have an error above 50 %."""
        return int(np.sum(self.misses(split) > STUCK * self.sizes[split]))


def group_runs(rows: pd.DataFrame) -> list[Runs]:
    """Runs of every cell, in the order of `CellId.order`.

    Args:
      rows: one row per run, all of a cell at the same epoch: columns of `schema.EPOCHS` and the constants
        of `store.reader`.

    Raises:
      ValueError: no rows, or a seed stored twice.
    """
    if rows.empty:
        raise ValueError("no finished runs: run a sweep first, or choose another root")
    groups = rows.groupby(KEY, observed=True, sort=False)
    found = [_runs(CellId(*map(str, key)), group) for key, group in groups]
    return sorted(found, key=lambda runs: runs.cell.order)


def _runs(cell: CellId, rows: pd.DataFrame) -> Runs:
    rows = rows.sort_values("seed")
    if (twice := rows["seed"].duplicated()).any():
        seed = rows.loc[twice, "seed"].iloc[0]
        raise ValueError(
            f"seed {seed} of {cell.variant} on {cell.dataset} occurs twice: drop one of the rows"
        )
    diverged = rows["status"] == DIVERGED
    first = rows.iloc[0]
    return Runs(
        cell=cell,
        epoch=int(first["epoch"]),
        epochs=int(first["epochs"]),
        sizes={"train": int(first["n_train"]), "test": int(first["n_test"])},
        ok=rows[~diverged],
        diverged=rows.loc[diverged, "seed"].to_numpy(np.int64),
        **{name: _joined(rows[name]) for name in ("engine", "device", "code")},
    )


def rows_of(table: pd.DataFrame, cell: CellId) -> pd.DataFrame:
    """The rows of a cell in a table with its digests."""
    digests = table["variant_digest"] == cell.variant_digest, table["dataset_digest"] == cell.dataset_digest
    return table[digests[0] & digests[1]]


def natural(text: str) -> list[str | float]:
    """Sort key of a name: its numbers are compared by value, so that n_train=2000 precedes n_train=10000."""
    parts = re.split(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)", text)
    return [float(part) if number % 2 else part for number, part in enumerate(parts)]


def _joined(column: pd.Series) -> str:
    return " + ".join(sorted(map(str, column.unique())))


def _position(name: str, order: Iterable[str]) -> int:
    known = list(order)
    return known.index(name) if name in known else len(known)


def describe(runs: Sequence[Runs], split: SplitName = "test") -> list[str]:
    """Notes for any table of these runs: digits, epochs, diverged and stuck runs, mixtures."""
    sets = {r.cell.dataset_digest: r for r in runs}
    notes = [
        f"{r.cell.dataset} ({digest}): {r.sizes['train']:,} training digits, {r.sizes['test']:,} test digits."
        for digest, r in sorted(sets.items(), key=lambda item: (natural(item[1].cell.dataset), item[0]))
    ]
    if early := [r for r in runs if not r.complete]:
        listed = ", ".join(f"{r.cell.variant} at epoch {r.epoch} of {r.epochs}" for r in early)
        notes.append(f"Not the end of training: {listed}.")
    if diverged := [r for r in runs if len(r.diverged)]:
        listed = ", ".join(f"{len(r.diverged)} of {r.total} {r.cell.variant}" for r in diverged)
        notes.append(f"Diverged and not in means: {listed}.")
    if stuck := [r for r in runs if r.stuck(split)]:
        listed = ", ".join(f"{r.stuck(split)} of {r.total} {r.cell.variant}" for r in stuck)
        notes.append(f"WARNING: not learning, {split} error above 50 % (chance level is 90 %): {listed}.")
    made = []
    for what in ("engine", "device", "code"):
        values = sorted({v for r in runs for v in getattr(r, what).split(" + ")})
        made.append(f"{what} {values[0]}" if len(values) == 1 else f"MIXED {what}s {', '.join(values)}")
    return [*notes, f"Trained with {'; '.join(made)}."]
