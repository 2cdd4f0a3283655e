"""Placement of one number among many runs. It is no test, because the number was known before the runs."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from sweep.analysis.statistics.sample import ALPHA, NAN, Sample, sd, test_set_variance

NORMAL_95 = 1.96


class Placement(NamedTuple):
    """Position of one number y among the misses of n seeds.

    L, T and G are the numbers of seeds below, equal to and above y.
    """

    below: int  # L
    equal: int  # T
    above: int  # G, diverged runs included
    percentile: float  # 100·(L + T/2)/n
    percentile_lo: float  # Clopper-Pearson in %: lower end from L, upper end from L + T
    percentile_hi: float
    p_mid: float  # 2·min(u, 1-u), u = (L + (T+1)/2)/(n+1)
    p_conservative: float  # min(1, 2·min(L+T+1, G+T+1)/(n+1))
    predicted_lo: float  # 95 % prediction interval for a new seed
    predicted_hi: float
    p_model: float  # y under that prediction: Student's t, mid-p over the integer
    new_data_lo: float  # 95 % prediction interval for a new seed and a new test set
    new_data_hi: float
    p_new_data: float


def place(x: Sample, y: float, m: int, diverged: int = 0, test_set: float | None = None) -> Placement:
    """Place y misses among the runs.

    Args:
      x: misses of the runs that did not diverge, at least one.
      y: the number to place, misses out of m.
      m: digits in the split.
      diverged: number of diverged runs; they rank above every number.
      test_set: test-set variance; None estimates it from the counts.
    """
    n = len(x) + diverged
    below, equal = int(np.sum(x < y)), int(np.sum(x == y))
    above = n - below - equal
    lower = stats.binomtest(below, n).proportion_ci(0.95, method="exact").low
    upper = stats.binomtest(below + equal, n).proportion_ci(0.95, method="exact").high
    u = (below + (equal + 1) / 2) / (n + 1)
    mean, s = float(np.mean(x)), sd(x)
    scale = s * math.sqrt(1 + 1 / len(x))
    if test_set is None:
        test_set = test_set_variance(mean, s**2, m)
    wide = math.sqrt(scale**2 + 2 * test_set) if s > 0 else NAN
    student = stats.t(len(x) - 1, mean, scale) if s > 0 else None
    half = student.ppf(1 - ALPHA / 2) - mean if student else NAN
    return Placement(
        below=below,
        equal=equal,
        above=above,
        percentile=100 * (below + equal / 2) / n,
        percentile_lo=100 * float(lower),
        percentile_hi=100 * float(upper),
        p_mid=2 * min(u, 1 - u),
        p_conservative=min(1.0, 2 * min(below + equal + 1, above + equal + 1) / (n + 1)),
        predicted_lo=mean - half,
        predicted_hi=mean + half,
        p_model=_mid_p(student, y) if student else NAN,
        new_data_lo=mean - NORMAL_95 * wide,
        new_data_hi=mean + NORMAL_95 * wide,
        p_new_data=_mid_p(stats.norm(mean, wide), y) if student else NAN,
    )


def _mid_p(distribution: "stats.rv_frozen", y: float) -> float:
    """Two-sided mid-p of an integer: half of the probability of y counts on each side."""
    u = (distribution.cdf(y - 0.5) + distribution.cdf(y + 0.5)) / 2
    return float(2 * min(u, 1 - u))
