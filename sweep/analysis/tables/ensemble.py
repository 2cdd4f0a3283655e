"""Table `ensemble`: misses of a plurality vote of k seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis.predictions import CLASSES, Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes
from sweep.analysis.tables.table import DATASET, VARIANT, Table

DRAWS = 200  # random ensembles of each size
SIZES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return ensemble(data.predictions)


def ensemble(predictions: Sequence[Predictions], *, draws: int = DRAWS) -> pd.DataFrame:
    """One row per (cell, ensemble size).

    Ensembles are drawn at random without replacement; the smallest of tied labels wins. Size 1 (every run)
    and the size of all seeds (one ensemble) are exact. The first 1,000 seeds are used.

    Args:
      predictions: of each cell.
      draws: ensembles of each other size.

    Returns:
      size, draws, mean, q05, q95, min, max (misses of the ensembles), err_pct, single (mean misses of one
      run).
    """
    rows = []
    for i, p in enumerate(predictions):
        rng = np.random.default_rng([1989, 5, i])
        for size in sorted({k for k in SIZES if k < len(p.first)} | {len(p.first)}):
            rows.append(p.cell.columns | _row(p, size, _misses(p, size, draws, rng)))
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *label_notes(predictions),
        "Plurality vote; the smallest of tied labels wins. Interval: 5 to 95 % of ensembles.",
    ]
    return frame


def _misses(p: Predictions, size: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Misses of every ensemble of a size: [number of ensembles]."""
    misses: np.ndarray
    if size == 1:
        misses = (p.first != p.truth).sum(axis=1)
        return misses
    n = len(p.first)
    contested = (p.first != p.first[0]).any(axis=0)  # every vote gives the others the same label
    certain = int((p.first[0] != p.truth)[~contested].sum())
    labels = p.first[:, contested]
    one_hot = np.stack([labels == label for label in range(CLASSES)]).astype(np.float32)  # [10, n, contested]
    members = np.zeros((1 if size == n else draws, n), np.float32)
    for row in members:
        row[rng.choice(n, size, replace=False)] = 1
    votes = np.stack([members @ label for label in one_hot])  # [10, ensembles, contested]
    misses = certain + (votes.argmax(axis=0) != p.truth[contested]).sum(axis=1)
    return misses


def _row(p: Predictions, size: int, misses: np.ndarray) -> dict[str, Any]:
    lo, hi = np.quantile(misses, [0.05, 0.95])
    return {
        "n": len(p.first),
        "size": size,
        "draws": len(misses),
        "mean": float(misses.mean()),
        "q05": float(lo),
        "q95": float(hi),
        "min": int(misses.min()),
        "max": int(misses.max()),
        "err_pct": 100 * float(misses.mean()) / len(p.truth),
        "single": float(p.misses.mean()),
    }


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("seeds voting", "{size}"),
        Column("mean misses", "{mean:.1f}"),
        Column("5–95 %", "{q05:.1f}–{q95:.1f}"),
        Column("error %", "{err_pct:.2f}"),
        Column("one seed", "{single:.1f}"),
    ),
)
