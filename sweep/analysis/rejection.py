"""Rejection of uncertain test digits by their margin, reduced to one number per run while the margins are read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.analysis.predictions import predicted_labels
from sweep.analysis.runs import CellId

ALLOWED = 0.01  # error among the accepted digits


@dataclass(frozen=True)
class Rejection:
    """Rejection rates of the runs of one cell. Diverged runs are left out."""

    cell: CellId
    n_train: int
    n_test: int
    rates: np.ndarray  # [n] float64, share of test digits to reject for an error of `ALLOWED` on the rest
    without: int  # further runs, whose margins are not stored

    @property
    def n(self) -> int:
        """Number of runs with margins."""
        return len(self.rates)


def rejection_rate(wrong: np.ndarray, margins: np.ndarray, allowed: float = ALLOWED) -> float:
    """Smallest share of digits to reject so that the error among the others is at most `allowed`.

    Digits are rejected by ascending margin; digits of equal margin are rejected together.

    Args:
      wrong: [m] bool.
      margins: [m], largest output minus the second largest.
      allowed: misses among the accepted digits, as a fraction of them.

    Returns:
      0 if no digit needs to be rejected; 1 if every one does.
    """
    order = np.argsort(-margins, kind="stable")
    descending = margins[order]
    accepted = np.arange(1, len(order) + 1)
    last_of_equals = np.append(descending[1:] != descending[:-1], True)
    fits = last_of_equals & (np.cumsum(wrong[order]) <= allowed * accepted)
    return 1 - float(accepted[fits].max(initial=0)) / len(order)


def reduce_rejection(
    cell: CellId, n_train: int, truth: np.ndarray, batches: Iterable[pd.DataFrame]
) -> Rejection:
    """Rejection rates of one cell.

    Args:
      cell: the cell.
      n_train: training digits.
      truth: [m] uint8, true labels of the test digits.
      batches: frames with predictions (bytes, null if the run diverged) and margins ([m] float16, null if not
        stored).

    Raises:
      ValueError: the number of labels differs from the number of digits.
    """
    rates: list[float] = []
    without = 0
    for batch in batches:
        rows = batch[batch["predictions"].notna()]
        stored = rows[rows["margins"].notna()]
        without += len(rows) - len(stored)
        wrong = predicted_labels(cell, truth, stored) != truth
        rates += map(rejection_rate, wrong, stored["margins"])
    return Rejection(cell, n_train, len(truth), np.array(rates), without)
