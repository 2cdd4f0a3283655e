"""Predicted test labels of the runs of one cell, reduced while they are read.

Only votes, counts per run and the labels of the first 1,000 seeds are kept in memory. Diverged runs have no
predictions and are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.analysis.runs import CellId

CLASSES = 10
SEEDS_KEPT = 1000  # seeds whose labels are kept, for comparisons of pairs of runs and for resampling


@dataclass(frozen=True)
class Predictions:
    """Predictions of the runs of one cell for m test digits."""

    cell: CellId
    truth: np.ndarray  # [m] uint8, true labels
    seeds: np.ndarray  # [n] int64, ascending
    misses: np.ndarray  # [n] int64
    half_misses: np.ndarray  # [n, 2] int64, misses among the digits at even and at odd positions
    votes: np.ndarray  # [10, m] int64, runs that predict each label for each digit
    confusion: np.ndarray  # [10, 10] int64, over all runs: true label, predicted label
    confusion_squares: np.ndarray  # [10, 10] int64, sum over runs of the squared counts of one run
    class_misses: np.ndarray  # [n, 10] int64, misses by true label
    first: np.ndarray  # [min(n, 1000), m] uint8, labels predicted by the first seeds

    @property
    def n(self) -> int:
        """Number of runs."""
        return len(self.seeds)

    @property
    def first_seeds(self) -> np.ndarray:
        """[min(n, 1000)] int64, the seeds of `first`."""
        return self.seeds[: len(self.first)]

    @property
    def wrong(self) -> np.ndarray:
        """[min(n, 1000), m] float32, 1 where a run of `first` is wrong."""
        wrong: np.ndarray = self.first != self.truth
        return wrong.astype(np.float32)

    @property
    def wrong_votes(self) -> np.ndarray:
        """[m] int64, runs that misclassify each digit."""
        right: np.ndarray = self.votes[self.truth, np.arange(len(self.truth))]
        return self.n - right

    @property
    def error_rates(self) -> np.ndarray:
        """[m] float64, share of runs that misclassify each digit."""
        return self.wrong_votes / self.n


def reduce_predictions(
    cell: CellId, truth: np.ndarray, batches: Iterable[pd.DataFrame]
) -> Predictions | None:
    """Reduce the label rows of one cell; None if every run diverged.

    Args:
      cell: the cell.
      truth: [m] true labels of the test digits, 0 to 9.
      batches: frames with seed and predictions (bytes, one per digit; null if the run diverged), seeds
        ascending from batch to batch.

    Raises:
      ValueError: the number of labels differs from the number of digits.
    """
    truth = np.asarray(truth, np.uint8)
    total: Predictions | None = None
    for batch in batches:
        rows = batch[batch["predictions"].notna()].sort_values("seed")
        if len(rows):
            part = _reduce(cell, truth, rows)
            total = _merge(total, part) if total else part
    return total


def predicted_labels(cell: CellId, truth: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """Labels predicted by the runs of the rows, none of them null: [n, m] uint8.

    Raises:
      ValueError: the number of labels differs from the number of digits.
    """
    lengths = rows["predictions"].map(len)
    if (lengths != len(truth)).any():
        raise ValueError(
            f"{cell.variant}: predictions of {int(lengths.iloc[0])} test digits, but {cell.dataset} has {len(truth)}"
        )
    return np.frombuffer(b"".join(rows["predictions"]), np.uint8).reshape(len(rows), len(truth))


def _reduce(cell: CellId, truth: np.ndarray, rows: pd.DataFrame) -> Predictions:
    predicted = predicted_labels(cell, truth, rows)
    wrong = predicted != truth
    pairs = truth.astype(np.int64) * CLASSES + predicted
    runs = np.arange(len(rows))[:, None] * CLASSES**2
    confusion = np.bincount((runs + pairs).ravel(), minlength=len(rows) * CLASSES**2)
    confusion = confusion.reshape(len(rows), CLASSES, CLASSES)
    class_misses = confusion.sum(axis=2) - np.diagonal(confusion, axis1=1, axis2=2)
    return Predictions(
        cell=cell,
        truth=truth,
        seeds=rows["seed"].to_numpy(np.int64),
        misses=wrong.sum(axis=1),
        half_misses=np.stack([wrong[:, 0::2].sum(axis=1), wrong[:, 1::2].sum(axis=1)], axis=1),
        votes=np.stack([(predicted == label).sum(axis=0) for label in range(CLASSES)]),
        confusion=confusion.sum(axis=0),
        confusion_squares=(confusion**2).sum(axis=0),
        class_misses=class_misses,
        first=predicted[:SEEDS_KEPT],
    )


def _merge(a: Predictions, b: Predictions) -> Predictions:
    """The runs of both; seeds of b follow those of a."""
    return Predictions(
        cell=a.cell,
        truth=a.truth,
        seeds=np.concatenate([a.seeds, b.seeds]),
        misses=np.concatenate([a.misses, b.misses]),
        half_misses=np.concatenate([a.half_misses, b.half_misses]),
        votes=a.votes + b.votes,
        confusion=a.confusion + b.confusion,
        confusion_squares=a.confusion_squares + b.confusion_squares,
        class_misses=np.concatenate([a.class_misses, b.class_misses]),
        first=np.concatenate([a.first, b.first[: SEEDS_KEPT - len(a.first)]]),
    )
