"""Tables from predicted labels: the oracle example, simulations of the estimators, real votes."""

import numpy as np
import pandas as pd
import pytest

from sweep.analysis.predictions import SEEDS_KEPT, reduce_predictions
from sweep.analysis.tables.churn import churn
from sweep.analysis.tables.digits import digits
from sweep.analysis.tables.ensemble import ensemble
from sweep.analysis.tables.fixes import fixes
from sweep.analysis.tables.noise import noise_table, split_variance
from sweep.analysis.tables.pairs import pairs
from sweep.analysis.tables.two_way import two_way
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import TRUTH, WRONG

TABLES = (churn, digits, ensemble, noise_table)


def test_noise_of_the_oracle_example():
    row = noise_table([rows.predictions(WRONG)]).iloc[0]
    assert (row["n"], row["n_digits"], row["mean"]) == (5, 8, 2.4)
    assert row["variance"] == pytest.approx(1.3)
    assert row["indep_sd"] == pytest.approx(1.0)
    assert row["sigma_dist_squared"] == pytest.approx(0.342857, abs=5e-7)
    assert row["floor"] == pytest.approx(0.805714, abs=5e-7)
    assert row["binom_sd"] ** 2 == pytest.approx(1.68)
    assert row["se_seed"] == pytest.approx(0.509902, abs=5e-7)
    assert row["se_total"] == pytest.approx(1.032334, abs=5e-7)
    assert row["churn"] == pytest.approx(0.25)
    assert row["jaccard"] == pytest.approx(0.423333, abs=5e-7)
    assert (row["majority_wrong"], row["always_wrong"], row["never_wrong"]) == (2, 1, 3)


def test_error_rate_of_each_digit():
    table = digits([rows.predictions(WRONG)])
    assert list(table["rate"]) == [1, 0.6, 0.4, 0.2, 0.2, 0, 0, 0]
    assert list(table["index"]) == list(range(8))
    assert list(table["modal_wrong"].iloc[:3]) == [1, 2, 3]  # the label after the true one
    assert table["modal_wrong"].iloc[5:].isna().all()
    assert list(table["modal_share"]) == list(table["rate"])
    lo, hi = table[["rate_lo", "rate_hi"]].iloc[3]
    assert lo < 0.2 < hi
    assert table["rate_hi"].iloc[7] > 0  # zero observed errors do not imply an error rate of zero


def test_modal_wrong_label_is_the_most_common_or_the_smallest_of_equal_counts():
    predictions = np.array([[3], [5], [5], [1], [3], [0]], np.uint8)
    frame = pd.DataFrame({"seed": range(6), "predictions": [p.tobytes() for p in predictions]})
    row = digits([reduce_predictions(rows.cell(), np.zeros(1, int), [frame])]).iloc[0]
    assert (row["wrong"], row["modal_wrong"], row["modal_share"]) == (5, 3, 2 / 6)


def test_the_decomposition_is_unbiased():
    """Runs of differing quality on digits of differing difficulty, drawn anew each time."""
    rng = np.random.default_rng(0)
    m, n, quality_sd = 400, 6, 0.02
    independent, real, floor = [], [], []
    for _ in range(1500):
        difficulty = rng.beta(0.4, 1.6, m)  # variance over digits: .8/(2²·3) of 0.2 mean: .0533
        quality = rng.normal(0, quality_sd, (n, 1))
        wrong = rng.random((n, m)) < np.clip(difficulty * (1 + quality / 0.2), 0, 1)
        parts = split_variance(wrong.mean(0), wrong.sum(1))
        independent.append(parts.independent)
        real.append(parts.between)
        floor.append(parts.floor)
    p = np.random.default_rng(1).beta(0.4, 1.6, 1_000_000)
    assert np.mean(independent) == pytest.approx(m * np.mean(p * (1 - p)), rel=0.02)
    assert np.mean(real) == pytest.approx((m * quality_sd) ** 2, rel=0.1)
    assert np.mean(floor) == pytest.approx(m * np.var(p), rel=0.03)


def test_independent_coins_have_no_real_differences():
    rng = np.random.default_rng(2)
    draws = (rng.random((8, 500)) < 0.1 for _ in range(400))
    real = [split_variance(wrong.mean(0), wrong.sum(1)).between for wrong in draws]
    assert abs(np.mean(real)) < 4 * np.std(real) / np.sqrt(len(real))
    assert min(real) < 0  # unbiased, so sometimes below zero


def test_interval_of_the_real_differences_contains_them():
    rng = np.random.default_rng(3)
    truth = np.zeros(600, int)
    quality = rng.normal(0.15, 0.03, (60, 1))
    row = noise_table([rows.predictions(rng.random((60, 600)) < quality, truth)]).iloc[0]
    assert row["sigma_dist_lo"] < (600 * 0.03) ** 2 < row["sigma_dist_hi"]
    assert row["remark"] == "runs differ"


def test_a_negative_variance_between_runs_is_shown_as_such():
    same = np.array([np.roll(WRONG[0], i) for i in range(5)])
    row = noise_table([rows.predictions(same)]).iloc[0]
    assert row["sigma_dist_squared"] < 0
    assert row["remark"] == "negative: no difference between runs found"


def test_closed_forms_of_churn_agree_with_counting():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 10, 50)
    first, second = (rng.random((n, 50)) < rate for n, rate in ((7, 0.3), (5, 0.2)))
    both = [rows.predictions(first, truth), rows.predictions(second, truth, "softmax")]
    table = churn(both).set_index(["a", "b"])
    within = [(x != y).mean() for i, x in enumerate(first) for y in first[:i]]
    between = [(x != y).mean() for x in first for y in second]
    assert table.loc[("base", "base"), "churn_labels"] == pytest.approx(np.mean(within))
    assert table.loc[("base", "base"), "churn"] == pytest.approx(np.mean(within))
    assert table.loc[("base", "softmax"), "churn_labels"] == pytest.approx(np.mean(between))
    assert table.loc[("base", "softmax"), "same_seed"] == pytest.approx((first[:5] != second).mean())


def test_a_vote_of_one_seed_and_of_all_is_exact():
    table = ensemble([rows.predictions(WRONG)])
    assert list(table["size"]) == [1, 2, 3, 5]
    one, whole = table.iloc[0], table.iloc[-1]
    assert (one["draws"], whole["draws"]) == (5, 1)
    assert (one["mean"], one["min"], one["max"]) == (2.4, 1, 4)
    assert one["q05"] == np.quantile([2, 2, 4, 1, 3], 0.05)
    assert whole["mean"] == 2  # digits 0 and 1 are wrong in most runs
    assert set(table["single"]) == {2.4}


def test_ties_of_a_vote_go_to_the_smallest_label():
    truth = np.array([1, 0])
    two = rows.predictions(np.array([[True, True], [False, False]]), truth)  # predicts 2 and 1; then 1 and 0
    assert ensemble([two])["mean"].iloc[-1] == 0


def test_corrected_and_newly_misclassified_digits():
    worse = WRONG.copy()
    worse[:, 7] = True
    worse[:, 0] = False
    table = fixes([rows.predictions(WRONG), rows.predictions(worse, variant="softmax")])
    assert list(table["index"].iloc[:2]) == [0, 7]
    assert list(table["change"].iloc[:2]) == [-1, 1]
    assert 6 not in set(table["index"])  # no run misclassifies it


def test_two_way_interval_is_wider_than_that_over_seeds():
    rng = np.random.default_rng(5)
    truth = np.zeros(300, int)
    difficulty = rng.beta(0.3, 1.5, 300)
    first, second = rng.random((40, 300)) < difficulty, rng.random((40, 300)) < difficulty * 0.8
    both = [rows.predictions(first, truth), rows.predictions(second, truth, "softmax")]
    row = two_way(both).iloc[0]
    difference = second.sum(1) - first.sum(1)
    assert row["diff"] == pytest.approx(difference.mean())
    assert row["se_diff_total"] > difference.std(ddof=1) / np.sqrt(40)
    assert row["total_lo"] < row["diff"] < row["total_hi"]
    again = rows.runs({"base": first.sum(1), "softmax": second.sum(1)}, sizes=(7291, 300))
    table = pairs(again, two_way=two_way(both))
    assert table["se_diff_total"].iloc[0] == row["se_diff_total"]


def test_diverged_runs_are_left_out():
    frame = rows.labels(WRONG, TRUTH)
    broken = pd.concat([frame, frame.iloc[:1].assign(seed=9, predictions=None)], ignore_index=True)
    with_broken = reduce_predictions(rows.cell(), TRUTH, [broken])
    pd.testing.assert_frame_equal(digits([rows.predictions(WRONG)]), digits([with_broken]))
    assert reduce_predictions(rows.cell(), TRUTH, [broken.iloc[-1:]]) is None


@pytest.mark.parametrize("make", TABLES)
def test_neither_the_order_of_rows_nor_the_batches_matter(make):
    frame = rows.labels(WRONG, TRUTH)
    whole = make([reduce_predictions(rows.cell(), TRUTH, [frame])])
    pieces = [frame.iloc[[2, 0, 1]], frame.iloc[3:], frame.iloc[:0]]
    pd.testing.assert_frame_equal(make([reduce_predictions(rows.cell(), TRUTH, pieces)]), whole)


def test_only_the_first_seeds_are_kept_and_every_run_counts():
    rng = np.random.default_rng(6)
    wrong = rng.random((SEEDS_KEPT + 300, 8)) < 0.3
    frame = rows.labels(wrong, TRUTH)
    reduced = reduce_predictions(rows.cell(), TRUTH, [frame.iloc[:700], frame.iloc[700:]])
    assert reduced.first.shape == (SEEDS_KEPT, 8)
    assert (reduced.wrong == wrong[:SEEDS_KEPT]).all()
    assert (reduced.misses == wrong.sum(1)).all()
    assert (reduced.error_rates == wrong.mean(0)).all()
    assert (reduced.half_misses == np.stack([wrong[:, ::2].sum(1), wrong[:, 1::2].sum(1)], axis=1)).all()
    assert (reduced.class_misses[:, :8] == wrong).all()  # the truth is 0 to 7, each once
    assert reduced.confusion.sum() == wrong.size
    assert reduced.confusion[3, 4] == wrong[:, 3].sum()


def test_variants_on_different_digits_are_not_compared():
    first = rows.predictions(WRONG)
    usps = reduce_predictions(rows.cell("softmax", "usps"), TRUTH, [rows.labels(WRONG, TRUTH)])
    assert len(churn([first, usps])) == 2
    with pytest.raises(ValueError, match="on the same digits"):
        fixes([first, usps])


def test_wrong_requests():
    with pytest.raises(ValueError, match="predictions of 8 test digits, but mnist has 9"):
        reduce_predictions(rows.cell(), np.arange(9), [rows.labels(WRONG, TRUTH)])
    with pytest.raises(ValueError, match="needs two runs"):
        noise_table([rows.predictions(WRONG[:1])])
    with pytest.raises(ValueError, match="two variants of one recipe"):
        fixes([rows.predictions(WRONG)])
