"""Power analysis: interval widths, minimum detectable effects, seeds needed."""

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cache

from scipy import stats

from sweep.analysis.statistics.sample import ALPHA, POWER


def half_width(s: float, n: int) -> float:
    """Half width of the t interval of the mean of n runs with standard deviation s."""
    return float(stats.t.ppf(1 - ALPHA / 2, n - 1) * s / math.sqrt(n))


def detectable_difference(s: float, n: int, r: float | None = None) -> float:
    """Minimum detectable effect (MDE): the true difference found with 80 % power at the 5 % level.

    Args:
      s: standard deviation of either variant's misses.
      n: seeds of each variant.
      r: correlation over seeds if paired; None for unpaired.
    """
    if r is None:
        return s * detectable_effect(n)
    return s * math.sqrt(2 * (1 - r)) * detectable_effect_paired(n)


@cache
def detectable_effect(n: int, ratio: float = 1.0) -> float:
    """MDE of n and ratio·n unpaired runs, in standard deviations of one run."""
    from statsmodels.stats.power import TTestIndPower

    return float(TTestIndPower().solve_power(None, nobs1=n, ratio=ratio, alpha=ALPHA, power=POWER))


@cache
def detectable_effect_paired(n: int) -> float:
    """MDE of n pairs, in standard deviations of their differences."""
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().solve_power(None, nobs=n, alpha=ALPHA, power=POWER))


def seeds_needed(delta: float, s: float, r: float | None = None) -> int:
    """Seeds of each variant that find a true difference of delta misses with 80 % power at the 5 % level."""
    from statsmodels.stats.power import TTestIndPower, TTestPower

    if r is None:
        return _smallest(lambda n: TTestIndPower().power(delta / s, n, ALPHA))
    spread = s * math.sqrt(2 * (1 - r))
    return _smallest(lambda n: TTestPower().power(delta / spread, n, ALPHA))


def seeds_for_half_width(goal: float, s: float) -> int:
    """Seeds with which the t interval of the mean has at most this half width, in the unit of s."""
    return _first(lambda n: half_width(s, n) <= goal)


def _smallest(power: Callable[[int], float]) -> int:
    """The smallest number from 2 at which an increasing power reaches `POWER`.

    statsmodels returns NaN where the power is 1 to rounding.
    """
    return _first(lambda n: not power(n) < POWER)


def _first(holds: Callable[[int], bool]) -> int:
    """The smallest number from 2 at which a condition holds, if it holds for every larger one."""
    high = 2
    while not holds(high):
        high *= 2
    return bisect_left(range(high + 1), True, lo=max(2, high // 2), key=holds)
