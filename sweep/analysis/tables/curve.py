"""Table `curve`: misses and loss after every epoch."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.history import LOSS, MISSES, History
from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(data: Selection, *, split: SplitName = "test", epoch: int | None = None) -> pd.DataFrame:
    """The table of a selection; an epoch leaves only its rows."""
    runs = data.runs(epoch)
    frame = curve(data.histories(MISSES[split], LOSS[split]), runs, planned=data.planned, split=split)
    if epoch is None:
        return frame
    notes = frame.attrs["notes"]
    frame = frame[frame["epoch"] == epoch].reset_index(drop=True)
    frame.attrs["notes"] = notes
    return frame


def curve(
    histories: Iterable[History],
    runs: Sequence[Runs],
    *,
    planned: Planned | None = None,
    split: SplitName = "test",
) -> pd.DataFrame:
    """One row per (cell, epoch), over the runs that have not diverged by that epoch.

    Args:
      histories: misses and loss of the split, of each cell.
      runs: the same cells, for the notes.
      planned: what the recorded sweeps request.
      split: whose misses and loss.

    Returns:
      n_ok, mean, ci_lo, ci_hi, q05 … q95, min, max of the misses; mean_loss, q05_loss, q50_loss, q95_loss. The
      quantiles are pointwise: a run inside the band at one epoch may be outside at the next.
    """
    frame = pd.concat([_block(h, split) for h in histories], ignore_index=True)
    frame = frame[frame["n_ok"] > 0].reset_index(drop=True)
    notes = [*provisional_note(planned, runs), *describe(runs, split), "Quantiles are pointwise."]
    frame.attrs["notes"] = notes
    return frame


def _block(h: History, split: SplitName) -> pd.DataFrame:
    misses, loss = h.misses(split).astype(np.float64), h.loss(split).astype(np.float64)
    n = (~np.isnan(misses)).sum(axis=0)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # epochs without a run, and single runs
        mean = np.nanmean(misses, axis=0)
        half = stats.t.ppf(1 - st.ALPHA / 2, np.maximum(n - 1, 1)) * np.nanstd(misses, axis=0, ddof=1)
        half = half / np.sqrt(n)
        q = np.nanquantile(misses, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
        q_loss = np.nanquantile(loss, [0.05, 0.5, 0.95], axis=0)
        lowest, highest = np.nanmin(misses, axis=0), np.nanmax(misses, axis=0)
        mean_loss = np.nanmean(loss, axis=0)
    return pd.DataFrame(
        {
            **h.cell.columns,
            "split": split,
            "epoch": np.arange(1, h.epochs + 1),
            "n_ok": n,
            "mean": mean,
            "ci_lo": mean - half,
            "ci_hi": mean + half,
            **dict(zip(("q05", "q25", "q50", "q75", "q95"), q, strict=True)),
            "min": lowest,
            "max": highest,
            "mean_loss": mean_loss,
            **dict(zip(("q05_loss", "q50_loss", "q95_loss"), q_loss, strict=True)),
        }
    )


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("epoch", "{epoch}"),
        Column("n", "{n_ok}"),
        Column("mean", "{mean:.1f}"),
        Column("95 % CI", "{ci_lo:.1f}–{ci_hi:.1f}"),
        Column("5 %", "{q05:.1f}"),
        Column("median", "{q50:.1f}"),
        Column("95 %", "{q95:.1f}"),
        Column("min", "{min:.0f}"),
        Column("max", "{max:.0f}"),
        Column("loss", "{mean_loss:.4g}"),
    ),
)
