"""Table `tooling`: the same seeds trained with two engines, devices or versions, in two roots."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(
    data: Selection, *, against: str | None = None, split: SplitName = "test", epoch: int | None = None
) -> pd.DataFrame:
    """The table of a selection against the same selection of another root."""
    if against is None:
        raise ValueError(
            "tooling compares two roots: give the second, trained with another engine or device, with --against"
        )
    return tooling(data.runs(epoch), data.of_root(against).runs(epoch), split=split)


def tooling(runs: Sequence[Runs], others: Sequence[Runs], *, split: SplitName = "test") -> pd.DataFrame:
    """One row per cell of both roots: effect of the tools on the misses of a seed, and the sd over seeds.

    Args:
      runs: of the first root.
      others: of the second root.
      split: whose misses.

    Returns:
      tool_a, tool_b (engine and device), n (seeds in both), identical (share of seeds with equal misses),
      diff (mean of b - a), ci_lo, ci_hi (paired t interval), sd_tool (sd of the differences over √2: the
      contribution of the tool to a run), sd_seed (sd over seeds), share (sd_tool² / sd_seed²), r (correlation over
      seeds).

    Raises:
      ValueError: no cell has two common seeds.
    """
    by_key = {r.cell.key: r for r in others}
    found = [(r, by_key[r.cell.key]) for r in runs if r.cell.key in by_key]
    rows = [row for a, b in found if (row := _row(a, b, split))]
    if not rows:
        raise ValueError("the two roots have no variant with two common seeds")
    frame = pd.DataFrame(rows)
    kept = list(itertools.chain(*found))
    frame.attrs["notes"] = [
        *describe(kept, split),
        "Misses of b less misses of a, for the same seeds. Tools with bit-identical results have no differences.",
    ]
    return frame


def _row(a: Runs, b: Runs, split: SplitName) -> dict[str, Any] | None:
    seeds, at_a, at_b = np.intersect1d(a.seeds, b.seeds, return_indices=True)
    if len(seeds) < 2:
        return None
    x, y = a.misses(split)[at_a], b.misses(split)[at_b]
    d = y - x
    lo, hi = st.mean_interval(d)
    seed_sd = float(np.sqrt((np.var(x, ddof=1) + np.var(y, ddof=1)) / 2))
    tool_sd = st.sd(d) / np.sqrt(2)
    varies = np.ptp(x) > 0 and np.ptp(y) > 0
    return {
        **a.cell.columns,
        "split": split,
        "tool_a": f"{a.engine}, {a.device}",
        "tool_b": f"{b.engine}, {b.device}",
        "code_a": a.code,
        "code_b": b.code,
        "n": len(seeds),
        "identical": float(np.mean(d == 0)),
        "diff": float(d.mean()),
        "ci_lo": lo,
        "ci_hi": hi,
        "sd_tool": float(tool_sd),
        "sd_seed": seed_sd,
        "share": float((tool_sd / seed_sd) ** 2) if seed_sd > 0 else np.nan,
        "r": float(np.corrcoef(x, y)[0, 1]) if varies else np.nan,
    }


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("a", "{tool_a}"),
        Column("b", "{tool_b}"),
        Column("n", "{n}"),
        Column("identical", "{identical:.0%}"),
        Column("b - a", "{diff:+.2f}"),
        Column("95 % CI", "{ci_lo:+.2f} to {ci_hi:+.2f}"),
        Column("sd of the tool", "{sd_tool:.2f}"),
        Column("sd of the seed", "{sd_seed:.2f}"),
        Column("r", "{r:.2f}"),
    ),
)
