"""What single digits say: the oracle example, simulations of the estimators, real votes."""

import numpy as np
import pandas as pd
import pytest
import rows
from rows import WRONG

from sweep.analysis import tables
from sweep.analysis.digits import decompose

TRUTH = np.arange(8) % 10


def test_noise_of_the_oracle_example():
    row = tables.noise(rows.labels(WRONG, TRUTH), TRUTH).iloc[0]
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
    table = tables.digits(rows.labels(WRONG, TRUTH), TRUTH)
    assert list(table["rate"]) == [1, 0.6, 0.4, 0.2, 0.2, 0, 0, 0]
    assert list(table["index"]) == list(range(8))
    assert list(table["modal_wrong"].iloc[:3]) == [1, 2, 3]  # the label after the true one
    assert table["modal_wrong"].iloc[5:].isna().all()
    assert list(table["modal_share"]) == list(table["rate"])
    lo, hi = table[["rate_lo", "rate_hi"]].iloc[3]
    assert lo < 0.2 < hi
    assert table["rate_hi"].iloc[7] > 0  # never wrong so far is no promise


def test_modal_wrong_label_is_the_commonest_and_the_smaller_at_a_tie():
    predictions = np.array([[3], [5], [5], [1], [3], [0]], np.uint8)
    frame = rows.labels(np.zeros((6, 1), bool), np.zeros(1, int)).assign(
        predictions=[p.tobytes() for p in predictions]
    )
    row = tables.digits(frame, np.zeros(1, int)).iloc[0]
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
        parts = decompose(wrong)
        independent.append(parts.independent)
        real.append(parts.real)
        floor.append(parts.floor)
    p = np.random.default_rng(1).beta(0.4, 1.6, 1_000_000)
    assert np.mean(independent) == pytest.approx(m * np.mean(p * (1 - p)), rel=0.02)
    assert np.mean(real) == pytest.approx((m * quality_sd) ** 2, rel=0.1)
    assert np.mean(floor) == pytest.approx(m * np.var(p), rel=0.03)


def test_independent_coins_have_no_real_differences():
    rng = np.random.default_rng(2)
    real = [decompose(rng.random((8, 500)) < 0.1).real for _ in range(400)]
    assert abs(np.mean(real)) < 4 * np.std(real) / np.sqrt(len(real))
    assert min(real) < 0  # unbiased, so sometimes below zero


def test_interval_of_the_real_differences_holds_them():
    rng = np.random.default_rng(3)
    truth = np.zeros(600, int)
    quality = rng.normal(0.15, 0.03, (60, 1))
    row = tables.noise(rows.labels(rng.random((60, 600)) < quality, truth), truth).iloc[0]
    assert row["sigma_dist_lo"] < (600 * 0.03) ** 2 < row["sigma_dist_hi"]


def test_closed_forms_of_churn_agree_with_counting():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 10, 50)
    first, second = (rng.random((n, 50)) < rate for n, rate in ((7, 0.3), (5, 0.2)))
    frame = pd.concat([rows.labels(first, truth), rows.labels(second, truth, "softmax")], ignore_index=True)
    table = tables.churn(frame, truth).set_index(["a", "b"])
    within = [(x != y).mean() for i, x in enumerate(first) for y in first[:i]]
    between = [(x != y).mean() for x in first for y in second]
    assert table.loc[("base", "base"), "churn_labels"] == pytest.approx(np.mean(within))
    assert table.loc[("base", "base"), "churn"] == pytest.approx(np.mean(within))
    assert table.loc[("base", "softmax"), "churn_labels"] == pytest.approx(np.mean(between))
    assert table.loc[("base", "softmax"), "same_seed"] == pytest.approx((first[:5] != second).mean())


def test_a_vote_of_all_seeds_and_of_one():
    table = tables.ensemble(rows.labels(WRONG, TRUTH), TRUTH)
    assert list(table["size"]) == [1, 2, 3, 5]
    assert table["draws"].iloc[-1] == 1
    assert table["mean"].iloc[-1] == 2  # digits 0 and 1 are wrong in most runs
    assert table["mean"].iloc[0] == pytest.approx(2.4, abs=0.3)
    assert set(table["single"]) == {2.4}


def test_ties_of_a_vote_go_to_the_smallest_label():
    truth = np.array([1, 0])
    two = rows.labels(np.array([[True, True], [False, False]]), truth)  # says 2 and 1; then 1 and 0
    assert tables.ensemble(two, truth)["mean"].iloc[-1] == 0


def test_digits_fixed_and_broken():
    worse = WRONG.copy()
    worse[:, 7] = True
    worse[:, 0] = False
    frame = pd.concat([rows.labels(WRONG, TRUTH), rows.labels(worse, TRUTH, "softmax")], ignore_index=True)
    table = tables.fixes(frame, TRUTH)
    assert list(table["index"].iloc[:2]) == [0, 7]
    assert list(table["change"].iloc[:2]) == [-1, 1]
    assert 6 not in set(table["index"])  # nobody gets it wrong


def test_two_way_interval_is_wider_than_that_over_seeds():
    rng = np.random.default_rng(5)
    truth = np.zeros(300, int)
    difficulty = rng.beta(0.3, 1.5, 300)
    first, second = rng.random((40, 300)) < difficulty, rng.random((40, 300)) < difficulty * 0.8
    frame = pd.concat([rows.labels(first, truth), rows.labels(second, truth, "softmax")], ignore_index=True)
    row = tables.two_way(frame, truth).iloc[0]
    difference = second.sum(1) - first.sum(1)
    assert row["diff"] == pytest.approx(difference.mean())
    assert row["se_diff_total"] > difference.std(ddof=1) / np.sqrt(40)
    assert row["total_lo"] < row["diff"] < row["total_hi"]
    again = rows.epochs({"base": first.sum(1), "softmax": second.sum(1)}, sizes=(7291, 300))
    table = tables.pairs(again, two_way=tables.two_way(frame, truth))
    assert table["se_diff_total"].iloc[0] == row["se_diff_total"]


def test_noise_fills_the_summary():
    frame = rows.epochs({"base": WRONG.sum(1)}, sizes=(7291, 8))
    noise = tables.noise(rows.labels(WRONG, TRUTH), TRUTH)
    row = tables.summary(frame, noise=noise).iloc[0]
    assert row["indep_sd"] == pytest.approx(1)
    assert row["sigma_dist"] == pytest.approx(np.sqrt(0.342857), abs=1e-6)
    assert row["se_mean_total"] == pytest.approx(1.032334, abs=5e-7)


def test_diverged_runs_have_no_say():
    frame = rows.labels(WRONG, TRUTH)
    broken = pd.concat([frame, frame.iloc[:1].assign(seed=9, predictions=None)], ignore_index=True)
    pd.testing.assert_frame_equal(tables.digits(frame, TRUTH), tables.digits(broken, TRUTH))
    with pytest.raises(ValueError, match="no predicted labels are stored"):
        tables.digits(broken.iloc[-1:], TRUTH)


def test_order_of_rows_does_not_matter():
    frame = pd.concat([rows.labels(WRONG, TRUTH), rows.labels(~WRONG, TRUTH, "softmax")], ignore_index=True)
    for name, table in tables.TABLES.items():
        if table.needs_labels:
            pd.testing.assert_frame_equal(
                table.make(frame, TRUTH), table.make(frame.iloc[::-1], TRUTH), obj=name
            )


def test_wrong_requests():
    frame = rows.labels(WRONG, TRUTH)
    other = frame.assign(dataset="usps", dataset_digest="00000000")
    with pytest.raises(ValueError, match="one data set at a time: choose one of mnist, usps"):
        tables.digits(pd.concat([frame, other], ignore_index=True), TRUTH)
    with pytest.raises(ValueError, match="labels of 8 test digits, but mnist has 9"):
        tables.digits(frame, np.arange(9))
    with pytest.raises(ValueError, match="needs two runs"):
        tables.noise(frame.iloc[:1], TRUTH)
    with pytest.raises(ValueError, match="two variants of one recipe"):
        tables.fixes(frame, TRUTH)
