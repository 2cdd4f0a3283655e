"""Table `rejection`: share of test digits to reject for 1 % error on the rest."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.published import PublishedNumber, published_numbers
from sweep.analysis.rejection import ALLOWED, Rejection
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(data: Selection, *, numbers: str | None = None) -> pd.DataFrame:
    """The table of a selection."""
    return rejection(data.rejections, published_numbers(numbers))


def rejection(cells: Sequence[Rejection], numbers: Iterable[PublishedNumber] | None = None) -> pd.DataFrame:
    """One row per cell with stored margins.

    Args:
      cells: rejection rates of the runs of each cell.
      numbers: published numbers; None for the known ones.

    Returns:
      n (runs with margins), mean, ci_lo, ci_hi, sd, best, worst (rejected test digits in %, over seeds), published
      (of the same variant, whatever its hyperparameters, with the same numbers of digits).

    Raises:
      ValueError: no run has margins.
    """
    given = [n for n in (published_numbers() if numbers is None else numbers) if n.rejection_pct is not None]
    rows = [_row(cell, given) for cell in cells if cell.n]
    if not rows:
        raise ValueError(
            "rejection needs the margins of the outputs, which these runs did not store: train them again in another "
            "root"
        )
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        f"Test digits rejected by ascending margin, in %, until at most {ALLOWED:.0%} of the others are wrong. "
        "Margin: largest output minus the second largest. Interval and sd over seeds.",
        *(
            f"{c.cell.variant}: {c.without} of {c.n + c.without} runs have no stored margins and are left out."
            for c in cells
            if c.without
        ),
        *(f"{n.source.name}: {n.source.reference}." for n in given),
    ]
    return frame


def _row(r: Rejection, numbers: Sequence[PublishedNumber]) -> dict[str, Any]:
    rejected = 100 * r.rates
    lo, hi = st.mean_interval(rejected)
    fitting = [n for n in numbers if (n.variant, n.n_train, n.n_test) == (r.cell.parent, r.n_train, r.n_test)]
    return {
        **r.cell.columns,
        "n": r.n,
        "mean": float(rejected.mean()),
        "ci_lo": lo,
        "ci_hi": hi,
        "sd": st.sd(rejected),
        "best": float(rejected.min()),
        "worst": float(rejected.max()),
        "published": "; ".join(f"{n.source.name} {n.rejection_pct:g}" for n in fitting),
    }


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n}"),
        Column("rejected %", "{mean:.2f}"),
        Column("95 % CI", "{ci_lo:.2f}–{ci_hi:.2f}"),
        Column("sd", "{sd:.2f}"),
        Column("best", "{best:.2f}"),
        Column("worst", "{worst:.2f}"),
        Column("published %", "{published}", "if_known"),
    ),
)
