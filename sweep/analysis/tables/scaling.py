"""Table `scaling`: misses against the number of training digits, with a fitted power law."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.published import PublishedNumber, numbers_for, published_numbers
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import VARIANT, Table


def make(
    data: Selection, *, split: SplitName = "test", epoch: int | None = None, numbers: str | None = None
) -> pd.DataFrame:
    """The table of a selection."""
    return scaling(data.runs(epoch), planned=data.planned, split=split, numbers=published_numbers(numbers))


@dataclass(frozen=True)
class PowerLaw:
    """error % = at_1000 · (n_train / 1000)^-exponent."""

    exponent: float
    exponent_interval: st.Interval  # NaN for two sizes
    at_1000: float  # error in % at 1,000 training digits

    def __call__(self, n_train: float) -> float:
        """Fitted error in %."""
        return float(self.at_1000 * (n_train / 1000) ** -self.exponent)


def scaling(
    runs: Sequence[Runs],
    *,
    planned: Planned | None = None,
    split: SplitName = "test",
    numbers: Iterable[PublishedNumber] | None = None,
) -> pd.DataFrame:
    """One row per (variant, number of training digits), for variants with at least two of them.

    Args:
      runs: of each cell.
      planned: what the recorded sweeps request.
      split: whose misses.
      numbers: published numbers; None for the known ones.

    Returns:
      digits (the data set without its size), n_train, n, mean, ci_lo, ci_hi, sd (misses), err_pct, exponent,
      exponent_lo, exponent_hi and fit_pct (the power law of `fit_power_law` over the variant's sizes), published
      (numbers that fit the row, as text).

    Raises:
      ValueError: no variant was trained on two numbers of training digits.
    """
    known = list(published_numbers() if numbers is None else numbers)
    rows = []
    for group in size_groups(runs, split):
        law = fit_power_law(group, split)
        rows += [_row(r, split, law, known) for r in group]
    if not rows:
        raise ValueError("scaling needs a variant with runs on two numbers of training digits (n_train)")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs, split),
        "Fit: error proportional to n_train^-b, weighted least squares of the logarithms; interval of b over sizes.",
    ]
    return frame


def size_groups(runs: Sequence[Runs], split: SplitName) -> list[list[Runs]]:
    """Runs of one variant that differ only in the number of training digits, which ascends; at least two of them."""
    groups: dict[tuple[str, str, int], list[Runs]] = {}
    for r in runs:
        if r.n and r.misses(split).mean() > 0:
            groups.setdefault((r.cell.variant, _digits(r), r.sizes["test"]), []).append(r)
    ordered = [sorted(group, key=lambda r: r.sizes["train"]) for group in groups.values()]
    return [group for group in ordered if len({r.sizes["train"] for r in group}) > 1]


def fit_power_law(group: Sequence[Runs], split: SplitName) -> PowerLaw:
    """Weighted least squares of log error on log n_train; weights from the standard errors of the means.

    The interval of the exponent is Student's t with the scatter around the line, so it includes the misfit of
    the power law.
    """
    sizes = np.array([r.sizes["train"] for r in group], float)
    errors = np.array([100 * r.misses(split).mean() / r.sizes[split] for r in group])
    relative = np.array([_relative_error(r, split) for r in group])
    x, y, weights = np.log(sizes / 1000), np.log(errors), 1 / relative**2
    centre = np.average(x, weights=weights)
    spread = float(weights @ (x - centre) ** 2)
    slope = float(weights @ ((x - centre) * y)) / spread
    intercept = float(np.average(y, weights=weights)) - slope * centre
    interval = st.NO_INTERVAL
    if len(group) > 2:
        residual = y - intercept - slope * x
        scatter = float(weights @ residual**2) / (len(group) - 2)
        half = float(stats.t.ppf(1 - st.ALPHA / 2, len(group) - 2)) * np.sqrt(scatter / spread)
        interval = st.Interval(-slope - half, -slope + half)
    return PowerLaw(-slope, interval, float(np.exp(intercept)))


def _relative_error(runs: Runs, split: SplitName) -> float:
    """Standard error of the mean over the mean; of one run, that of a Poisson count."""
    x = runs.misses(split)
    poisson = np.sqrt(x.mean() / len(x)) / x.mean()
    spread = st.sd(x) / np.sqrt(len(x)) / x.mean() if len(x) > 1 else 0.0
    return float(spread if spread > 0 else poisson)


def _digits(runs: Runs) -> str:
    """Name of the data set without the number of training digits."""
    return ",".join(part for part in runs.cell.dataset.split(",") if not part.startswith("n_train="))


def _row(runs: Runs, split: SplitName, law: PowerLaw, numbers: Iterable[PublishedNumber]) -> dict[str, Any]:
    x = runs.misses(split)
    lo, hi = st.mean_interval(x)
    fitting = numbers_for(runs, split, numbers)
    return {
        **runs.cell.columns,
        "digits": _digits(runs),
        "split": split,
        "n_train": runs.sizes["train"],
        "n": runs.n,
        "mean": float(x.mean()),
        "ci_lo": lo,
        "ci_hi": hi,
        "sd": st.sd(x),
        "err_pct": 100 * float(x.mean()) / runs.sizes[split],
        "exponent": law.exponent,
        "exponent_lo": law.exponent_interval.lo,
        "exponent_hi": law.exponent_interval.hi,
        "fit_pct": law(runs.sizes["train"]),
        "published": "; ".join(f"{n.source.name} {n.misses}" for n in fitting),
    }


TABLE = Table(
    make,
    (
        VARIANT,
        Column("data set", "{digits}", "if_mixed"),
        Column("training digits", "{n_train}"),
        Column("n", "{n}"),
        Column("mean", "{mean:.1f}"),
        Column("95 % CI", "{ci_lo:.1f}–{ci_hi:.1f}"),
        Column("sd", "{sd:.1f}"),
        Column("error %", "{err_pct:.2f}"),
        Column("fit %", "{fit_pct:.2f}"),
        Column("exponent", "{exponent:.2f}[ ({exponent_lo:.2f}–{exponent_hi:.2f})]"),
        Column("published", "{published}", "if_known"),
    ),
)
