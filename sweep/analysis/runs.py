"""From stored rows to the runs of one cell: the step every table begins with.

A cell is a variant on a data set; its runs differ by seed alone. Engine, device and code may be mixed
within a cell, then the tables say so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import pandas as pd

from model.names import nearest
from model.variants import RECIPES, VARIANTS
from sweep.spec.seeds import SeedRanges
from sweep.store.schema import DIVERGED

Split = Literal["train", "test"]

KEY = ["variant", "recipe", "dataset", "variant_digest", "dataset_digest"]
COLUMNS = [  # of `schema.EPOCHS` that tables and plots read
    "variant",
    "recipe",
    "dataset",
    "seed",
    "epoch",
    "train_loss",
    "train_misses",
    "test_loss",
    "test_misses",
    "status",
]
STUCK = 0.5  # test error above which a run counts as not having learnt


@dataclass(frozen=True)
class Cell:
    """A variant on a data set."""

    variant: str  # "base", "base@karpathy", "base,learning_rate=0.01"
    recipe: str
    dataset: str
    variant_digest: str
    dataset_digest: str

    @property
    def parent(self) -> str:
        """The plain variant it is made from."""
        return self.variant.partition(",")[0].partition("@")[0]

    @property
    def overridden(self) -> bool:
        """Whether a hyper-parameter was changed."""
        return "," in self.variant

    @property
    def order(self) -> tuple[str, int, int, str, str, str]:
        """Sorts cells as the story tells them: data set, recipe, variant, then overrides."""
        return (
            self.dataset,
            _position(self.recipe, RECIPES),
            _position(self.parent, VARIANTS),
            self.variant if self.overridden else "",
            self.variant_digest,
            self.dataset_digest,
        )


@dataclass(frozen=True)
class Runs:
    """All runs of one cell at one epoch."""

    cell: Cell
    epoch: int
    epochs: int  # planned for the variant
    sizes: dict[Split, int]  # digits in each split
    ok: pd.DataFrame  # rows of `schema.EPOCHS` of the runs that trained, by seed
    diverged: np.ndarray  # [d] int64, seeds of the runs that did not
    engine: str  # several joined by " + "
    device: str
    code: str

    @property
    def n(self) -> int:
        """Runs that trained."""
        return len(self.ok)

    @property
    def seeds(self) -> np.ndarray:
        """[n] int64, ascending."""
        return self.ok["seed"].to_numpy(np.int64)

    def misses(self, split: Split) -> np.ndarray:
        """[n] float64, misses of each run that trained, by seed."""
        return self.ok[f"{split}_misses"].to_numpy(np.float64)

    def all_misses(self, split: Split) -> np.ndarray:
        """[n + d] float64, the diverged runs as infinity: for ranks only."""
        return np.concatenate([self.misses(split), np.full(len(self.diverged), np.inf)])

    def mean_loss(self, split: Split) -> float:
        """Mean loss of the runs that trained; NaN when the frame has none."""
        return float(self.ok[f"{split}_loss"].mean()) if f"{split}_loss" in self.ok else np.nan


def cells(frame: pd.DataFrame) -> list[tuple[Cell, pd.DataFrame]]:
    """The rows of each cell, in the order of the story.

    Raises:
      ValueError: no rows.
    """
    if frame.empty:
        raise ValueError("no finished runs to look at: run a sweep first, or choose another root")
    constant = [name for name in KEY if _one_value(frame[name])]
    varying = [name for name in KEY if name not in constant]
    groups = [frame]  # grouping copies, and a large store may hold one cell
    if varying:
        groups = [rows for _, rows in frame.groupby(varying, observed=True, sort=False)]
    found = [(Cell(*(str(rows[name].iloc[0]) for name in KEY)), rows) for rows in groups]
    return sorted(found, key=lambda pair: pair[0].order)


def _one_value(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype) and len(column.dtype.categories) == 1


def runs_of(cell: Cell, rows: pd.DataFrame, epoch: int | None = None) -> Runs:
    """The cell's runs at an epoch; None: at the last one there is.

    Raises:
      ValueError: no such epoch, or a seed stored twice.
    """
    last = int(rows["epoch"].max())
    chosen = last if epoch is None else epoch
    at = rows[(rows["epoch"] == chosen).to_numpy()].sort_values("seed")
    if at.empty:
        raise ValueError(f"epoch {chosen}: nothing is left; {cell.variant} has epochs 1 to {last}")
    if (twice := at["seed"].duplicated()).any():
        seed = at.loc[twice, "seed"].iloc[0]
        raise ValueError(f"seed {seed} of {cell.variant} on {cell.dataset} is there twice: drop one of them")
    diverged = at["status"] == DIVERGED
    return Runs(
        cell=cell,
        epoch=chosen,
        epochs=int(at["epochs"].iloc[0]),
        sizes={"train": int(at["n_train"].iloc[0]), "test": int(at["n_test"].iloc[0])},
        ok=at[~diverged],
        diverged=at.loc[diverged, "seed"].to_numpy(np.int64),
        **{name: joined(at[name]) for name in ("engine", "device", "code")},
    )


def all_runs(epochs: pd.DataFrame, epoch: int | None = None) -> list[Runs]:
    """`runs_of` every cell that has the epoch.

    Raises:
      ValueError: no rows, or no cell has the epoch.
    """
    return [runs_of(cell, rows, epoch) for cell, rows in cells_at(epochs, epoch)]


def cells_at(epochs: pd.DataFrame, epoch: int | None) -> list[tuple[Cell, pd.DataFrame]]:
    """`cells` that have the epoch; None: all.

    Raises:
      ValueError: no rows, or no cell has the epoch.
    """
    found = cells(epochs)
    reached = [(c, rows) for c, rows in found if epoch is None or (rows["epoch"] == epoch).any()]
    if not reached:
        longest = max(int(rows["epoch"].max()) for _, rows in found)
        raise ValueError(f"epoch {epoch}: nothing is left; the longest run has epochs 1 to {longest}")
    return reached


def joined(column: pd.Series) -> str:
    """The different texts of a column, joined."""
    return " + ".join(sorted(map(str, column.unique())))


def select(
    frame: pd.DataFrame,
    *,
    variants: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    recipes: Sequence[str] | None = None,
    engines: Sequence[str] | None = None,
    seeds: SeedRanges | None = None,
    epoch: int | None = None,
) -> pd.DataFrame:
    """The rows asked for, of epochs or of labels; None keeps all.

    Args:
      frame: rows of the store.
      variants: names as in tables; "base" is base under every recipe, "base,*" all its overrides.
      datasets: names as in tables, or their digests; * matches anything.
      recipes: names.
      engines: names.
      seeds: only these.
      epoch: from 1.

    Raises:
      ValueError: a name nobody has (with the nearest), or nothing is left (with the filter that took the
      last).
    """
    chosen = frame
    for column, wanted, like in (
        ("recipe", recipes, fnmatchcase),
        ("variant", variants, _is_variant),
        ("dataset", datasets, fnmatchcase),
        ("engine", engines, fnmatchcase),
    ):
        for name in wanted or ():
            known = sorted(map(str, frame[column].unique()))
            if not any(like(k, name) for k in known) and not (
                column == "dataset" and name in set(frame["dataset_digest"])
            ):
                raise ValueError(f"no finished run has {column} {name!r}{nearest(name, known)}")
        if wanted:
            values = chosen[column].unique()
            hits = [v for v in values if any(like(str(v), name) for name in wanted)]
            keep = chosen[column].isin(hits)
            if column == "dataset":
                keep |= chosen["dataset_digest"].isin(list(wanted))
            chosen = _not_empty(chosen[keep], f"{column} {', '.join(wanted)}")
    if seeds is not None:
        inside = np.zeros(len(chosen), bool)
        for r in seeds.ranges:
            inside |= chosen["seed"].between(r.start, r.stop - 1).to_numpy()
        chosen = _not_empty(chosen[inside], f"seeds {seeds}")
    if epoch is not None:
        chosen = _not_empty(chosen[chosen["epoch"] == epoch], f"epoch {epoch}")
    return chosen


def _not_empty(frame: pd.DataFrame, step: str) -> pd.DataFrame:
    if frame.empty:
        raise ValueError(f"nothing is left after {step}: leave out a filter")
    return frame


def _is_variant(stored: str, name: str) -> bool:
    return fnmatchcase(stored, name) or ("," not in stored and stored.partition("@")[0] == name)


def _position(name: str, order: Iterable[str]) -> int:
    known = list(order)
    return known.index(name) if name in known else len(known)


def describe(runs: Sequence[Runs]) -> list[str]:
    """What a reader must know beside any table of these runs: digits, epochs, divergence, mixtures."""
    notes = []
    for name, digest in sorted({(r.cell.dataset, r.cell.dataset_digest) for r in runs}):
        sizes = next(r.sizes for r in runs if r.cell.dataset_digest == digest)
        notes.append(f"{name} ({digest}): {sizes['train']:,} training digits, {sizes['test']:,} test digits.")
    early = [r for r in runs if r.epoch < r.epochs]
    if early:
        notes.append("Not at the end of training: " + ", ".join(_at_epoch(r) for r in early) + ".")
    diverged = [
        f"{len(r.diverged)} of {r.n + len(r.diverged)} {r.cell.variant}" for r in runs if len(r.diverged)
    ]
    if diverged:
        notes.append(f"Diverged and counted apart: {', '.join(diverged)}.")
    made = []
    for what in ("engine", "device", "code"):
        values = sorted({v for r in runs for v in getattr(r, what).split(" + ")})
        made.append(f"{what} {values[0]}" if len(values) == 1 else f"MIXED {what}s {', '.join(values)}")
    return [*notes, f"Made by {'; '.join(made)}."]


def _at_epoch(runs: Runs) -> str:
    return f"{runs.cell.variant} at epoch {runs.epoch} of {runs.epochs}"
