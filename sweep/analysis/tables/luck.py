"""Table `luck`: gain of the best of k seeds, and the part of it that remains on other digits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from sweep.analysis.predictions import Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes
from sweep.analysis.tables.table import DATASET, VARIANT, Table

SIZES = (1, 3, 5, 10, 30)


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return luck(data.predictions)


def luck(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per (cell, k): the expected best of k seeds drawn without replacement, exactly.

    The test digits at even and at odd positions are two halves. The best of k seeds is chosen by its misses
    on one half and judged on the other; both directions are averaged. Seeds that tie are equally likely.

    Returns:
      k, n, mean (misses of one seed), best (expected misses of the best of k), gain (mean - best), half_gain
      (gain on the half that chooses), half_left (gain of the same seed on the other half), both in misses of
      the whole test set; left_share (half_left / half_gain).

    Raises:
      ValueError: no cell has three runs.
    """
    rows = [p.cell.columns | _row(p, k) for p in predictions if p.n >= 3 for k in SIZES if k <= p.n]
    if not rows:
        raise ValueError("luck needs three runs of a variant: train more seeds")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *label_notes(predictions),
        "Best of k: expected misses of the best of k seeds. Left: gain on the half of the test digits that did not "
        "choose the seed, in misses of the whole test set.",
    ]
    return frame


def chance_of_best(chooser: np.ndarray, k: int) -> np.ndarray:
    """[n] probability that each run is the best of k drawn without replacement. chooser: [n], less is better."""
    n = len(chooser)
    by_rank = special.comb(n - 1 - np.arange(n), k - 1) / special.comb(n, k)
    _, group, sizes = np.unique(chooser, return_inverse=True, return_counts=True)
    totals = np.add.reduceat(by_rank, np.cumsum([0, *sizes[:-1]]))
    chances: np.ndarray = (totals / sizes)[group]
    return chances


def _row(p: Predictions, k: int) -> dict[str, Any]:
    best = float(chance_of_best(p.misses, k) @ p.misses)
    mean = float(p.misses.mean())
    m = len(p.truth)
    gains: list[float] = []
    left: list[float] = []
    for chooses, judges in ((0, 1), (1, 0)):
        chances = chance_of_best(p.half_misses[:, chooses], k)
        for half, found in ((chooses, gains), (judges, left)):
            misses = p.half_misses[:, half]
            size = (m + 1 - half) // 2
            found.append(float(misses.mean() - chances @ misses) * m / size)
    half_gain, half_left = float(np.mean(gains)), float(np.mean(left))
    return {
        "k": k,
        "n": p.n,
        "mean": mean,
        "best": best,
        "gain": mean - best,
        "half_gain": half_gain,
        "half_left": half_left,
        "left_share": half_left / half_gain if half_gain > 0 else np.nan,
    }


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n}"),
        Column("k", "{k}"),
        Column("one seed", "{mean:.1f}"),
        Column("best of k", "{best:.1f}"),
        Column("gain", "{gain:.1f}"),
        Column("gain, chosen on half", "{half_gain:.1f}"),
        Column("left on other half", "{half_left:.1f}"),
        Column("share left", "{left_share:.0%}"),
    ),
)
