"""Compare the misses of one run with the seeds of a variant."""

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from model.names import nearest
from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.published import PublishedNumber, published_numbers, size_notes
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Filters, Selection
from sweep.analysis.tables.placement import p_for_new_seed, placement_columns
from sweep.store.reference import Reference, reference
from sweep.store.store import Store

USUAL = "mnist"  # data set of the reproductions


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
      sentence: the result as text.
      row: one row with the columns of the table `published` that do not name a source.
      runs: the runs that the number was compared with.
      warnings: reasons to read the result with care.
      notes: the choice of the runs.
    """

    sentence: str
    row: pd.DataFrame
    runs: Runs
    warnings: list[str]
    notes: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"<Comparison: {self.sentence}>"

    def document(self) -> dict[str, Any]:
        """Sentence, notes, warnings and numbers as JSON values."""
        numbers = json.loads(self.row.to_json(orient="records", double_precision=15))[0]
        return {"sentence": self.sentence, "notes": list(self.notes), "warnings": self.warnings, **numbers}


def compare(
    store: Store | Reference,
    variant: str,
    misses: int,
    *,
    split: SplitName = "test",
    digits: int | None = None,
    **filters: str | None,
) -> Comparison:
    """Compare a run's misses with the seeds of a variant.

    Args:
      store: a root, which need not exist, or a reference distribution. Where the root has no such runs, the
        reference distribution of the package is used.
      variant: name as in tables.
      misses: misclassified digits of the split.
      split: "test" or "train".
      digits: number of digits that the misses are counted in, to select the data set; None if unknown.
      filters: recipes, datasets, engines and seeds; each a comma-separated list.

    Raises:
      ValueError: no such run, several data sets, or a number outside the size of the split.
    """
    sources = (store,) if isinstance(store, Reference) else (store, reference())
    runs, notes = find_runs(sources, variant, Filters(**filters), split=split, digits=digits)
    return replace(compare_runs(runs, variant, misses, split=split), notes=notes)


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
    return Comparison(_sentence(mine, split, misses, row), frame, mine, warnings)


def find_runs(
    sources: Sequence[Store | Reference],
    variant: str,
    filters: Filters,
    *,
    split: SplitName = "test",
    digits: int | None = None,
) -> tuple[list[Runs], list[str]]:
    """The runs to compare a number with: those of the first source that has any.

    Args:
      sources: in order of preference; a root need not exist.
      variant: name as in tables.
      filters: of the runs.
      split: "test" or "train".
      digits: number of digits of the split that the number is counted in; None if unknown.

    Returns:
      Runs of each cell, and notes on the choice. Of several data sets of a reference distribution the one of the
      reproductions is chosen.

    Raises:
      ValueError: no run has the variant, fits the filters, or has that number of digits.
    """
    for source in sources:
        runs = _runs_in(source, variant, filters)
        fitting = [r for r in runs if digits in (None, r.sizes[split])]
        if fitting:
            break
    else:
        if runs:
            sizes = ", ".join(f"{r.cell.dataset} has {r.sizes[split]:,}" for r in runs)
            raise ValueError(f"no run of {variant} has {digits:,} {split} digits: {sizes}")
        return _any_runs(sources, filters), []  # `compare_runs` names the nearest variant
    if isinstance(source, Store):
        return fitting, []
    notes = [
        f"{store.root} has no run of {variant} to compare with." for store in sources[: sources.index(source)]
    ]
    usual = [r for r in fitting if r.cell.dataset == USUAL]
    if len(fitting) > 1 and usual:
        others = ", ".join(
            f"{r.cell.dataset} ({r.sizes[split]:,})"
            for r in fitting
            if r not in usual and "," not in r.cell.dataset
        )
        notes.append(
            f"Assumed: the {usual[0].sizes[split]:,} {split} digits of {USUAL}. --dataset selects {others}."
        )
        fitting = usual
    return fitting, [*notes, source.note]


def _any_runs(sources: Sequence[Store | Reference], filters: Filters) -> list[Runs]:
    """Runs of every variant in the first source that has any."""
    for source in sources[:-1]:
        if not isinstance(source, Store) or source.exists:
            with suppress(ValueError):
                return Selection(source, filters).runs()
    return Selection(sources[-1], filters).runs()


def _runs_in(source: Store | Reference, variant: str, filters: Filters) -> list[Runs]:
    """Runs of each cell of a variant that fit the filters; [] if there are none."""
    if isinstance(source, Store) and not source.exists:
        return []
    try:
        runs = Selection(source, replace(filters, variants=variant)).runs()
    except ValueError:  # no run is left after a filter
        return []
    return [r for r in runs if r.cell.variant == variant and r.n]


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


def _sentence(runs: Runs, split: SplitName, misses: int, row: dict[str, float]) -> str:
    size = f"{runs.sizes[split]:,} {split} digits of {runs.cell.dataset}"
    n, what = int(row["n"]), f"{misses} misses with {runs.cell.variant} in {size}"
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
