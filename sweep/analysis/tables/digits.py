"""Table `digits`: error rate of every test digit over seeds, hardest first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sweep.analysis.predictions import Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return digits(data.predictions)


def digits(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per (test digit, cell), in descending order of the mean error rate over cells.

    Returns:
      index (position in the test split), true, n (seeds), wrong, rate, rate_lo, rate_hi (Wilson), modal_wrong
      (most common wrong label, the smallest of several; NA if never wrong), modal_share (of all seeds).
    """
    blocks = [_block(p) for p in predictions]
    frame = pd.concat(blocks, ignore_index=True)
    hardness = -frame.groupby(["dataset_digest", "index"])["rate"].transform("mean")
    order = np.lexsort((frame["index"], hardness))  # stable: cells keep their order
    frame = frame.iloc[order].reset_index(drop=True)
    frame.attrs["notes"] = label_notes(predictions)
    return frame


def _block(p: Predictions) -> pd.DataFrame:
    from statsmodels.stats.proportion import proportion_confint

    m = len(p.truth)
    wrong = p.wrong_votes
    others = p.votes.copy()
    others[p.truth, np.arange(m)] = -1
    modal = pd.array(others.argmax(axis=0), dtype="Int64")
    modal[wrong == 0] = pd.NA
    lo, hi = proportion_confint(wrong, p.n, method="wilson")
    return pd.DataFrame(
        {
            **p.cell.columns,
            "index": np.arange(m),
            "true": p.truth,
            "n": p.n,
            "wrong": wrong,
            "rate": wrong / p.n,
            "rate_lo": lo,
            "rate_hi": hi,
            "modal_wrong": modal,
            "modal_share": np.where(wrong > 0, others.max(axis=0) / p.n, 0.0),
        }
    )


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("digit", "{index}"),
        Column("true label", "{true}"),
        Column("wrong", "{wrong} of {n}"),
        Column("error rate", "{rate:.2f}"),
        Column("95 % CI", "{rate_lo:.2f}–{rate_hi:.2f}"),
        Column("most common wrong label", "{modal_wrong}"),
        Column("its share", "{modal_share:.0%}"),
    ),
    limit=40,
)
