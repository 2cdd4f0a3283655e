"""Table `summary`: values, omitted rows and columns, and invariances."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from sweep.analysis.planned import Requested
from sweep.analysis.tables.curve import curve
from sweep.analysis.tables.noise import noise_table
from sweep.analysis.tables.placement import published
from sweep.analysis.tables.summary import summary
from sweep.analysis.tables.wide import wide
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import TRUTH, WRONG, X200, A, B

BEST = [[100, 90, 82, 84], [98, 91, 79, 80], [103, 88, 85, 83]]


def test_values_of_a_variant():
    row = summary(rows.runs({"base": A})).iloc[0]
    assert (row["variant"], row["dataset"], row["n_ok"], row["n_diverged"]) == ("base", "mnist", 10, 0)
    assert (row["mean"], row["median"], row["min"], row["max"]) == (pytest.approx(83.3), 83, 74, 93)
    assert (row["min_seed"], row["max_seed"]) == (1, 8)
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx((79.060509, 87.539491), abs=5e-7)
    assert row["binom_sd"] == pytest.approx(8.935472, abs=5e-7)
    assert row["test_sampling_sd"] == pytest.approx(math.sqrt(44.720433), abs=5e-7)
    assert row["se_mean_total"] == pytest.approx(math.sqrt(5.9264**2 / 10 + 44.720433), abs=1e-5)
    assert row["mean_err_pct"] == pytest.approx(100 * 83.3 / 2007)
    assert (row["paper"], row["karpathy"], row["chang"]) == (102, 82, 74)
    assert "yomei-o 97" in row["others"]
    assert math.isnan(row["karpathy_percentile"])  # ten seeds are too few for a percentile
    assert summary(rows.runs({"base": X200})).iloc[0]["karpathy_percentile"] == 43.25


def test_order_of_variants():
    names = ["dropout", "base,learning_rate=0.01", "base@karpathy", "base", "softmax"]
    table = summary(rows.runs(dict.fromkeys(names, A)))
    assert list(table["variant"]) == [
        "base",
        "base,learning_rate=0.01",
        "softmax",
        "dropout",
        "base@karpathy",
    ]


def test_the_best_epoch_is_reported_only_as_a_bias():
    frame = rows.epochs({"base": BEST})
    row = summary(rows.last(frame), histories=rows.histories(frame)).iloc[0]
    assert row["mean"] == pytest.approx(82.333333, abs=5e-7)  # the last epoch
    assert row["own_best_mean"] == pytest.approx(81.333333, abs=5e-7)
    assert row["optimism_mean"] == pytest.approx(1)
    assert (row["common_best_epoch"], row["common_best_mean"]) == (3, 82)


def test_histories_change_only_the_columns_on_the_best_epoch():
    frame = rows.epochs({"base": BEST, "softmax": np.array(BEST)[:, :2]})
    whole = summary(rows.last(frame), histories=rows.histories(frame))
    short = summary(rows.last(frame))
    best = ["own_best_mean", "optimism_mean", "common_best_epoch", "common_best_mean"]
    assert short[best].isna().all(axis=None)
    pd.testing.assert_frame_equal(whole.drop(columns=best), short.drop(columns=best))


def test_an_earlier_epoch_is_named():
    frame = rows.epochs({"base": BEST})
    table = summary(rows.group_runs(frame[frame["epoch"] == 2]))
    assert table.iloc[0]["mean"] == pytest.approx(np.mean([90, 91, 88]))
    assert any("base at epoch 2 of 4" in note for note in table.attrs["notes"])


def test_diverged_runs_are_counted_separately():
    table = summary(rows.runs({"base": np.append(A, [1, 2])}, diverged={"base": [10, 11]}))
    row, plain = table.iloc[0], summary(rows.runs({"base": A})).iloc[0]
    assert (row["n_ok"], row["n_diverged"], row["diverged_rate"]) == (10, 2, 2 / 12)
    assert row["diverged_lo"] < 2 / 12 < row["diverged_hi"]
    for name in ("mean", "sd", "min", "median", "q95", "iqm", "mean_train_misses"):
        assert row[name] == plain[name]
    assert row["note"] == "2 of 12 diverged"
    assert any("2 of 12 base" in note for note in table.attrs["notes"])


def test_a_variant_whose_every_run_diverged():
    frame = rows.epochs({"base": A, "softmax": A[:2]}, diverged={"softmax": [0, 1]})
    row = summary(rows.last(frame)).iloc[1]
    assert (row["n_ok"], row["n_diverged"], row["note"]) == (0, 2, "every run diverged")
    assert math.isnan(row["mean"])
    assert pd.isna(row["min_seed"])
    assert set(published(rows.last(frame))["variant"]) == {"base"}
    assert set(curve(rows.histories(frame), rows.last(frame))["variant"]) == {"base"}


def test_runs_that_do_not_learn_are_marked_in_every_table():
    runs = rows.runs({"base": [80], "softmax": [70, 70, 70], "adamw": [80, 1800]})
    table = summary(runs)
    assert list(table["note"]) == ["one run: no interval", "constant", "1 of 2 not learning (> 50 % error)"]
    assert list(table["n_stuck"]) == [0, 0, 1]
    for frame in (table, wide(runs), published(runs)):
        warning = next(note for note in frame.attrs["notes"] if note.startswith("WARNING"))
        assert "1 of 2 adamw" in warning


def test_pending_runs_make_a_table_provisional():
    runs = rows.runs({"base": A})
    unseen = {("0" * 8, rows.digest("mnist")): Requested("softmax", 16, 0, 1)}
    table = summary(runs, planned=rows.planned(runs, 16) | unseen)
    row = table.iloc[0]
    assert (row["n_requested"], row["n_pending"], row["provisional"]) == (16, 6, True)
    assert table.attrs["notes"][0].startswith("PROVISIONAL, runs pending: 6 of 16 base, all of softmax.")
    done = summary(runs, planned=rows.planned(runs, 10))
    assert not done.iloc[0]["provisional"]
    assert "PROVISIONAL" not in " ".join(done.attrs["notes"])


def test_mixtures_are_named():
    mixed = pd.concat(
        [rows.epochs({"base": A}), rows.epochs({"base": B}, device="NVIDIA H100", first_seed=10)],
        ignore_index=True,
    )
    table = summary(rows.last(mixed))
    assert table.iloc[0]["device"] == "NVIDIA H100 + cpu"
    assert "MIXED devices NVIDIA H100, cpu" in table.attrs["notes"][-1]


def test_data_sets_are_never_pooled():
    both = [*rows.runs({"base": A}), *rows.runs({"base": B}, dataset="usps")]
    assert list(summary(both)["dataset"]) == ["mnist", "usps"]
    assert list(wide(both).groupby("dataset")["n_ok"].sum()) == [10, 10]


def test_noise_fills_its_columns():
    runs = rows.runs({"base": WRONG.sum(1)}, sizes=(7291, 8))
    row = summary(runs, noise=noise_table([rows.predictions(WRONG)])).iloc[0]
    assert row["indep_sd"] == pytest.approx(1)
    assert row["sigma_dist"] == pytest.approx(np.sqrt(0.342857), abs=1e-6)
    assert row["sigma_dist_squared"] == pytest.approx(0.342857, abs=1e-6)
    assert row["se_mean_total"] == pytest.approx(1.032334, abs=5e-7)


def test_a_negative_variance_between_runs_is_kept():
    same = np.array([np.roll(WRONG[0], i) for i in range(5)])  # equal misses on different digits
    row = summary(
        rows.runs({"base": same.sum(1)}, sizes=(7291, 8)), noise=noise_table([rows.predictions(same)])
    ).iloc[0]
    assert row["sigma_dist_squared"] < 0
    assert row["sigma_dist"] == 0


def test_a_seed_stored_twice_is_refused():
    frame = rows.epochs({"base": A})
    with pytest.raises(ValueError, match="seed 0 of base on mnist occurs twice"):
        rows.group_runs(pd.concat([frame, frame.iloc[:1]], ignore_index=True))
    with pytest.raises(ValueError, match="no finished runs"):
        rows.group_runs(frame.iloc[:0])


def test_a_users_numbers_have_a_separate_column(tmp_path):
    from sweep.analysis.published import published_numbers

    (tmp_path / "mine.csv").write_text("source,variant,split,misses\nmy port,base,test,79\n")
    row = summary(rows.runs({"base": X200}), numbers=published_numbers(str(tmp_path / "mine.csv"))).iloc[0]
    assert row["yours"] == "my port 79 (25 %)"
    assert (row["karpathy"], row["chang"]) == (82, 74)


# --- properties ---

counts = hs.lists(hs.integers(0, 2007), min_size=1, max_size=12)


@settings(max_examples=8, deadline=None)
@given(base=counts, softmax=counts, rnd=hs.randoms(use_true_random=False))
def test_tables_do_not_depend_on_the_order_of_rows(base, softmax, rnd):
    frame = rows.epochs({"base": base, "softmax": softmax}, diverged={"softmax": [2]})
    order = list(range(len(frame)))
    rnd.shuffle(order)
    shuffled = frame.iloc[order].reset_index(drop=True)
    for make in (summary, wide, published):
        pd.testing.assert_frame_equal(make(rows.last(frame)), make(rows.last(shuffled)))
    first, second = rows.last(frame), rows.last(shuffled)
    pd.testing.assert_frame_equal(
        curve(rows.histories(frame), first), curve(sorted(rows.histories(shuffled), key=_order), second)
    )


def _order(history):
    return history.cell.order


@settings(max_examples=8, deadline=None)
@given(base=counts, bad=hs.sets(hs.integers(0, 11)))
def test_misses_of_a_diverged_run_never_count(base, bad):
    bad = {seed for seed in bad if seed < len(base)}
    kept = [misses for seed, misses in enumerate(base) if seed not in bad]
    row = summary(rows.runs({"base": base}, diverged={"base": bad})).iloc[0]
    assert (row["n_ok"], row["n_diverged"]) == (len(kept), len(bad))
    if kept:
        assert row["mean"] == pytest.approx(np.mean(kept))
        assert (row["min"], row["max"]) == (min(kept), max(kept))


def test_the_oracle_predictions_are_those_of_the_truth():
    assert len(TRUTH) == WRONG.shape[1]
