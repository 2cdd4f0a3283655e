"""Table `noise`: the variance of the misses by source, from predicted labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.predictions import Predictions
from sweep.analysis.runs import CellId, rows_of
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import disagreement, label_notes
from sweep.analysis.tables.table import DATASET, VARIANT, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection, computed once."""
    return data.cached(_noise)


def _noise(data: Selection) -> pd.DataFrame:
    return noise_table(data.predictions)


@dataclass(frozen=True)
class VarianceParts:
    """Parts of the variance of the misses over seeds, all unbiased.

    With R seeds, p each digit's error rate over them, v = p(1-p) and s² the variance of the misses:

      independent  Σv·R/(R-1): errors that are independent from seed to seed
      between      (s² - independent)·m/(m-1): differences in quality between runs; an estimate that may be
                   negative if there are none
      floor        m·(variance of p - mean of v/(R-1)): variance over test sets of m digits; more seeds do not
                   reduce it
    """

    variance: float
    independent: float
    between: float
    floor: float


def split_variance(error_rates: np.ndarray, misses: np.ndarray) -> VarianceParts:
    """Split the variance. error_rates: [m], of each digit over R ≥ 2 runs; misses: [R]."""
    runs, m = len(misses), len(error_rates)
    v = error_rates * (1 - error_rates)
    variance = float(misses.var(ddof=1))
    independent = float(v.sum() * runs / (runs - 1))
    floor = float(m * (error_rates.var(ddof=1) - v.mean() / (runs - 1)))
    return VarianceParts(variance, independent, (variance - independent) * m / (m - 1), floor)


def noise_table(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per cell with at least two runs: the variance components and derived quantities.

    Returns:
      n, n_digits, mean, variance, sd, binom_sd, dispersion, indep_sd, sigma_dist_squared (between runs; may be
      negative), sigma_dist_lo, sigma_dist_hi (percentile bootstrap over seeds), floor, test_sampling_sd,
      se_seed, se_total, churn (share of digits that are right in one run and wrong in another, over pairs of
      runs), churn_labels (share with another label), jaccard (overlap of the misclassified digits of two
      runs), majority_wrong, always_wrong, never_wrong (counts of digits), remark. Bootstrap and jaccard use
      the first 1,000 seeds.

    Raises:
      ValueError: no cell has two runs.
    """
    found = [p for p in predictions if p.n > 1]
    if not found:
        raise ValueError("noise needs two runs of a variant: train more seeds")
    rows = [p.cell.columns | _row(p, np.random.default_rng([1989, 4, i])) for i, p in enumerate(found)]
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *label_notes(found),
        "Between runs: unbiased estimate of the variance that differences in quality between runs cause, with a "
        "bootstrap interval. A negative estimate means that runs differ by no more than independent errors do.",
    ]
    return frame


def row_of(noise: pd.DataFrame | None, cell: CellId) -> Mapping[str, Any] | None:
    """The row of a cell, or None."""
    if noise is None or (mine := rows_of(noise, cell)).empty:
        return None
    return {str(k): v for k, v in mine.iloc[0].items()}


def _row(p: Predictions, rng: np.random.Generator) -> dict[str, Any]:
    n, m = p.n, len(p.truth)
    parts = split_variance(p.error_rates, p.misses)
    mean = float(p.misses.mean())
    wrong = p.wrong
    lo, hi = between_interval(wrong, rng)
    binomial = st.binomial_variance(mean, m)
    return {
        "n": n,
        "n_digits": m,
        "mean": mean,
        "variance": parts.variance,
        "sd": math.sqrt(parts.variance),
        "binom_sd": math.sqrt(binomial),
        "dispersion": parts.variance / binomial if binomial > 0 else math.nan,
        "indep_sd": math.sqrt(parts.independent),
        "sigma_dist_squared": parts.between,
        "sigma_dist_lo": lo,
        "sigma_dist_hi": hi,
        "floor": parts.floor,
        "test_sampling_sd": math.sqrt(max(0.0, parts.floor)),
        "se_seed": math.sqrt(parts.variance / n),
        "se_total": math.sqrt(parts.variance / n + max(0.0, parts.floor)),
        "churn": 2 * parts.independent / m,
        "churn_labels": disagreement(p, p),
        "jaccard": _mean_overlap(wrong),
        "majority_wrong": int((p.error_rates > 0.5).sum()),
        "always_wrong": int((p.wrong_votes == n).sum()),
        "never_wrong": int((p.wrong_votes == 0).sum()),
        "remark": _remark(parts.between, lo),
    }


def _remark(between: float, lo: float) -> str:
    if between < 0:
        return "negative: no difference between runs found"
    return "interval includes 0" if lo <= 0 else "runs differ"


def between_interval(wrong: np.ndarray, rng: np.random.Generator) -> st.Interval:
    """Percentile bootstrap over seeds of the variance between runs. wrong: [R, m], 1 where a run is wrong."""
    runs, m = wrong.shape
    varying = wrong[:, (wrong.sum(axis=0) > 0) & (wrong.sum(axis=0) < runs)]
    misses = wrong.sum(axis=1, dtype=np.float64)
    if varying.shape[1] == 0:
        return st.Interval(0.0, 0.0)

    def between(chosen: np.ndarray, axis: int) -> np.ndarray:
        drawn = np.moveaxis(chosen, axis, -1)
        picks = drawn.reshape(-1, runs).astype(np.int64)
        weights = np.zeros((len(picks), runs), np.float32)
        np.add.at(weights, (np.arange(len(picks))[:, None], picks), 1.0)
        rates = (weights @ varying) / runs
        variance = misses[picks].var(axis=-1, ddof=1)
        independent = (rates * (1 - rates)).sum(axis=-1) * runs / (runs - 1)
        estimates: np.ndarray = (variance - independent) * m / (m - 1)
        return estimates.reshape(drawn.shape[:-1])

    result = stats.bootstrap(
        (np.arange(runs),),
        between,
        n_resamples=st.RESAMPLES,
        batch=st.BATCH,
        method="percentile",
        confidence_level=st.LEVEL,
        vectorized=True,
        rng=rng,
    )
    return st.Interval(*map(float, result.confidence_interval))


def _mean_overlap(wrong: np.ndarray) -> float:
    """Jaccard index of the misclassified digits of two runs, mean over pairs; 1 for two runs without misses."""
    shared = wrong @ wrong.T
    misses = wrong.sum(axis=1)
    union = misses[:, None] + misses[None, :] - shared
    overlap = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
    return float(overlap[np.triu_indices(len(wrong), 1)].mean())


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n}"),
        Column("mean", "{mean:.1f}"),
        Column("sd", "{sd:.1f}"),
        Column("binomial sd", "{binom_sd:.1f}"),
        Column("independent sd", "{indep_sd:.1f}"),
        Column(
            "variance between runs", "{sigma_dist_squared:.1f} ({sigma_dist_lo:.1f} to {sigma_dist_hi:.1f})"
        ),
        Column("remark", "{remark}"),
        Column("test-set sd", "{test_sampling_sd:.1f}"),
        Column("always wrong", "{always_wrong}"),
        Column("never wrong", "{never_wrong}"),
    ),
)
