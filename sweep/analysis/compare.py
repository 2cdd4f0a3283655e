"""Compare the misses of one run with the seeds of a variant."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from model.names import nearest
from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.published import PublishedNumber, published_numbers, size_notes
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Filters, Selection
from sweep.analysis.tables.placement import p_for_new_seed, placement_columns
from sweep.store.store import Store


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
      sentence: the result as text.
      row: one row with the columns of the table `published` that do not name a source.
      runs: the runs that the number was compared with.
      warnings: reasons to read the result with care.
    """

    sentence: str
    row: pd.DataFrame
    runs: Runs
    warnings: list[str]

    def __repr__(self) -> str:
        return f"<Comparison: {self.sentence}>"

    def document(self) -> dict[str, Any]:
        """Sentence, warnings and numbers as JSON values."""
        numbers = json.loads(self.row.to_json(orient="records", double_precision=15))[0]
        return {"sentence": self.sentence, "warnings": self.warnings, **numbers}


def compare(
    store: Store, variant: str, misses: int, *, split: SplitName = "test", **filters: str | None
) -> Comparison:
    """Compare a run's misses with the stored seeds of a variant.

    Args:
      store: where the runs are stored.
      variant: name as in tables.
      misses: misclassified digits of the split.
      split: "test" or "train".
      filters: recipes, datasets, engines and seeds; each a comma-separated list.

    Raises:
      ValueError: no such run, several data sets, or a number outside the size of the split.
    """
    return compare_runs(Selection(store, Filters(**filters)).runs(), variant, misses, split=split)


def compare_runs(
    runs: Sequence[Runs],
    variant: str,
    misses: int,
    *,
    split: SplitName = "test",
    numbers: Sequence[PublishedNumber] | None = None,
) -> Comparison:
    """Compare a run's misses with the seeds of a variant among the runs of several cells.

    The run is treated as one more seed with the same digits and training. The columns newdata_lo and newdata_hi
    also allow for a new test set.

    Args:
      runs: of each cell, after the last epoch.
      variant: name as in tables.
      misses: misclassified digits of the split.
      split: "test" or "train".
      numbers: published numbers, for the warning on the size of the test set; None for the known ones.

    Raises:
      ValueError: no run of the variant, several data sets, or a number outside the size of the split.
    """
    mine = _runs_of(runs, variant)
    m = mine.sizes[split]
    if not 0 <= misses <= m:
        raise ValueError(
            f"misses = {misses}: give a count from 0 to {m:,}, the {split} digits of {mine.cell.dataset}"
        )
    row = placement_columns(mine, split, misses)
    identity = {**mine.cell.columns, "split": split, "misses": misses, "err_pct": 100 * misses / m}
    frame = pd.DataFrame([identity | row])
    frame.attrs["notes"] = describe([mine], split)
    warnings = [note for note in describe([mine], split) if note.startswith("WARNING")]
    warnings += size_notes([mine], published_numbers() if numbers is None else numbers)
    return Comparison(_sentence(mine, misses, row), frame, mine, warnings)


def _runs_of(runs: Sequence[Runs], variant: str) -> Runs:
    names = list(dict.fromkeys(r.cell.variant for r in runs))
    if variant not in names:
        raise ValueError(f"no finished run has variant {variant!r}{nearest(variant, names)}")
    mine = [r for r in runs if r.cell.variant == variant]
    if len(mine) > 1:
        sets = ", ".join(f"{r.cell.dataset} ({r.cell.dataset_digest})" for r in mine)
        raise ValueError(f"{variant} has runs on several data sets: choose one of {sets}")
    if not mine[0].n:
        raise ValueError(f"every run of {variant} diverged: there is nothing to compare with")
    return mine[0]


def _sentence(runs: Runs, misses: int, row: dict[str, float]) -> str:
    n, what = int(row["n"]), f"{misses} misses with {runs.cell.variant} on {runs.cell.dataset}"
    if n == 1:
        return f"{what}: the only seed so far misses {row['mean']:.0f}; train more seeds to compare."
    if math.isnan(row["p_model"]):
        agrees = "equal to" if row["diff"] == 0 else "different from"
        return f"{what}: {agrees} all {n} seeds ({row['mean']:.0f})."
    usual = p_for_new_seed(row) >= st.ALPHA
    word = (
        "as expected for"
        if usual
        else ("more than expected for" if row["diff"] > 0 else "fewer than expected for")
    )
    rank = f"{row['n_lt']} of {n} seeds miss fewer, {row['n_eq']} as many, {row['n_gt']} more"
    return (
        f"{what}: {word} a new seed. {rank}; mean {row['mean']:.1f}, 95 % prediction interval for a new seed "
        f"{max(0.0, row['pred_lo']):.1f}–{row['pred_hi']:.1f}."
    )
