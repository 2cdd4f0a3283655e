"""Table `early`: correlation of the misses at an early epoch with the final misses."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.history import MISSES, History
from sweep.analysis.names import SplitName
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import DATASET, VARIANT, Table

GROUP = 16  # seeds of which half are stopped
DRAWS = 1000  # random groups
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)  # of the epochs


def make(data: Selection, *, split: SplitName = "test", full: bool = True) -> pd.DataFrame:
    """The table of a selection; all epochs if `full`, else those of `SHARES`."""
    return early(data.histories(MISSES[split]), split=split, every_epoch=full)


def early(
    histories: Iterable[History], *, split: SplitName = "test", every_epoch: bool = True
) -> pd.DataFrame:
    """One row per (cell, epoch before the last), over runs that did not diverge.

    Args:
      histories: misses of the split, of each cell.
      split: whose misses.
      every_epoch: all epochs; otherwise a few, at fixed shares of the training.

    Returns:
      r (correlation over seeds of the misses at the epoch with the last), r_lo, r_hi (Fisher), regret (mean
      over random groups of 16 seeds, or of all if fewer, of the last misses of the best seed among the better
      half at the epoch, less those of the best seed of the group), regret_hi (its 95 % quantile), group.

    Raises:
      ValueError: no cell has four runs that differ and two epochs.
    """
    rows = [row for i, h in enumerate(histories) for row in _rows(h, split, every_epoch, i)]
    if not rows:
        raise ValueError("early needs four runs of a variant and two epochs: train more seeds")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        f"r: correlation over seeds of the {split} misses at the epoch with those at the end. Regret: misses lost by "
        "stopping all but the better half of a group of seeds at the epoch and taking the best at the end.",
    ]
    return frame


def _rows(h: History, split: SplitName, every_epoch: bool, number: int) -> list[dict[str, Any]]:
    misses = h.misses(split)[h.finished].astype(np.float64)
    n, epochs = misses.shape
    if n < 4 or epochs < 2 or np.ptp(misses[:, -1]) == 0:
        return []
    last = misses[:, -1]
    rng = np.random.default_rng([1989, 7, number])
    size = min(GROUP, n)
    groups = np.stack([rng.permutation(n)[:size] for _ in range(DRAWS)])
    some = {max(1, round(share * epochs)) for share in SHARES} - {epochs}
    rows = []
    for epoch in range(1, epochs) if every_epoch else sorted(some):
        at = misses[:, epoch - 1]
        r = float(np.corrcoef(at, last)[0, 1]) if np.ptp(at) > 0 else np.nan
        lo, hi = st.correlation_interval(r, n)
        regret = _regret(at, last, groups)
        rows.append(
            {
                **h.cell.columns,
                "split": split,
                "n": n,
                "epoch": epoch,
                "epochs": epochs,
                "r": r,
                "r_lo": lo,
                "r_hi": hi,
                "regret": float(regret.mean()),
                "regret_hi": float(np.quantile(regret, 0.95)),
                "group": size,
            }
        )
    return rows


def _regret(at: np.ndarray, last: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """[draws] regret of each group; ties go to the seed drawn first. groups: [draws, size] indices."""
    better = np.argsort(at[groups], axis=1, kind="stable")[:, : groups.shape[1] // 2]
    kept = np.take_along_axis(groups, better, axis=1)
    regret: np.ndarray = last[kept].min(axis=1) - last[groups].min(axis=1)
    return regret


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n}"),
        Column("epoch", "{epoch} of {epochs}"),
        Column("r with the last", "{r:.2f}"),
        Column("95 % CI", "{r_lo:.2f} to {r_hi:.2f}"),
        Column("regret", "{regret:.2f}"),
        Column("regret, 95 %", "{regret_hi:.1f}"),
        Column("of seeds", "{group}"),
    ),
)
