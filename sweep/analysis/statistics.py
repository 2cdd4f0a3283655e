"""Numbers about misses of many seeds: plain arrays in, plain numbers out.

Every interval is at 95 %. What SciPy or statsmodels computes is left to them; statsmodels is imported where
it is needed, because loading it takes longer than most tables. By hand are only the placement of a
published number and the split of the variance, with their formulas beside them.

Coverage of intervals for the mean, simulated on normal samples: Student's t holds its 95 % from n = 3 on,
where the percentile bootstrap has 74 % (n = 5: 83 %, n = 30: 94 %). Hence t.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
RESAMPLES = 9999
BATCH = 500  # resamples held in memory at once
RANK_MINIMUM = 40  # seeds from which a rank among them supports a p value
BOOTSTRAP_MINIMUM = 20  # seeds below which a bootstrap interval is too short to show
BOOTSTRAP_MAXIMUM = 500  # seeds above which the closed form of the trimmed mean's interval is as good
PERMUTATION_MAXIMUM = 20_000  # pairs above which the sign-flip test repeats the t test at great cost
NORMAL_95 = 1.96

Sample = np.ndarray  # [n] float64, misses of n seeds, none of them diverged
NAN = math.nan


class Interval(NamedTuple):
    """A 95 % interval; both ends NaN when there is none."""

    lo: float
    hi: float


NO_INTERVAL = Interval(NAN, NAN)


# --- one sample ---


def sd(x: Sample) -> float:
    """Standard deviation, n - 1 in the denominator; NaN for one run."""
    return float(np.std(x, ddof=1)) if len(x) > 1 else NAN


def mean_interval(x: Sample) -> Interval:
    """Student's t interval of the mean; a point when all runs agree."""
    if len(x) < 2:
        return NO_INTERVAL
    mean, se = float(np.mean(x)), sd(x) / math.sqrt(len(x))
    return Interval(*stats.t.interval(LEVEL, len(x) - 1, mean, se)) if se > 0 else Interval(mean, mean)


def sd_factors(n: int) -> Interval:
    """What the standard deviation of n normal runs is multiplied with for its interval (chi-squared)."""
    lo, hi = np.sqrt((n - 1) / stats.chi2.ppf([1 - ALPHA / 2, ALPHA / 2], n - 1))
    return Interval(float(lo), float(hi))


def sd_interval(x: Sample) -> Interval:
    """Interval of the standard deviation."""
    if len(x) < 2:
        return NO_INTERVAL
    factors, s = sd_factors(len(x)), sd(x)
    return Interval(s * factors.lo, s * factors.hi)


def interquartile_mean(x: Sample) -> float:
    """Mean of the middle half (a quarter cut from each end)."""
    return float(stats.trim_mean(x, 0.25))


def interquartile_mean_interval(x: Sample, rng: np.random.Generator) -> Interval:
    """Percentile bootstrap, nothing below 20 runs; above 500 Tukey and McLaughlin's, which agrees there."""
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
    """Order-statistic interval of the median; an end that too few runs cannot give is NaN."""
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


# --- where the spread comes from, from counts alone ---


def binomial_variance(mean: float, m: int) -> float:
    """m·ē(1-ē): variance of the misses were they m independent draws at the mean error rate."""
    return mean * (1 - mean / m)


def test_set_floor(mean: float, variance: float, m: int) -> float:
    """Variance of the mean that no number of seeds removes, because the m test digits are a sample.

    max(0, m·ē(1-ē) - s²), an estimate from the miss counts; from predicted labels see `digits.decompose`.
    """
    return max(0.0, binomial_variance(mean, m) - variance)


class Dispersion(NamedTuple):
    """Variance over the binomial one; normally below 1, as hard digits are hard for every seed."""

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


# --- one number among many runs ---


class Placement(NamedTuple):
    """Where one number y lies among the misses of n seeds. Placements, not tests: y was known beforehand."""

    below: int  # L: seeds with fewer misses
    equal: int  # T
    above: int  # G: seeds with more misses, diverged ones among them
    percentile: float  # 100·(L + T/2)/n
    percentile_lo: float  # Clopper-Pearson, lower end from L, upper from L + T; in %
    percentile_hi: float
    p_mid: float  # 2·min(u, 1-u), u = (L + (T+1)/2)/(n+1)
    p_conservative: float  # min(1, 2·min(L+T+1, G+T+1)/(n+1))
    predicted_lo: float  # where one more seed on the same digits would fall
    predicted_hi: float
    p_model: float  # y against that, Student's t, mid-p over the integer
    new_data_lo: float  # where one more seed on other digits of the same kind would fall
    new_data_hi: float
    p_new_data: float


def place(x: Sample, y: float, m: int, diverged: int = 0, floor: float | None = None) -> Placement:
    """Place y misses among the runs.

    Args:
      x: misses of the runs that trained, at least one.
      y: the number to place, misses out of m.
      m: digits in the split.
      diverged: runs that diverged; they rank above every number.
      floor: test-set variance; None for `test_set_floor`.
    """
    n = len(x) + diverged
    below, equal = int(np.sum(x < y)), int(np.sum(x == y))
    above = n - below - equal
    lower = stats.binomtest(below, n).proportion_ci(LEVEL, method="exact").low
    upper = stats.binomtest(below + equal, n).proportion_ci(LEVEL, method="exact").high
    u = (below + (equal + 1) / 2) / (n + 1)
    mean, s = float(np.mean(x)), sd(x)
    scale = s * math.sqrt(1 + 1 / len(x))
    if floor is None:
        floor = test_set_floor(mean, s**2, m)
    wide = math.sqrt(scale**2 + 2 * floor) if s > 0 else NAN
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


def _mid_p(law: "stats.rv_frozen", y: float) -> float:
    """Two-sided mid-p of an integer under a continuous law: half the integer's own probability counts."""
    u = (law.cdf(y - 0.5) + law.cdf(y + 0.5)) / 2
    return float(2 * min(u, 1 - u))


# --- two samples ---


class Difference(NamedTuple):
    """How b differs from a, b - a in misses; NaN where a statistic is undefined."""

    diff: float
    ci_lo: float
    ci_hi: float
    sd_diff: float  # of the differences if paired, else √(s_a² + s_b²)
    r: float  # correlation over seeds, if paired
    p_t: float  # paired or Welch's t test
    p_perm: float  # sign flips, if paired
    p_rank: float  # Wilcoxon's signed ranks (Pratt), or Mann and Whitney's
    effect: float  # Cohen's d_z if paired, else Hedges' g
    p_equivalent: float  # two one-sided t tests against ± the margin
    detectable: float  # smallest true difference found with 80 % power at 5 %


def paired_difference(a: Sample, b: Sample, margin: float, rng: np.random.Generator) -> Difference:
    """Runs a[i] and b[i] share a seed. a, b: [n], n ≥ 2.

    Equal differences have no t statistic: then p is 1 if they are zero, and only the sign flips speak
    otherwise.
    """
    from statsmodels.stats.weightstats import ttost_paired

    d = b - a
    diff, s, n = float(np.mean(d)), sd(d), len(d)
    detectable = s * _detectable_paired(n)
    varies = np.ptp(a) > 0 and np.ptp(b) > 0
    r = float(np.corrcoef(a, b)[0, 1]) if varies and n > 2 else NAN
    p_perm = _sign_flip(d, rng)
    if s == 0:
        p = 1.0 if diff == 0 else NAN
        p_equivalent = 0.0 if abs(diff) < margin else 1.0
        p_rank = 1.0 if diff == 0 else float(stats.wilcoxon(d, zero_method="pratt").pvalue)
        return Difference(diff, diff, diff, 0.0, r, p, p_perm, p_rank, NAN, p_equivalent, 0.0)
    test = stats.ttest_rel(b, a)
    interval = test.confidence_interval(LEVEL)
    return Difference(
        diff=diff,
        ci_lo=float(interval.low),
        ci_hi=float(interval.high),
        sd_diff=s,
        r=r,
        p_t=float(test.pvalue),
        p_perm=p_perm,
        p_rank=float(stats.wilcoxon(d, zero_method="pratt").pvalue),
        effect=diff / s,
        p_equivalent=float(ttost_paired(b, a, -margin, margin)[0]),
        detectable=detectable,
    )


def _sign_flip(d: Sample, rng: np.random.Generator) -> float:
    if len(d) > PERMUTATION_MAXIMUM:
        return NAN
    result = stats.permutation_test(
        (d,),
        np.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=BATCH,
        vectorized=True,
        rng=rng,
    )
    return float(result.pvalue)


def unpaired_difference(a: Sample, b: Sample, margin: float) -> Difference:
    """Independent runs. a: [n_a], b: [n_b], at least two each.

    Two constant samples have no t statistic: then p is 1 if they are equal and NaN otherwise.
    """
    from statsmodels.stats.weightstats import ttost_ind

    diff = float(np.mean(b) - np.mean(a))
    n_a, n_b, s_a, s_b = len(a), len(b), sd(a), sd(b)
    p_rank = float(stats.mannwhitneyu(b, a).pvalue)
    if s_a == s_b == 0:
        p = 1.0 if diff == 0 else NAN
        p_equivalent = 0.0 if abs(diff) < margin else 1.0
        return Difference(diff, diff, diff, 0.0, NAN, p, NAN, p_rank, NAN, p_equivalent, 0.0)
    test = stats.ttest_ind(b, a, equal_var=False)
    interval = test.confidence_interval(LEVEL)
    pooled = math.sqrt(((n_a - 1) * s_a**2 + (n_b - 1) * s_b**2) / (n_a + n_b - 2))
    small_sample = 1 - 3 / (4 * (n_a + n_b) - 9)  # Hedges' correction
    return Difference(
        diff=diff,
        ci_lo=float(interval.low),
        ci_hi=float(interval.high),
        sd_diff=math.hypot(s_a, s_b),
        r=NAN,
        p_t=float(test.pvalue),
        p_perm=NAN,
        p_rank=p_rank,
        effect=diff / pooled * small_sample,
        p_equivalent=float(ttost_ind(b, a, -margin, margin, usevar="unequal")[0]),
        detectable=pooled * _detectable(n_a, n_b / n_a),
    )


class Improvement(NamedTuple):
    """Chance that a run of b misses more digits than a run of a, ties counted half."""

    probability: float
    lo: float  # Brunner and Munzel's interval, cut to [0, 1]; NaN when the samples do not overlap
    hi: float


def probability_above(a: Sample, b: Sample) -> Improvement:
    """P(b > a) + P(b = a)/2 over all pairs of runs. Infinity stands for diverged runs."""
    from statsmodels.stats.nonparametric import rank_compare_2indep

    ranks = stats.rankdata(np.concatenate([b, a]))  # only order counts, and infinities cannot be subtracted
    with np.errstate(all="ignore"):
        result = rank_compare_2indep(ranks[: len(b)], ranks[len(b) :])
        lo, hi = np.clip(result.conf_int(alpha=ALPHA), 0, 1)
    return Improvement(float(result.prob1), float(lo), float(hi))


def holm(p: Sample) -> Sample:
    """Holm's adjusted p values of a family; NaN stays NaN and does not count. p: [k]."""
    from statsmodels.stats.multitest import multipletests

    adjusted = np.full(len(p), NAN)
    known = ~np.isnan(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted


# --- how many seeds ---


def half_width(s: float, n: int) -> float:
    """Half the t interval of the mean of n runs with standard deviation s."""
    return float(stats.t.ppf(1 - ALPHA / 2, n - 1) * s / math.sqrt(n))


def detectable_difference(s: float, n: int, r: float | None = None) -> float:
    """Smallest true difference of two variants with n seeds each that is found with 80 % power at 5 %.

    Args:
      s: standard deviation of either variant's misses.
      n: seeds of each variant.
      r: correlation over seeds if paired; None for unpaired.
    """
    if r is None:
        return s * _detectable(n)
    return s * math.sqrt(2 * (1 - r)) * _detectable_paired(n)


@cache
def _detectable(n: int, ratio: float = 1.0) -> float:
    """In standard deviations."""
    from statsmodels.stats.power import TTestIndPower

    return float(TTestIndPower().solve_power(None, nobs1=n, ratio=ratio, alpha=ALPHA, power=POWER))


@cache
def _detectable_paired(n: int) -> float:
    """In standard deviations of the differences."""
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().solve_power(None, nobs=n, alpha=ALPHA, power=POWER))


def seeds_needed(delta: float, s: float, r: float | None = None) -> int:
    """Seeds of each variant that find a true difference of delta misses with 80 % power at 5 %."""
    from statsmodels.stats.power import TTestIndPower, TTestPower

    if r is None:
        return math.ceil(TTestIndPower().solve_power(delta / s, None, alpha=ALPHA, power=POWER))
    spread = s * math.sqrt(2 * (1 - r))
    return math.ceil(TTestPower().solve_power(delta / spread, None, alpha=ALPHA, power=POWER))
