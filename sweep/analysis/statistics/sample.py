"""One sample: location, spread, and the ratio of the spread to binomial sampling."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
RESAMPLES = 9999
BATCH = 500  # resamples held in memory at once
RANK_MINIMUM = 40  # seeds below which a rank among them supports no p value
BOOTSTRAP_MINIMUM = 20  # seeds below which a bootstrap interval is too short to show
BOOTSTRAP_MAXIMUM = 500  # seeds above which the closed form of the trimmed mean's interval is as good
NAN = math.nan

Sample = np.ndarray  # [n] float64, misses of n seeds that did not diverge


class Interval(NamedTuple):
    """A 95 % interval; both ends are NaN where none exists."""

    lo: float
    hi: float


NO_INTERVAL = Interval(NAN, NAN)


def sd(x: Sample) -> float:
    """Standard deviation with n - 1 in the denominator; NaN for one run."""
    return float(np.std(x, ddof=1)) if len(x) > 1 else NAN


def mean_interval(x: Sample) -> Interval:
    """Student's t interval of the mean; a point if all runs agree."""
    if len(x) < 2:
        return NO_INTERVAL
    mean, se = float(np.mean(x)), sd(x) / math.sqrt(len(x))
    return Interval(*stats.t.interval(LEVEL, len(x) - 1, mean, se)) if se > 0 else Interval(mean, mean)


def sd_factors(n: int) -> Interval:
    """Factors that turn the standard deviation of n normal runs into its interval (chi-squared)."""
    lo, hi = np.sqrt((n - 1) / stats.chi2.ppf([1 - ALPHA / 2, ALPHA / 2], n - 1))
    return Interval(float(lo), float(hi))


def sd_interval(x: Sample) -> Interval:
    """Interval of the standard deviation."""
    if len(x) < 2:
        return NO_INTERVAL
    factors, s = sd_factors(len(x)), sd(x)
    return Interval(s * factors.lo, s * factors.hi)


def interquartile_mean(x: Sample) -> float:
    """Mean of the middle half: a quarter is trimmed from each end."""
    return float(stats.trim_mean(x, 0.25))


def interquartile_mean_interval(x: Sample, rng: np.random.Generator) -> Interval:
    """Interval of the interquartile mean.

    Below 20 runs there is none. Up to 500 runs it is a percentile bootstrap, above that Tukey and
    McLaughlin's closed form, which agrees there.
    """
    if len(x) < BOOTSTRAP_MINIMUM:
        return NO_INTERVAL
    if np.ptp(x) == 0:
        return Interval(float(x[0]), float(x[0]))
    if len(x) > BOOTSTRAP_MAXIMUM:
        return Interval(*map(float, stats.mstats.trimmed_mean_ci(x, limits=(0.25, 0.25), alpha=ALPHA)))
    result = stats.bootstrap(
        (x,),
        lambda sample, axis: stats.trim_mean(sample, 0.25, axis=axis),
        n_resamples=RESAMPLES,
        batch=BATCH,
        method="percentile",
        confidence_level=LEVEL,
        rng=rng,
    )
    return Interval(*map(float, result.confidence_interval))


def median_interval(x: Sample) -> Interval:
    """Order-statistic interval of the median; an end that needs more runs is NaN."""
    interval = stats.quantile_test(x, q=float(np.median(x)), p=0.5).confidence_interval(LEVEL)
    return Interval(float(interval.low), float(interval.high))


def quantiles(x: Sample, at: list[float]) -> list[float]:
    """Quantiles by linear interpolation."""
    return [float(q) for q in np.quantile(x, at)]


def rate_interval(successes: int, n: int) -> Interval:
    """Wilson's interval of a rate."""
    if n == 0:
        return NO_INTERVAL
    interval = stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(interval.low), float(interval.high))


def correlation_interval(r: float, n: int) -> Interval:
    """Fisher's interval of a correlation over n pairs."""
    if n < 4 or not abs(r) < 1:
        return NO_INTERVAL
    half = stats.norm.ppf(1 - ALPHA / 2) / math.sqrt(n - 3)
    return Interval(math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def binomial_variance(mean: float, m: int) -> float:
    """m·ē(1-ē): variance of the misses if they were m independent draws at the mean error rate ē."""
    return mean * (1 - mean / m)


def test_set_variance(mean: float, variance: float, m: int) -> float:
    """Variance of the mean that no number of seeds removes, because the m test digits are a sample.

    Estimated from miss counts alone as max(0, m·ē(1-ē) - s²). `tables.noise.split_variance` estimates it from
    predicted labels.
    """
    return max(0.0, binomial_variance(mean, m) - variance)


class Dispersion(NamedTuple):
    """Variance over the binomial variance; normally below 1, because hard digits are hard for every seed."""

    ratio: float
    lo: float
    hi: float


def dispersion(x: Sample, m: int) -> Dispersion:
    """s² / (m·ē(1-ē)) with the interval of s²."""
    binomial = binomial_variance(float(np.mean(x)), m)
    if len(x) < 2 or binomial <= 0:
        return Dispersion(NAN, NAN, NAN)
    interval = sd_interval(x)
    return Dispersion(sd(x) ** 2 / binomial, interval.lo**2 / binomial, interval.hi**2 / binomial)
