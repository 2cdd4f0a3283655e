"""Table `precision`: interval widths and minimum detectable effects by number of seeds."""

from collections.abc import Sequence

import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import DATASET, VARIANT, Table

SEEDS = (5, 10, 20, 50, 100, 200, 500, 1000, 5000)
CORRELATION, DELTA = 0.5, 3.0


def make(
    data: Selection,
    *,
    split: SplitName = "test",
    epoch: int | None = None,
    delta: float = DELTA,
    correlation: float = CORRELATION,
) -> pd.DataFrame:
    """The table of a selection."""
    return precision(
        data.runs(epoch), planned=data.planned, split=split, delta=delta, correlation=correlation
    )


def precision(
    runs: Sequence[Runs],
    *,
    planned: Planned | None = None,
    split: SplitName = "test",
    delta: float = DELTA,
    correlation: float = CORRELATION,
) -> pd.DataFrame:
    """One row per (cell, number of seeds): precision of the present number of seeds and of others.

    Args:
      runs: of each cell.
      planned: what the recorded sweeps request.
      split: whose misses.
      delta: true difference in misses, for `needed_unpaired` and `needed_paired`.
      correlation: over seeds, assumed for paired comparisons.

    Returns:
      n, s (sd over the present seeds), halfwidth (of the t interval of the mean), sd_lo_factor, sd_hi_factor
      (of the interval of the sd), mdd_unpaired, mdd_paired (minimum detectable effect at 80 % power and the 5
      % level), needed_unpaired, needed_paired (seeds of each variant to detect delta), extrapolated (whether n
      differs from the present number of seeds).

    Raises:
      ValueError: no cell has two runs that differ, or delta or the correlation is out of range.
    """
    if not delta > 0:
        raise ValueError(f"delta = {delta:g} is out of range: give a difference above 0, in misses")
    if not -1 < correlation < 1:
        raise ValueError(f"correlation = {correlation:g} is out of range: give a number between -1 and 1")
    rows = [row for r in runs for row in _rows(r, split, delta, correlation)]
    if not rows:
        raise ValueError("precision needs two runs that differ: train more seeds")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs, split),
        f"MDE: smallest true difference detected with 80 % power at the 5 % level. Paired: correlation "
        f"{correlation:g} assumed. Seeds needed: of each variant, to detect {delta:g} misses. Extrapolated rows "
        "take the present sd as exact.",
    ]
    return frame


def _rows(runs: Runs, split: SplitName, delta: float, correlation: float) -> list[dict[str, object]]:
    s = st.sd(runs.misses(split))
    if not s > 0:
        return []
    needed = st.seeds_needed(delta, s), st.seeds_needed(delta, s, correlation)
    return [
        {
            **runs.cell.columns,
            "split": split,
            "n": n,
            "s": s,
            "halfwidth": st.half_width(s, n),
            "sd_lo_factor": st.sd_factors(n).lo,
            "sd_hi_factor": st.sd_factors(n).hi,
            "mdd_unpaired": st.detectable_difference(s, n),
            "mdd_paired": st.detectable_difference(s, n, correlation),
            "needed_unpaired": needed[0],
            "needed_paired": needed[1],
            "extrapolated": n != runs.n,
        }
        for n in sorted({runs.n, *SEEDS})
    ]


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n}"),
        Column("sd", "{s:.2f}"),
        Column("mean ±", "{halfwidth:.2f}"),
        Column("sd CI factor", "{sd_lo_factor:.2f}–{sd_hi_factor:.2f}"),
        Column("MDE (80 % power), unpaired", "{mdd_unpaired:.2f}"),
        Column("MDE, paired", "{mdd_paired:.2f}"),
        Column("seeds needed, unpaired", "{needed_unpaired}"),
        Column("paired", "{needed_paired}"),
        Column("extrapolated", "{extrapolated}"),
    ),
)
