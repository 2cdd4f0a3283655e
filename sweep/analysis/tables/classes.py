"""Table `classes`: error by true label, with its variation over seeds, and the confusion matrix."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.predictions import CLASSES, Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return classes(data.predictions)


def classes(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per (cell, true label).

    Returns:
      true, digits (test digits with that label), n (seeds), mean, ci_lo, ci_hi, sd (misses among them over
      seeds), err_pct, confused_with (most common wrong label; NA if never wrong), confused (mean count a
      run), confused_lo, confused_hi (t interval); to_0 … to_9 (mean count of each predicted label a run) and
      their intervals to_0_lo, to_0_hi ….
    """
    rows = [p.cell.columns | _row(p, label) for p in predictions for label in range(CLASSES)]
    frame = pd.DataFrame([row for row in rows if row["digits"] > 0])
    frame["confused_with"] = frame["confused_with"].astype("Int64")
    frame.attrs["notes"] = [
        *label_notes(predictions),
        "Misses among the digits of each true label, a run; intervals over seeds.",
    ]
    return frame


def _row(p: Predictions, label: int) -> dict[str, Any]:
    misses = p.class_misses[:, label].astype(np.float64)
    digits = int((p.truth == label).sum())
    mean, half = _means(p)
    wrong = np.where(np.arange(CLASSES) == label, -1.0, mean[label])
    worst = int(wrong.argmax()) if misses.any() else None
    row: dict[str, Any] = {
        "true": label,
        "digits": digits,
        "n": p.n,
        "mean": float(misses.mean()),
        **dict(zip(("ci_lo", "ci_hi"), st.mean_interval(misses), strict=True)),
        "sd": st.sd(misses),
        "err_pct": 100 * float(misses.mean()) / digits if digits else math.nan,
        "confused_with": pd.NA if worst is None else worst,
        "confused": math.nan if worst is None else mean[label, worst],
        "confused_lo": math.nan if worst is None else mean[label, worst] - half[label, worst],
        "confused_hi": math.nan if worst is None else mean[label, worst] + half[label, worst],
    }
    for other in range(CLASSES):
        row[f"to_{other}"] = mean[label, other]
        row[f"to_{other}_lo"] = mean[label, other] - half[label, other]
        row[f"to_{other}_hi"] = mean[label, other] + half[label, other]
    return row


def _means(p: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each count of the confusion matrix over runs and half its t interval: two [10, 10] arrays."""
    mean = p.confusion / p.n
    if p.n < 2:
        return mean, np.full_like(mean, np.nan)
    variance = np.maximum(p.confusion_squares - p.n * mean**2, 0) / (p.n - 1)
    return mean, stats.t.ppf(1 - st.ALPHA / 2, p.n - 1) * np.sqrt(variance / p.n)


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("true label", "{true}"),
        Column("digits", "{digits}"),
        Column("misses", "{mean:.2f}"),
        Column("95 % CI", "{ci_lo:.2f}–{ci_hi:.2f}"),
        Column("sd", "{sd:.2f}"),
        Column("error %", "{err_pct:.2f}"),
        Column("most common wrong label", "{confused_with}"),
        Column("its count", "{confused:.2f} ({confused_lo:.2f}–{confused_hi:.2f})"),
    ),
)
