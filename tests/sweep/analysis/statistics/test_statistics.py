"""The oracle numbers, to the given digits, and the results where a statistic is undefined."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap
from statsmodels.stats.proportion import proportion_confint

from sweep.analysis import statistics as st
from sweep.analysis.statistics import sample
from tests.sweep.analysis.rows import X200, A, B, C

RNG = np.random.default_rng(1989)


@pytest.mark.parametrize(
    ("x", "mean", "sd", "median", "iqm", "mean_ci", "sd_ci", "quantiles", "median_ci", "binomial", "ratio",
     "floor"),
    [
        (A, 83.3, 5.926400, 83.0, 83.166667, (79.060509, 87.539491), (4.076387, 10.819297),
         (75.35, 79.5, 87.25, 91.65), (77, 90), 8.935472, 0.439893, 44.720433),
        (B, 87.0, 5.906682, 87.5, 86.833333, (82.774614, 91.225386), (4.062824, 10.783298),
         (78.9, 83.25, 89.75, 95.55), (80, 95), 9.122976, 0.419193, 48.339811),
        (C, 72.1, 4.280446, 71.5, 71.666667, (69.037953, 75.162047), (2.944242, 7.814427),
         (66.9, 69.25, 74.5, 78.65), (68, 77), 8.337257, 0.263592, 51.187638),
    ],
)  # fmt: skip
def test_one_sample(x, mean, sd, median, iqm, mean_ci, sd_ci, quantiles, median_ci, binomial, ratio, floor):
    assert np.mean(x) == pytest.approx(mean)
    assert st.sd(x) == pytest.approx(sd, abs=5e-7)
    assert np.median(x) == median
    assert st.interquartile_mean(x) == pytest.approx(iqm, abs=5e-7)
    assert st.mean_interval(x) == pytest.approx(mean_ci, abs=5e-7)
    assert st.sd_interval(x) == pytest.approx(sd_ci, abs=5e-7)
    assert st.quantiles(x, [0.05, 0.25, 0.75, 0.95]) == pytest.approx(quantiles)
    assert st.median_interval(x) == median_ci
    assert math.sqrt(st.binomial_variance(mean, 2007)) == pytest.approx(binomial, abs=5e-7)
    assert st.dispersion(x, 2007).ratio == pytest.approx(ratio, abs=5e-7)
    assert st.test_set_variance(mean, st.sd(x) ** 2, 2007) == pytest.approx(floor, abs=5e-7)


def test_interval_of_the_dispersion():
    assert st.dispersion(A, 2007)[1:] == pytest.approx((0.208121, 1.466098), abs=5e-7)


def test_interquartile_mean_of_many_seeds():
    assert np.mean(X200) == 83
    assert st.sd(X200) == pytest.approx(6.021736, abs=5e-7)
    assert (X200.min(), X200.max()) == (66, 100)
    assert st.interquartile_mean(X200) == 83
    assert st.mean_interval(X200) == pytest.approx((82.160339, 83.839661), abs=5e-7)


def test_bootstrap_of_the_interquartile_mean(monkeypatch):
    monkeypatch.setattr(sample, "BOOTSTRAP_MINIMUM", 2)  # the oracle sample is below what a table would show
    assert st.interquartile_mean_interval(A, RNG) == pytest.approx((79.17, 87.33), abs=0.5)
    percentile = bootstrap((A,), np.mean, method="percentile", rng=RNG).confidence_interval
    assert tuple(percentile) == pytest.approx((79.9, 86.7), abs=0.5)


def test_closed_form_agrees_with_the_bootstrap_where_it_takes_over(monkeypatch):
    x = np.rint(np.random.default_rng(1).normal(83, 6, st.BOOTSTRAP_MAXIMUM))
    resampled = st.interquartile_mean_interval(x, RNG)
    monkeypatch.setattr(sample, "BOOTSTRAP_MAXIMUM", len(x) - 1)
    closed = st.interquartile_mean_interval(x, RNG)
    assert closed == pytest.approx(resampled, abs=0.15)
    assert closed.hi - closed.lo == pytest.approx(resampled.hi - resampled.lo, rel=0.1)


# fmt: off
PAIRED = [
    (A, B, 3.7, .901449, .00159034, (1.820911, 5.579089), .0078125, .0078125, 1.408566),
    (B, C, -14.9, .650409, 2.47364e-6, (-18.124841, -11.675159), .001953125, .001953125, -3.305222),
    (A, C, -11.2, .817752, 2.92869e-6, (-13.673476, -8.726524), .001953125, .001953125, -3.239166),
]
UNPAIRED = [
    (A, B, .178998, (-1.858963, 9.258963), .225952, .598941),
    (B, C, 6.98084e-6, (-19.780202, -10.019798), 2.83615e-4, -2.766627),
    (A, C, 1.68019e-4, (-16.091553, -6.308447), 8.76798e-4, -2.075068),
]
ABOVE = [
    (A, B, .665, (.400071, .929929)),
    (B, C, .015, (0, .053976)),  # raw lower end -.023976
    (A, C, .055, (0, .150123)),  # raw lower end -.040123
]
# fmt: on


@pytest.mark.parametrize(("a", "b", "diff", "r", "p_t", "ci", "p_perm", "p_rank", "d_z"), PAIRED)
def test_paired(a, b, diff, r, p_t, ci, p_perm, p_rank, d_z):
    d = st.paired_difference(a, b, 5, RNG)
    assert d.diff == pytest.approx(diff)
    assert d.r == pytest.approx(r, abs=5e-7)
    assert d.p_t == pytest.approx(p_t, rel=5e-6)
    assert (d.ci_lo, d.ci_hi) == pytest.approx(ci, abs=5e-7)
    assert d.p_perm == p_perm
    assert d.p_rank == p_rank
    assert d.effect == pytest.approx(d_z, abs=5e-7)


@pytest.mark.parametrize(("a", "b", "p_t", "ci", "p_rank", "g"), UNPAIRED)
def test_unpaired(a, b, p_t, ci, p_rank, g):
    d = st.unpaired_difference(a, b, 5)
    assert d.p_t == pytest.approx(p_t, rel=5e-6)
    assert (d.ci_lo, d.ci_hi) == pytest.approx(ci, abs=5e-7)
    assert d.p_rank == pytest.approx(p_rank, rel=5e-6)
    assert d.effect == pytest.approx(g, abs=5e-7)


@pytest.mark.parametrize(("a", "b", "probability", "ci"), ABOVE)
def test_probability_above(a, b, probability, ci):
    p = st.probability_above(a, b)
    assert p.probability == pytest.approx(probability)
    assert (p.lo, p.hi) == pytest.approx(ci, abs=5e-7)


def test_equivalence():
    assert st.paired_difference(A, B, 5, RNG).p_equivalent == pytest.approx(0.0760095, abs=5e-8)
    assert st.unpaired_difference(A, B, 5).p_equivalent == pytest.approx(0.3145705, abs=5e-8)


def test_holm():
    assert st.holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    three = np.array([st.paired_difference(a, b, 5, RNG).p_t for a, b, *_ in PAIRED])
    assert st.holm(three) == pytest.approx([0.00159034, 7.42091e-6, 7.42091e-6], rel=5e-6)
    assert st.holm(np.array([0.01, math.nan])) == pytest.approx([0.01, math.nan], nan_ok=True)


def test_rates():
    assert st.rate_interval(82, 2007) == pytest.approx((0.0330374, 0.0504308), abs=5e-8)
    assert st.rate_interval(3, 64) == pytest.approx(proportion_confint(3, 64, method="wilson"))
    assert np.isnan(st.rate_interval(0, 0)).all()


# fmt: off
PLACED = [
    (X200, 82, (80, 13, 107), 43.25, .865672, .935323, .869047, .928243, (.331546, .536700)),
    (X200, 74, (11, 5, 184), 6.75, .139303, .169154, .138914, .417654, (.027772, .126665)),
    (X200, 102, (200, 0, 0), 100, .004975, .009950, .001965, .087072, (.981725, 1)),
    (A, 82, (4, 1, 5), 45, .909091, 1, .839555, .908636, (.121552, .812914)),
    (A, 102, (10, 0, 0), 100, .090909, .181818, .014880, .098786, (.691503, 1)),
]
# fmt: on


@pytest.mark.parametrize(("x", "y", "ranks", "percentile", "mid", "cons", "model", "new", "ci"), PLACED)
def test_placement(x, y, ranks, percentile, mid, cons, model, new, ci):
    p = st.place(x, y, 2007)
    assert p[:3] == ranks
    assert p.percentile == percentile
    assert p.p_mid == pytest.approx(mid, abs=5e-7)
    assert p.p_conservative == pytest.approx(cons, abs=5e-7)
    assert p.p_model == pytest.approx(model, abs=5e-7)
    assert p.p_new_data == pytest.approx(new, abs=5e-7)
    assert (p.percentile_lo / 100, p.percentile_hi / 100) == pytest.approx(ci, abs=5e-7)


def test_prediction_intervals():
    many, few = st.place(X200, 82, 2007), st.place(A, 82, 2007)
    assert (many.predicted_lo, many.predicted_hi) == pytest.approx((71.095749, 94.904252), abs=1e-6)
    assert (many.new_data_lo, many.new_data_hi) == pytest.approx((61.257687, 104.742313), abs=1e-6)
    assert (few.predicted_lo, few.predicted_hi) == pytest.approx((69.239197, 97.360803), abs=1e-6)


# fmt: off
PRECISION = [
    (5, 7.450, (.599, 2.874), 12.15, 10.09),
    (10, 4.292, (.688, 1.826), 7.95, 5.98),
    (50, 1.705, (.835, 1.246), 3.40, 2.43),
    (100, 1.191, (.878, 1.162), 2.39, 1.70),
    (1000, .372, (.958, 1.046), .75, .53),
    (5000, .166, (.981, 1.020), .34, .24),
]
# fmt: on


@pytest.mark.parametrize(("n", "half_width", "factors", "unpaired", "paired"), PRECISION)
def test_precision(n, half_width, factors, unpaired, paired):
    assert st.half_width(6, n) == pytest.approx(half_width, abs=5.1e-4)
    assert st.sd_factors(n) == pytest.approx(factors, abs=5.1e-4)
    assert st.detectable_difference(6, n) == pytest.approx(unpaired, abs=5.1e-3)
    assert st.detectable_difference(6, n, 0.5) == pytest.approx(paired, abs=5.1e-3)


def test_seeds_needed():
    assert [st.seeds_needed(d, 6) for d in (1, 2, 3, 6, 12)] == [567, 143, 64, 17, 6]
    assert [st.seeds_needed(d, 6, 0.5) for d in (1, 2, 3, 6, 12)] == [285, 73, 34, 10, 5]


# --- where a statistic is undefined ---


def test_one_run_has_no_spread_and_no_interval():
    x = np.array([80.0])
    assert math.isnan(st.sd(x))
    for interval in (st.mean_interval(x), st.sd_interval(x), st.interquartile_mean_interval(x, RNG)):
        assert np.isnan(interval).all()
    assert np.isnan(st.dispersion(x, 2007)).all()
    placed = st.place(x, 82, 2007)
    assert placed[:3] == (1, 0, 0)
    assert np.isnan([placed.p_model, placed.predicted_lo, placed.new_data_hi, placed.p_new_data]).all()


def test_runs_that_all_agree():
    x = np.full(30, 80.0)
    assert st.sd(x) == 0
    assert st.mean_interval(x) == st.interquartile_mean_interval(x, RNG) == (80, 80)
    assert st.sd_interval(x) == (0, 0)
    assert st.median_interval(x) == (80, 80)


def test_no_difference_at_all():
    d = st.paired_difference(A, A, 5, RNG)
    assert (d.diff, d.p_t, d.p_perm, d.p_rank) == (0, 1, 1, 1)
    constant = st.unpaired_difference(np.full(5, 80.0), np.full(5, 80.0), 5)
    assert (constant.diff, constant.p_t, constant.p_rank) == (0, 1, 1)


def test_constant_difference_shows_the_permutation_p_value():
    d = st.paired_difference(A, A + 2, 5, RNG)
    assert (d.diff, d.ci_lo, d.ci_hi) == (2, 2, 2)
    assert math.isnan(d.p_t)
    assert d.p_perm == 2 / 2**10
    apart = st.unpaired_difference(np.full(5, 80.0), np.full(5, 82.0), 5)
    assert math.isnan(apart.p_t)


def test_full_separation_has_no_interval():
    p = st.probability_above(C, C + 100)
    assert p.probability == 1
    assert np.isnan([p.lo, p.hi]).all()


def test_diverged_runs_rank_above_every_number():
    assert st.place(A, 200, 2007, diverged=3)[:3] == (10, 0, 3)
    with_infinity = st.probability_above(A, np.append(B, np.inf)).probability
    assert with_infinity == pytest.approx((0.665 * 100 + 10) / 110)


def test_the_decomposition_of_a_mean_has_no_negative_variance():
    assert st.test_set_variance(80, 200, 2007) == 0
    assert st.binomial_variance(0, 2007) == 0
    assert np.isnan(st.dispersion(np.zeros(4), 2007)).all()


@pytest.mark.parametrize("n", [5, 30])
def test_the_interval_of_the_mean_covers_at_its_nominal_rate(n):
    """Misses are counts: rounded normal samples, 2,000 of them (standard error 0.5 %)."""
    samples = np.rint(np.random.default_rng(n).normal(83.2, 6, (2000, n)))
    intervals = np.array([st.mean_interval(x) for x in samples])
    covered = np.mean((intervals[:, 0] <= 83.2) & (intervals[:, 1] >= 83.2))
    assert covered == pytest.approx(0.95, abs=0.015)
