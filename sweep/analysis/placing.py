"""Published numbers, and yours, among the seeds. Placements, not tests: the numbers were known beforehand."""

import math
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.planned import provisional_note
from sweep.analysis.published import PUBLISHED, SIZES, SOURCES, PublishedNumber
from sweep.analysis.runs import Runs, Split, all_runs, describe


def published(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
    noise: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Each published number beside the runs of its variant, under every recipe; not beside overridden
    variants.

    Args:
      epochs: rows of the store; the last epochs suffice.
      planned: see `summary.summary`.
      split: whose misses.
      epoch: from 1; None: the last.
      noise: `digits.noise`; its test-set variance replaces the one estimated from counts.

    Returns:
      One row per (cell, source). n_lt, n_eq, n_gt: seeds below, at and above the published misses (diverged
      ones above). p_mid and p_cons from 40 seeds on, below them the prediction interval speaks (pred_lo,
      pred_hi, p_model). Where the source's digits are not known to be ours the headline is p_newdata, which
      allows for other digits of the same kind. With one seed there is only `diff`.

    Raises:
      ValueError: no runs of a published variant on splits of the published sizes.
    """
    runs = all_runs(epochs, epoch)
    rows = [
        _row(r, split, number, _floor(r, split, noise))
        for r in runs
        if r.n and comparable(r)
        for number in PUBLISHED
        if number.split == split and number.variant == r.cell.parent
    ]
    if not rows:
        variants = ", ".join(dict.fromkeys(number.variant for number in PUBLISHED))
        raise ValueError(
            f"nothing to compare: published numbers are of {variants} without overrides, "
            f"trained to the end on {SIZES['train']:,} digits, {SIZES['test']:,} test digits"
        )
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs),
        *(f"{s.name}: {s.reference}." for s in SOURCES.values()),
        "Each published number is one seed, placed among ours, not tested: it was known beforehand.",
    ]
    return frame


def comparable(runs: Runs) -> bool:
    """Whether the runs are of a published variant, on as many digits as those numbers."""
    return runs.sizes == SIZES and not runs.cell.overridden and runs.epoch == runs.epochs


def _floor(runs: Runs, split: Split, noise: pd.DataFrame | None) -> float | None:
    if noise is None or split != "test":
        return None
    mine = noise[
        (noise["variant_digest"] == runs.cell.variant_digest)
        & (noise["dataset_digest"] == runs.cell.dataset_digest)
    ]
    return max(0.0, float(mine["floor"].iloc[0])) if len(mine) else None


def _row(runs: Runs, split: Split, number: PublishedNumber, floor: float | None) -> dict[str, Any]:
    source = SOURCES[number.source]
    same = source.same_data.get(runs.cell.dataset, "no")
    m = runs.sizes[split]
    row = {
        "source": source.name,
        "variant": runs.cell.variant,
        "recipe": runs.cell.recipe,
        "dataset": runs.cell.dataset,
        "variant_digest": runs.cell.variant_digest,
        "dataset_digest": runs.cell.dataset_digest,
        "split": split,
        "misses_printed": number.misses_printed,
        "misses_exact": number.misses_exact,
        "err_pct": 100 * number.misses_exact / m,
        "same_data": same,
    }
    row |= placement_columns(runs, split, number.misses_exact, floor)
    row["verdict"] = verdict(row, same, source.descriptive)
    row["remark"] = number.remark
    return row


def placement_columns(runs: Runs, split: Split, y: float, floor: float | None = None) -> dict[str, Any]:
    """The columns n … p_newdata for y misses among the runs; what too few runs cannot say is NaN."""
    x, m = runs.misses(split), runs.sizes[split]
    p = st.place(x, y, m, len(runs.diverged), floor)
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


def verdict(row: dict[str, Any], same_data: str, descriptive: bool) -> str:
    """The placement in words."""
    n, diff = row["n"], row["diff"]
    if n == 1:
        return "one seed: the difference is all there is"
    if descriptive:
        return "described only: other digits and training"
    if math.isnan(row["p_model"]):
        return "all seeds agree, so does it" if diff == 0 else "all seeds agree on another number"
    if same_data != "yes":
        return f"{'within' if row['p_newdata'] >= st.ALPHA else 'outside'} what other digits may do"
    p = row["p_mid"] if n >= st.RANK_MINIMUM else row["p_model"]
    return f"{'ordinary' if p >= st.ALPHA else 'unusual'} for a seed"


def sources_beside(runs: Runs, split: Split) -> dict[str, Any]:
    """For the summary: misses of each source and, from 40 seeds on, their percentile among ours."""
    row: dict[str, Any] = {}
    for key in SOURCES:
        number = next(
            (p for p in PUBLISHED if (p.source, p.variant, p.split) == (key, runs.cell.parent, split)), None
        )
        shown = number is not None and comparable(runs)
        row[key] = float(number.misses_exact) if number and shown else math.nan
        x = runs.all_misses(split)
        enough = shown and runs.n and len(x) >= st.RANK_MINIMUM
        y = row[key]
        row[f"{key}_percentile"] = 100 * float(np.mean(x < y) + np.mean(x == y) / 2) if enough else math.nan
    return row
