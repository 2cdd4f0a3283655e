"""Tables `luck`, `early`, `classes`, `tooling` and `scaling`."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from scipy import stats
from statsmodels.regression.linear_model import WLS

from sweep.analysis import statistics as st
from sweep.analysis.history import History
from sweep.analysis.tables.classes import classes
from sweep.analysis.tables.early import early
from sweep.analysis.tables.luck import chance_of_best, luck
from sweep.analysis.tables.scaling import fit_power_law, scaling
from sweep.analysis.tables.tooling import tooling
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import TRUTH, WRONG, A, B

RNG = np.random.default_rng(0)


# --- luck ---


@settings(max_examples=30, deadline=None)
@given(misses=hs.lists(hs.integers(0, 5), min_size=1, max_size=7), k=hs.integers(1, 7))
def test_the_best_of_k_is_that_of_all_subsets(misses, k):
    k = min(k, len(misses))
    subsets = list(itertools.combinations(misses, k))
    expected = np.mean([min(subset) for subset in subsets])
    chances = chance_of_best(np.array(misses), k)
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.array(misses) == pytest.approx(expected)


def test_luck_of_one_seed_is_undefined():
    row = luck([rows.predictions(WRONG)]).iloc[0]
    assert (row["k"], row["gain"], row["half_gain"], row["half_left"]) == pytest.approx((1, 0, 0, 0))
    assert (row["mean"], row["best"]) == pytest.approx((2.4, 2.4))


def test_no_gain_remains_for_noise_and_most_of_it_for_quality():
    truth = np.zeros(2000, int)
    coins = rows.predictions(RNG.random((200, 2000)) < 0.1, truth)
    noise = luck([coins]).set_index("k").loc[10]
    assert noise["half_gain"] > 15
    assert abs(noise["left_share"]) < 0.35
    quality = RNG.uniform(0.05, 0.5, (200, 1))
    real = luck([rows.predictions(RNG.random((200, 2000)) < quality, truth)]).set_index("k").loc[10]
    assert real["left_share"] > 0.9


# --- early ---


def history(misses: np.ndarray) -> History:
    return History(
        rows.cell(), {"train": 7291, "test": 2007}, np.arange(len(misses)), {"test_misses": misses}
    )


def test_correlation_with_the_last_epoch():
    misses = np.stack([B, A], axis=1).astype(np.float32)
    row = early([history(misses)]).iloc[0]
    assert row["r"] == pytest.approx(stats.pearsonr(A, B).statistic)
    interval = stats.pearsonr(A, B).confidence_interval(0.95)
    assert (row["r_lo"], row["r_hi"]) == pytest.approx(tuple(interval))
    assert (row["epoch"], row["epochs"], row["group"]) == (1, 2, 10)


def test_regret_is_zero_for_a_perfect_predictor_and_large_for_an_inverse_one():
    perfect = early([history(np.stack([A, A], axis=1).astype(np.float32))]).iloc[0]
    inverse = early([history(np.stack([-A, A], axis=1).astype(np.float32))]).iloc[0]
    assert perfect["regret"] == perfect["regret_hi"] == 0
    assert inverse["regret"] == np.sort(A)[5] - A.min()  # the better half is kept out


def test_early_needs_runs_that_differ():
    with pytest.raises(ValueError, match="early needs four runs"):
        early([history(np.full((8, 3), 80, np.float32))])
    few = early([history(RNG.integers(50, 90, (20, 40)).astype(np.float32))], every_epoch=False)
    assert list(few["epoch"]) == [2, 4, 10, 20, 30, 36]


# --- classes ---


def test_misses_by_true_label():
    table = classes([rows.predictions(WRONG)])
    assert list(table["true"]) == list(range(8))  # label 8 and 9 have no digit
    assert list(table["mean"]) == pytest.approx([1, 0.6, 0.4, 0.2, 0.2, 0, 0, 0])
    assert list(table["confused_with"])[:3] == [1, 2, 3]
    assert table["confused_with"].isna().tolist() == [False] * 5 + [True] * 3
    lo, hi = st.mean_interval(WRONG[:, 1].astype(float))
    row = table.iloc[1]
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx((lo, hi))
    assert (row["to_2_lo"], row["to_2_hi"]) == pytest.approx((lo, hi))
    assert row["to_1"] == pytest.approx(0.4)


def test_classes_add_up_to_the_misses():
    truth = RNG.integers(0, 10, 300)
    wrong = RNG.random((12, 300)) < 0.2
    table = classes([rows.predictions(wrong, truth)])
    assert table["mean"].sum() == pytest.approx(wrong.sum(1).mean())
    counts = table[[f"to_{i}" for i in range(10)]].sum(axis=1)
    assert list(counts) == pytest.approx(list(table["digits"]))


# --- tooling ---


def test_the_same_seeds_with_two_tools():
    row = tooling(rows.runs({"base": A}), rows.runs({"base": B}, device="NVIDIA H100")).iloc[0]
    assert (row["n"], row["tool_b"]) == (10, "vmap, NVIDIA H100")
    assert row["diff"] == pytest.approx(3.7)
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx((1.820911, 5.579089), abs=5e-7)
    assert row["r"] == pytest.approx(0.901449, abs=5e-7)
    assert row["identical"] == 0.1
    same = tooling(rows.runs({"base": A}), rows.runs({"base": A})).iloc[0]
    assert (same["identical"], same["sd_tool"], same["share"]) == (1, 0, 0)


def test_roots_without_common_seeds():
    with pytest.raises(ValueError, match="no variant with two common seeds"):
        tooling(rows.runs({"base": A}), rows.runs({"base": B}, first_seed=50))
    with pytest.raises(ValueError, match="no variant with two common seeds"):
        tooling(rows.runs({"base": A}), rows.runs({"softmax": B}))


# --- scaling ---


def sized(sizes, law, variant="base", seeds=8):
    runs = []
    for n_train in sizes:
        mean = law(n_train)
        misses = np.rint(np.random.default_rng(n_train).normal(mean, mean / 20, seeds))
        runs += rows.runs({variant: misses}, dataset=f"mnist,n_train={n_train}", sizes=(n_train, 2007))
    return runs


def test_the_power_law_is_found_and_agrees_with_statsmodels():
    runs = sized([1000, 2000, 5000, 10000, 50000], lambda n: 200 * (n / 1000) ** -0.4)
    table = scaling(runs)
    row = table.iloc[0]
    assert row["exponent_lo"] < 0.4 < row["exponent_hi"]
    assert list(table["n_train"]) == [1000, 2000, 5000, 10000, 50000]
    x = np.log(table["n_train"] / 1000).to_numpy()
    y = np.log(100 * table["mean"] / 2007).to_numpy()
    relative = (table["sd"] / np.sqrt(table["n"]) / table["mean"]).to_numpy()
    fit = WLS(y, np.stack([np.ones_like(x), x], axis=1), 1 / relative**2).fit()
    assert row["exponent"] == pytest.approx(-fit.params[1])
    assert (row["exponent_lo"], row["exponent_hi"]) == pytest.approx(tuple(sorted(-fit.conf_int()[1])))
    assert table["fit_pct"].iloc[0] == pytest.approx(np.exp(fit.params[0]))


def test_two_sizes_have_no_interval_and_one_size_no_law():
    runs = sized([1000, 4000], lambda n: 200 * (n / 1000) ** -0.5)
    assert np.isnan(fit_power_law(runs, "test").exponent_interval).all()
    with pytest.raises(ValueError, match="two numbers of training digits"):
        scaling(runs[:1])


def test_published_numbers_are_placed_at_their_size():
    frame = rows.epochs(
        {"base,epochs=100": [[60.0] * 100, [52.0] * 100]}, dataset="mnist,n_train=50000", sizes=(50000, 2007)
    )
    small = rows.epochs({"base,epochs=100": [[90.0] * 100, [81.0] * 100]}, dataset="mnist")
    table = scaling([*rows.last(small), *rows.last(frame)])
    assert list(table["published"]) == ["", "Karpathy (blog) 55"]


def test_truth_of_the_oracle_has_one_digit_a_label():
    assert len(set(TRUTH)) == 8
