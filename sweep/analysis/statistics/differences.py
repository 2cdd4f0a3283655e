"""Two samples: the difference between variants b and a."""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from sweep.analysis.statistics.power import detectable_effect, detectable_effect_paired
from sweep.analysis.statistics.sample import ALPHA, BATCH, LEVEL, NAN, RESAMPLES, Sample, sd

PERMUTATION_MAXIMUM = 20_000  # pairs above which the sign-flip test agrees with the t test and is expensive
VALUES_AT_ONCE = 500_000  # resampled differences held in memory


class Difference(NamedTuple):
    """The difference b - a in misses; NaN where a statistic is undefined."""

    diff: float
    ci_lo: float
    ci_hi: float
    sd_diff: float  # of the differences if paired, else √(s_a² + s_b²)
    r: float  # correlation over seeds, if paired
    p_t: float  # paired or Welch's t test
    p_perm: float  # sign flips, if paired
    p_rank: float  # Wilcoxon signed-rank (Pratt) if paired, else Mann-Whitney
    effect: float  # Cohen's d_z if paired, else Hedges' g
    p_equivalent: float  # two one-sided t tests against ± the margin
    detectable: float  # minimum detectable effect: 80 % power at the 5 % level


def paired_difference(a: Sample, b: Sample, margin: float, rng: np.random.Generator) -> Difference:
    """Paired comparison: runs a[i] and b[i] share a seed. a, b: [n], n ≥ 2.

    If all differences are equal there is no t statistic: p_t is 1 if they are zero and NaN otherwise.
    """
    from statsmodels.stats.weightstats import ttost_paired

    d = b - a
    diff, s, n = float(np.mean(d)), sd(d), len(d)
    detectable = s * detectable_effect_paired(n)
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
    """p value of the sign-flip test of the mean: exact where 2ⁿ ≤ 9,999, sampled above."""
    if len(d) > PERMUTATION_MAXIMUM:
        return NAN
    result = stats.permutation_test(
        (d,),
        np.mean,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        batch=max(1, min(BATCH, VALUES_AT_ONCE // len(d))),
        vectorized=True,
        rng=rng,
    )
    return float(result.pvalue)


def unpaired_difference(a: Sample, b: Sample, margin: float) -> Difference:
    """Unpaired comparison of independent runs. a: [n_a], b: [n_b], at least two each.

    Two constant samples have no t statistic: p_t is 1 if they are equal and NaN otherwise.
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
        detectable=pooled * detectable_effect(n_a, n_b / n_a),
    )


class Superiority(NamedTuple):
    """Probability that a run of b misses more digits than a run of a; ties count half."""

    probability: float
    lo: float  # Brunner-Munzel interval, clipped to [0, 1]; NaN if the samples do not overlap
    hi: float


def probability_above(a: Sample, b: Sample) -> Superiority:
    """P(b > a) + P(b = a)/2 over all pairs of runs; diverged runs are infinite."""
    from statsmodels.stats.nonparametric import rank_compare_2indep

    ranks = stats.rankdata(np.concatenate([b, a]))  # ranks, because infinities cannot be subtracted
    with np.errstate(all="ignore"):
        result = rank_compare_2indep(ranks[: len(b)], ranks[len(b) :])
        lo, hi = np.clip(result.conf_int(alpha=ALPHA), 0, 1)
    return Superiority(float(result.prob1), float(lo), float(hi))


def holm(p: Sample) -> Sample:
    """Holm-adjusted p values of a family; NaN stays NaN and is not counted. p: [k]."""
    # Own code: `multipletests` of statsmodels collects garbage, 40 ms a call.
    adjusted = np.full(len(p), NAN)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known])]
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted
