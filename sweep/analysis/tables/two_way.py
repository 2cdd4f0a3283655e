"""Table `two-way`: differences between variants with both seeds and test digits resampled."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.predictions import Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes, steps
from sweep.analysis.tables.table import DATASET, STEP, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return two_way(data.predictions)


def two_way(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per pair of consecutive variants: the uncertainty over seeds and over test sets together.

    Runs that share a seed are resampled together if at least half of the smaller variant's runs do, else each
    variant's seeds are resampled independently. The first 1,000 seeds are used.

    Returns:
      a, b, n_a, n_b, diff (b - a in misses), se_diff_total, total_lo, total_hi (percentile bootstrap).

    Raises:
      ValueError: fewer than two variants.
    """
    rows = []
    for i, (a, b) in enumerate(steps(predictions)):
        rng = np.random.default_rng([1989, 6, i])
        _, at_a, at_b = np.intersect1d(a.first_seeds, b.first_seeds, return_indices=True)
        if len(at_a) >= min(len(a.first), len(b.first)) / 2:
            differences = [b.wrong[at_b] - a.wrong[at_a]]
        else:
            differences = [b.wrong, -a.wrong]
        resampled = np.concatenate([_resampled(differences, size, rng) for size in _batches(st.RESAMPLES)])
        lo, hi = np.quantile(resampled, [st.ALPHA / 2, 1 - st.ALPHA / 2])
        rows.append(
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
                "n_a": len(a.first),
                "n_b": len(b.first),
                "diff": float(sum(d.sum() / len(d) for d in differences)),
                "se_diff_total": float(resampled.std(ddof=1)),
                "total_lo": float(lo),
                "total_hi": float(hi),
            }
        )
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = label_notes(predictions)
    return frame


def _resampled(differences: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """[size] total differences with seeds and digits drawn with replacement."""
    m = differences[0].shape[1]
    ever = np.any([(d != 0).any(axis=0) for d in differences], axis=0)  # other digits contribute nothing
    chances = np.append(np.full(ever.sum(), 1 / m), 1 - ever.sum() / m)
    weights = rng.multinomial(m, chances, size)[:, :-1].astype(np.float32)
    total = np.zeros(size)
    for d in (d[:, ever] for d in differences):
        drawn = rng.multinomial(len(d), np.full(len(d), 1 / len(d)), size).astype(np.float32)
        total += ((drawn @ d) * weights).sum(axis=1) / len(d)
    return total


def _batches(total: int) -> list[int]:
    return [min(st.BATCH, total - done) for done in range(0, total, st.BATCH)]


TABLE = Table(
    make,
    (
        *STEP,
        DATASET,
        Column("n", "{n_a}/{n_b}"),
        Column("b - a", "{diff:+.1f}"),
        Column("se", "{se_diff_total:.1f}"),
        Column("95 % CI", "{total_lo:+.1f} to {total_hi:+.1f}"),
    ),
)
