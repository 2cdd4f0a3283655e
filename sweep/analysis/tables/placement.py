"""Table `published`: placement of the published numbers, one seed each, among our seeds."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.published import PublishedNumber, numbers_for, published_numbers, size_notes
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.noise import make as noise_of
from sweep.analysis.tables.noise import row_of
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(
    data: Selection,
    *,
    split: SplitName = "test",
    epoch: int | None = None,
    noise: bool = False,
    numbers: str | None = None,
) -> pd.DataFrame:
    """The table of a selection."""
    return published(
        data.runs(epoch),
        planned=data.planned,
        split=split,
        noise=noise_of(data) if noise else None,
        numbers=published_numbers(numbers),
    )


def published(
    runs: Sequence[Runs],
    *,
    planned: Planned | None = None,
    split: SplitName = "test",
    noise: pd.DataFrame | None = None,
    numbers: Iterable[PublishedNumber] | None = None,
) -> pd.DataFrame:
    """One row per (cell, published number of its variant with its epochs and numbers of digits).

    Args:
      runs: of each cell.
      planned: what the recorded sweeps request.
      split: whose misses.
      noise: `noise.noise_table`; its test-set variance replaces the one estimated from counts.
      numbers: published numbers; None for the known ones.

    Returns:
      n_lt, n_eq, n_gt: seeds below, equal to and above the published misses (diverged runs above). From 40
      seeds on p_mid and p_cons; below that the prediction interval for a new seed (pred_lo, pred_hi, p_model).
      Where the digits are not known to be the same, the verdict uses p_newdata, which allows for a new test
      set. With one seed there is only `diff`.

    Raises:
      ValueError: no published number fits the runs.
    """
    given = list(published_numbers() if numbers is None else numbers)
    rows = [_row(r, split, number, noise) for r in runs if r.n for number in numbers_for(r, split, given)]
    if not rows:
        raise ValueError(_nothing(runs, given))
    frame = pd.DataFrame(rows)
    sources = {number.source for r in runs for number in numbers_for(r, split, given)}
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs, split),
        *size_notes(runs, given),
        *(f"{s.name}: {s.reference}." for s in dict.fromkeys(n.source for n in given) if s in sources),
        "Each published number is one seed and was known before these runs: it is placed, not tested.",
    ]
    return frame


def _nothing(runs: Sequence[Runs], numbers: Iterable[PublishedNumber]) -> str:
    sizes = sorted({(n.n_train, n.n_test) for n in numbers})
    ours = sorted({(r.sizes["train"], r.sizes["test"]) for r in runs})
    return (
        "no published number fits these runs: published are "
        f"{', '.join(dict.fromkeys(n.variant for n in numbers))} without overrides, trained to the end, on "
        f"{' or '.join(f'{a:,} + {b:,}' for a, b in sizes)} digits; these runs have "
        f"{' or '.join(f'{a:,} + {b:,}' for a, b in ours)}"
    )


def _row(runs: Runs, split: SplitName, number: PublishedNumber, noise: pd.DataFrame | None) -> dict[str, Any]:
    same = number.same_digits(runs.cell)
    mine = row_of(noise, runs.cell) if split == "test" else None
    row = {
        "source": number.source.name,
        **runs.cell.columns,
        "split": split,
        "n_train": runs.sizes["train"],
        "epochs": runs.epochs,
        "misses_printed": pd.NA if number.misses_printed is None else number.misses_printed,
        "misses_exact": number.misses,
        "err_pct": 100 * number.misses / runs.sizes[split],
        "loss": math.nan if number.loss is None else number.loss,
        "mean_loss": runs.mean_loss(split),
        "same_data": same,
    }
    row |= placement_columns(runs, split, number.misses, max(0.0, mine["floor"]) if mine else None)
    row["verdict"] = verdict(row, same, number.differences(runs.cell))
    row["remark"] = number.remark
    return row


def placement_columns(
    runs: Runs, split: SplitName, y: float, test_set: float | None = None
) -> dict[str, Any]:
    """Columns n … p_newdata for y misses among the runs; NaN where there are too few runs.

    test_set: variance over test sets; None estimates it from counts.
    """
    x, m = runs.misses(split), runs.sizes[split]
    p = st.place(x, y, m, len(runs.diverged), test_set)
    row = {
        "n": p.below + p.equal + p.above,
        "mean": float(np.mean(x)),
        "diff": y - float(np.mean(x)),
        "n_lt": p.below,
        "n_eq": p.equal,
        "n_gt": p.above,
        "percentile": p.percentile,
        "pct_lo": p.percentile_lo,
        "pct_hi": p.percentile_hi,
        "p_mid": p.p_mid,
        "p_cons": p.p_conservative,
        "pred_lo": p.predicted_lo,
        "pred_hi": p.predicted_hi,
        "p_model": p.p_model,
        "newdata_lo": p.new_data_lo,
        "newdata_hi": p.new_data_hi,
        "p_newdata": p.p_new_data,
    }
    if row["n"] < st.RANK_MINIMUM:
        row |= {"p_mid": math.nan, "p_cons": math.nan}
    if row["n"] == 1:
        row |= dict.fromkeys(("percentile", "pct_lo", "pct_hi"), math.nan)
    return row


def p_for_new_seed(row: dict[str, Any]) -> float:
    """The p value under a new seed: by rank from 40 seeds on, else by the prediction interval."""
    return float(row["p_mid"] if row["n"] >= st.RANK_MINIMUM else row["p_model"])


def verdict(row: dict[str, Any], same_data: str, differences: Sequence[str]) -> str:
    """The placement in words."""
    if row["n"] == 1:
        return "one seed: only the difference is known"
    if differences:
        return f"descriptive: other {' and '.join(differences)}"
    if math.isnan(row["p_model"]):
        return "equal to every seed" if row["diff"] == 0 else "all seeds agree on another number"
    new = "a new seed" if same_data == "yes" else "a new seed and test set"
    p = p_for_new_seed(row) if same_data == "yes" else row["p_newdata"]
    return f"{'within' if p >= st.ALPHA else 'outside'} the prediction interval for {new}"


TABLE = Table(
    make,
    (
        Column("source", "{source}"),
        VARIANT,
        DATASET,
        Column("misses", "{misses_exact}"),
        Column("same digits", "{same_data}"),
        Column("mean of seeds", "{mean:.1f}"),
        Column("n", "{n}"),
        Column("below/equal/above", "{n_lt}/{n_eq}/{n_gt}"),
        Column("percentile", "{percentile:.0f} %[ ({pct_lo:.0f}–{pct_hi:.0f})]"),
        Column("verdict", "{verdict}"),
    ),
)
