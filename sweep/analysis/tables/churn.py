"""Table `churn`: share of test digits whose label differs between runs."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sweep.analysis.predictions import Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import disagreement, label_notes
from sweep.analysis.tables.table import DATASET, STEP, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return churn(data.predictions)


def churn(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per cell, and per pair of cells with the same digits.

    Returns:
      a, b, n_a, n_b, churn_labels (share of digits labelled differently by a run of a and another of b),
      churn (share right in one and wrong in the other), same_seed (churn_labels of runs that share a seed,
      among the first 1,000; NaN within a cell), overlap (expected number of digits that both misclassify over
      the expected number that either does).

    Raises:
      ValueError: no cell has two runs and no two cells share digits.
    """
    rows = []
    for a, b in itertools.combinations_with_replacement(predictions, 2):
        if a.cell.dataset_digest != b.cell.dataset_digest or (a is b and a.n < 2):
            continue
        p, q = a.error_rates, b.error_rates
        both = (a.n * p * p - p) / (a.n - 1) if a is b else p * q  # probability that both are wrong
        either = (p + q - both).sum()
        rows.append(
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
                "n_a": a.n,
                "n_b": b.n,
                "churn_labels": disagreement(a, b),
                "churn": float((p + q - 2 * both).mean()),
                "same_seed": math.nan if a is b else _same_seed(a, b),
                "overlap": float(both.sum() / either) if either > 0 else math.nan,
            }
        )
    if not rows:
        raise ValueError("churn needs two runs on the same digits: train more seeds")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = label_notes(predictions)
    return frame


def _same_seed(a: Predictions, b: Predictions) -> float:
    _, at_a, at_b = np.intersect1d(a.first_seeds, b.first_seeds, return_indices=True)
    return float((a.first[at_a] != b.first[at_b]).mean()) if len(at_a) else math.nan


TABLE = Table(
    make,
    (
        *STEP,
        DATASET,
        Column("n", "{n_a}/{n_b}"),
        Column("labelled differently", "{churn_labels:.2%}"),
        Column("one right, one wrong", "{churn:.2%}"),
        Column("same seed", "{same_seed:.2%}"),
        Column("overlap of misses", "{overlap:.2f}"),
    ),
)
