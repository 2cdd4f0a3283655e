import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from sweep.analysis import reml
from sweep.analysis.components import balanced, decompose, mean_squares

TWO = np.array(
    [[82, 74, 90, 79], [85, 71, 88, 77], [91, 80, 95, 86], [78, 73, 84, 80], [88, 79, 93, 83]], float
)
THREE = np.array(
    [
        [[70, 74, 81], [68, 75, 80]],
        [[77, 79, 90], [74, 80, 86]],
        [[66, 73, 79], [69, 70, 77]],
        [[72, 78, 84], [71, 74, 85]],
    ],
    float,
)


def simulated(rng, shape, variances):
    """Values of a crossed design; variances by tuple of axes."""
    y = np.full(shape, 50.0)
    for axes, variance in variances.items():
        y = y + rng.normal(0, np.sqrt(variance), [n if i in axes else 1 for i, n in enumerate(shape)])
    return y


def as_rows(y, factors):
    rows = pd.DataFrame(list(np.ndindex(y.shape)), columns=list(factors))
    return rows.assign(misses=y.ravel())


def values(estimates):
    return {"".join(term): estimate.variance for term, estimate in estimates.items()}


def test_two_factors():
    squares = mean_squares(TWO, "ab")
    assert [s.value for s in squares.values()] == pytest.approx([61.05, 189.733333, 3.65])
    assert [s.df for s in squares.values()] == [4, 3, 12]
    result = balanced(TWO, "ab")
    assert result.mean == pytest.approx(82.8)
    assert values(result.components) == pytest.approx({"a": 14.35, "b": 37.216667, "ab": 3.65})
    assert result.share(("b",)) == pytest.approx(37.216667 / 55.216667)


def test_three_factors():
    squares = {"".join(term): square.value for term, square in mean_squares(THREE, "abc").items()}
    expected = {
        "a": 83.111111,
        "b": 8.166667,
        "c": 287.541667,
        "ab": 0.611111,
        "ac": 1.152778,
        "bc": 0.291667,
    }
    assert squares == pytest.approx(expected | {"abc": 4.236111}, abs=1e-6)
    result = balanced(THREE, "abc")
    assert result.mean == pytest.approx(76.333333)
    expected = {
        "a": 14.263889,
        "b": 0.958333,
        "c": 36.291667,
        "ab": -1.208333,
        "ac": -1.541667,
        "bc": -0.986111,
    }
    assert values(result.components) == pytest.approx(expected | {"abc": 4.236111}, abs=1e-6)


def test_negative_estimates_count_as_zero_in_the_shares():
    result = balanced(THREE, "abc")
    shares = {"".join(term): result.share(term) for term in result.components}
    assert shares["ab"] == shares["ac"] == shares["bc"] == 0
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["a"] == pytest.approx(14.263889 / (14.263889 + 0.958333 + 36.291667 + 4.236111))


@settings(max_examples=40, deadline=None)
@given(shape=st.lists(st.integers(2, 5), min_size=2, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_total_effects_and_total_are_plain_variances(shape, seed):
    """Total effect: the variance along one axis, averaged over the others. Total: that of independent runs."""
    y = np.random.default_rng(seed).normal(size=shape)
    factors = "abcd"[: len(shape)]
    result = balanced(y, factors)
    for axis, factor in enumerate(factors):
        assert result.total_effects[factor].variance == pytest.approx(y.var(axis=axis, ddof=1).mean())
    pairs = [
        (y[i] - y[j]) ** 2 / 2
        for i, j in itertools.product(np.ndindex(y.shape), repeat=2)
        if all(a != b for a, b in zip(i, j, strict=True))
    ]
    assert result.total.variance == pytest.approx(np.mean(pairs))
    for estimate in (*result.components.values(), *result.total_effects.values(), result.total):
        assert estimate.low <= estimate.variance <= estimate.high


VARIANCES = [
    {(0,): 1.0, (1,): 1.0, (0, 1): 1.0},
    {(0,): 0.0, (1,): 1.0, (0, 1): 1.0},
    {(0,): 4.0, (1,): 0.1, (0, 1): 1.0},
    {(0,): 0.1, (1,): 0.05, (0, 1): 1.0},
]


def coverage(shape, variances, repetitions, seed=0):
    """Share of simulated designs in which the interval of each component contains the true variance."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(2 ** len(shape) - 1)
    factors = "abcd"[: len(shape)]
    for _ in range(repetitions):
        components = balanced(simulated(rng, shape, variances), factors).components
        axes = [tuple(factors.index(f) for f in term) for term in components]
        truth = [variances.get(a, 0.0) for a in axes]
        hits += [e.low <= v <= e.high for e, v in zip(components.values(), truth, strict=True)]
    return hits / repetitions


def test_intervals_cover_95_percent_short():
    assert coverage((16, 16), VARIANCES[0], 800) == pytest.approx(0.95, abs=0.025)  # 3 standard errors: 0.023


@pytest.mark.slow
@pytest.mark.parametrize("variances", VARIANCES)
def test_intervals_cover_95_percent(variances):
    assert coverage((16, 16), variances, 5000) == pytest.approx(0.95, abs=0.02)


@pytest.mark.slow
def test_intervals_of_three_factors_cover_95_percent():
    variances = {(0,): 1.0, (1,): 0.5, (2,): 2.0, (0, 1): 0.3, (0, 1, 2): 1.0}
    assert coverage((8, 8, 8), variances, 2500) == pytest.approx(0.95, abs=0.025)


def test_few_levels_are_rough():
    result = balanced(THREE, "abc")
    assert result.rough(["a"])
    many = balanced(np.random.default_rng(0).normal(size=(6, 5)), "ab")
    assert not many.rough(["a"])
    assert many.rough(["b"])
    assert many.rough(["a", "b"])


def test_rows_in_any_order_give_the_same_decomposition():
    rows = as_rows(THREE, "abc").sample(frac=1, random_state=0)
    result = decompose(rows, list("abc"), "misses")
    assert result == balanced(THREE, list("abc"))
    assert result.method == "anova"


def test_missing_runs_use_reml():
    rows = as_rows(TWO, "ab").drop(index=[3, 8])
    result = decompose(rows, ["a", "b"], "misses")
    assert (result.method, result.n, result.rough(["a"])) == ("reml", 18, True)
    assert result.components["a",].variance == pytest.approx(14.35, rel=0.35)
    assert result.components["b",].variance == pytest.approx(37.2, rel=0.35)
    for estimate in (*result.components.values(), *result.total_effects.values(), result.total):
        assert 0 <= estimate.low <= estimate.variance <= estimate.high


def test_reml_intervals_of_small_components_are_bounded():
    """The 95 % limit of a component near 0 with many degrees of freedom is not far above its standard error."""
    y = simulated(np.random.default_rng(7), (10, 8), {(0,): 0.02, (1,): 4.0, (0, 1): 1.0})
    result = decompose(as_rows(y, "ab").drop(index=[5]), ["a", "b"], "misses")
    anova = balanced(y, "ab")
    for term in result.components:
        mine, other = result.components[term], anova.components[term]
        assert mine.high == pytest.approx(other.high, rel=0.35, abs=0.1)
        assert mine.low == pytest.approx(max(0.0, other.low), rel=0.35, abs=0.1)


def test_reml_equals_anova_in_a_balanced_design():
    fit = reml.fit(TWO.ravel(), [np.repeat(range(5), 4), np.tile(range(4), 5)])
    assert fit.variances == pytest.approx([14.35, 37.216667, 3.65], rel=1e-3)
    assert fit.mean == pytest.approx(82.8)


def test_reml_equals_statsmodels_in_an_unbalanced_design():
    rng = np.random.default_rng(3)
    rows = as_rows(simulated(rng, (12, 10), {(0,): 4.0, (1,): 9.0, (0, 1): 2.0}), "ab").sample(
        frac=0.8, random_state=1
    )
    groups = [rows["a"].to_numpy(), rows["b"].to_numpy()]
    ours = reml.fit(rows["misses"].to_numpy(), groups)
    designs = [np.eye(12)[groups[0]], np.eye(10)[groups[1]]]
    names = [[[str(i) for i in range(design.shape[1])]] for design in designs]
    model = MixedLM(
        rows["misses"].to_numpy(),
        np.ones((len(rows), 1)),
        groups=np.zeros(len(rows)),
        exog_vc=VCSpec(["a", "b"], names, [[design] for design in designs]),
    ).fit(reml=True)
    assert ours.log_likelihood == pytest.approx(model.llf, abs=1e-5)
    assert ours.variances == pytest.approx([*model.vcomp, model.scale], rel=0.01)
    assert ours.mean == pytest.approx(model.fe_params[0], rel=1e-4)


def test_constant_values_have_no_variance():
    rows = as_rows(np.full((6, 6), 7.0), "ab")
    assert set(values(decompose(rows, ["a", "b"], "misses").components).values()) == {0.0}
    without = decompose(rows.drop(index=0), ["a", "b"], "misses")
    assert set(values(without.components).values()) == {0.0}
    assert without.mean == 7


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (as_rows(TWO[:1], "ab"), "a has one level"),
        (pd.concat([as_rows(TWO, "ab")] * 2), "several runs have the same a, b"),
        (
            as_rows(TWO, "ab").query("a == b or a == 4"),
            "8 of 20 combinations of a, b: the design is not crossed",
        ),
    ],
)
def test_unsuitable_designs_are_rejected(rows, message):
    with pytest.raises(ValueError, match=message):
        decompose(rows, ["a", "b"], "misses")
