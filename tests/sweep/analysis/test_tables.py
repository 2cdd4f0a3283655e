"""Tables from rows: what they say, what they leave out, and what they must not depend on."""

import math

import numpy as np
import pandas as pd
import pytest
import rows
from hypothesis import given, settings
from hypothesis import strategies as hs
from rows import X200, A, B, C

from sweep.analysis import tables
from sweep.spec.seeds import SeedRanges

BEST = [[100, 90, 82, 84], [98, 91, 79, 80], [103, 88, 85, 83]]


def test_summary_of_a_variant():
    row = tables.summary(rows.epochs({"base": A})).iloc[0]
    assert (row["variant"], row["dataset"], row["n_ok"], row["n_diverged"]) == ("base", "mnist", 10, 0)
    assert (row["mean"], row["median"], row["min"], row["max"]) == (pytest.approx(83.3), 83, 74, 93)
    assert (row["min_seed"], row["max_seed"]) == (1, 8)
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx((79.060509, 87.539491), abs=5e-7)
    assert row["binom_sd"] == pytest.approx(8.935472, abs=5e-7)
    assert row["test_sampling_sd"] == pytest.approx(math.sqrt(44.720433), abs=5e-7)
    assert row["se_mean_total"] == pytest.approx(math.sqrt(5.9264**2 / 10 + 44.720433), abs=1e-5)
    assert row["mean_err_pct"] == pytest.approx(100 * 83.3 / 2007)
    assert (row["paper"], row["karpathy"], row["chang"]) == (102, 82, 74)
    assert math.isnan(row["karpathy_percentile"])  # ten seeds are too few for a percentile
    assert tables.summary(rows.epochs({"base": X200})).iloc[0]["karpathy_percentile"] == 43.25


def test_variants_come_in_the_order_of_the_story():
    names = ["dropout", "base,learning_rate=0.01", "base@karpathy", "base", "softmax"]
    summary = tables.summary(rows.epochs(dict.fromkeys(names, A)))
    assert list(summary["variant"]) == [
        "base",
        "base,learning_rate=0.01",
        "softmax",
        "dropout",
        "base@karpathy",
    ]


def test_best_epoch_is_only_an_optimism():
    row = tables.summary(rows.epochs({"base": BEST})).iloc[0]
    assert row["mean"] == pytest.approx(82.333333, abs=5e-7)  # the last epoch
    assert row["own_best_mean"] == pytest.approx(81.333333, abs=5e-7)
    assert row["optimism_mean"] == pytest.approx(1)
    assert (row["common_best_epoch"], row["common_best_mean"]) == (3, 82)


def test_last_epochs_alone_give_the_same_summary_but_for_the_best_epoch():
    every = rows.epochs({"base": BEST, "softmax": np.array(BEST)[:, :2]})
    last = every[every["epoch"] == every["epochs"]]
    whole, short = tables.summary(every), tables.summary(last)
    best = ["own_best_mean", "optimism_mean", "common_best_epoch", "common_best_mean"]
    assert short[best].isna().all(axis=None)
    pd.testing.assert_frame_equal(whole.drop(columns=best), short.drop(columns=best))


def test_an_earlier_epoch():
    frame = rows.epochs({"base": BEST})
    summary = tables.summary(frame, epoch=2)
    assert summary.iloc[0]["mean"] == pytest.approx(np.mean([90, 91, 88]))
    assert any("base at epoch 2 of 4" in note for note in summary.attrs["notes"])
    pd.testing.assert_frame_equal(summary, tables.summary(tables.select(frame, epoch=2)))


def test_diverged_runs_are_counted_apart():
    frame = rows.epochs({"base": np.append(A, [1, 2])}, diverged={"base": [10, 11]})
    summary, plain = tables.summary(frame), tables.summary(rows.epochs({"base": A}))
    row = summary.iloc[0]
    assert (row["n_ok"], row["n_diverged"], row["diverged_rate"]) == (10, 2, 2 / 12)
    assert row["diverged_lo"] < 2 / 12 < row["diverged_hi"]
    for name in ("mean", "sd", "min", "median", "q95", "iqm", "mean_train_misses"):
        assert row[name] == plain.iloc[0][name]
    assert any("2 of 12 base" in note for note in summary.attrs["notes"])


def test_a_variant_whose_every_run_diverged():
    frame = rows.epochs({"base": A, "softmax": A[:2]}, diverged={"softmax": [0, 1]})
    row = tables.summary(frame).iloc[1]
    assert (row["n_ok"], row["n_diverged"], row["note"]) == (0, 2, "no run trained")
    assert math.isnan(row["mean"])
    assert pd.isna(row["min_seed"])
    assert set(tables.published(frame)["variant"]) == {"base"}
    assert set(tables.curve(frame)["variant"]) == {"base"}


def test_one_run_constant_runs_and_stuck_runs_are_remarked():
    frame = rows.epochs({"base": [80], "softmax": [70, 70, 70], "adamw": [80, 1800]})
    assert list(tables.summary(frame)["note"]) == [
        "one run: no interval",
        "constant",
        "1 of 2 stuck above 50 % error",
    ]


def test_pending_runs_make_a_table_provisional():
    frame = rows.epochs({"base": A})
    asked = rows.planned(frame, 16)
    unseen = pd.DataFrame(
        [{"variant": "softmax", "variant_digest": "0" * 8, "dataset": "mnist", "n_requested": 16}]
    ).assign(dataset_digest=rows.digest("mnist"))
    summary = tables.summary(frame, planned=pd.concat([asked, unseen]))
    row = summary.iloc[0]
    assert (row["n_requested"], row["n_pending"], row["provisional"]) == (16, 6, True)
    assert summary.attrs["notes"][0].startswith(
        "PROVISIONAL, runs still missing: 6 of 16 base, all of softmax."
    )
    done = tables.summary(frame, planned=rows.planned(frame, 10))
    assert not done.iloc[0]["provisional"]
    assert "PROVISIONAL" not in " ".join(done.attrs["notes"])


def test_mixtures_are_named():
    mixed = pd.concat(
        [rows.epochs({"base": A}), rows.epochs({"base": B}, device="NVIDIA H100", first_seed=10)],
        ignore_index=True,
    )
    summary = tables.summary(mixed)
    assert summary.iloc[0]["device"] == "NVIDIA H100 + cpu"
    assert "MIXED devices NVIDIA H100, cpu" in summary.attrs["notes"][-1]


def test_data_sets_are_never_pooled():
    both = pd.concat([rows.epochs({"base": A}), rows.epochs({"base": B}, dataset="usps")], ignore_index=True)
    assert list(tables.summary(both)["dataset"]) == ["mnist", "usps"]
    assert list(tables.wide(both).groupby("dataset")["n_ok"].sum()) == [10, 10]


def test_wide_never_fills_with_zero():
    frame = rows.epochs({"base": A[:3], "softmax": B[:2]}, diverged={"base": [1]})
    wide = tables.wide(frame)
    assert list(wide.columns) == [
        "dataset", "dataset_digest", "seed", "base_misses", "base_status", "softmax_misses", "softmax_status",
        "n_ok",
    ]  # fmt: skip
    assert wide["base_misses"].dtype == wide["softmax_misses"].dtype == pd.Int64Dtype()
    assert list(wide["base_misses"].isna()) == [False, True, False]
    assert list(wide["softmax_misses"].isna()) == [False, False, True]
    assert list(wide["base_status"]) == ["ok", "diverged", "ok"]
    assert list(wide["n_ok"]) == [2, 1, 1]


def test_curve_has_a_row_per_epoch():
    curve = tables.curve(rows.epochs({"base": BEST}))
    assert list(curve["epoch"]) == [1, 2, 3, 4]
    assert list(curve["mean"]) == pytest.approx([301 / 3, 269 / 3, 82, 247 / 3])
    assert list(curve["q50"]) == [100, 90, 82, 83]
    last = tables.summary(rows.epochs({"base": BEST})).iloc[0]
    assert tuple(curve.iloc[-1][["ci_lo", "ci_hi"]]) == pytest.approx((last["ci_lo"], last["ci_hi"]))
    assert list(tables.curve(rows.epochs({"base": BEST}), epoch=3)["mean"]) == [82]


def test_published_numbers_among_many_seeds():
    table = tables.published(rows.epochs({"base": X200})).set_index("source")
    assert list(table["misses_exact"]) == [102, 82, 74]
    assert list(table["same_data"]) == ["no", "no", "yes"]
    assert tuple(table.loc["Karpathy", ["n", "n_lt", "n_eq", "n_gt"]]) == (200, 80, 13, 107)
    assert table.loc["Chang", "p_mid"] == pytest.approx(0.139303, abs=5e-7)
    assert table.loc["Chang", "verdict"] == "ordinary for a seed"
    assert table.loc["LeCun 1989", "verdict"].startswith("described only")
    assert table.loc["Karpathy", "verdict"] == "within what other digits may do"


def test_few_seeds_have_no_rank_p_value_and_one_seed_only_a_difference():
    few = tables.published(rows.epochs({"base": A})).set_index("source")
    assert few[["p_mid", "p_cons"]].isna().all(axis=None)
    assert few.loc["Karpathy", "p_model"] == pytest.approx(0.839555, abs=5e-7)
    one = tables.published(rows.epochs({"base": [80]})).set_index("source")
    assert one.loc["Chang", "diff"] == -6
    assert one[["percentile", "pct_lo", "p_mid", "p_model", "p_newdata"]].isna().all(axis=None)


def test_published_numbers_are_only_placed_among_their_own_kind():
    ours = {"base,learning_rate=0.01": A, "base@karpathy": B, "softmax": C}
    table = tables.published(rows.epochs(ours))
    assert set(table["variant"]) == {"base@karpathy", "softmax"}
    assert set(table.loc[table["variant"] == "base@karpathy", "recipe"]) == {"karpathy"}
    with pytest.raises(ValueError, match="nothing to compare: published numbers are of base, softmax"):
        tables.published(rows.epochs({"base": A}, dataset="mnist5k", sizes=(3920, 1080)))
    assert tables.summary(rows.epochs({"base": A}, sizes=(3920, 1080)))["chang"].isna().all()


def test_usps_may_be_the_digits_of_the_paper():
    table = tables.published(rows.epochs({"base": X200}, dataset="usps")).set_index("source")
    assert list(table["same_data"]) == ["maybe", "no", "no"]


def test_precision_of_what_is_there_and_of_more():
    table = tables.precision(rows.epochs({"base": A}))
    assert list(table.loc[~table["extrapolated"], "n"]) == [10]
    assert {5, 50, 1000} <= set(table["n"])
    with pytest.raises(ValueError, match="two runs that differ"):
        tables.precision(rows.epochs({"base": [80]}))


@pytest.mark.parametrize("name", ["summary", "wide", "curve", "published", "precision"])
def test_an_empty_store_gets_a_clear_line(name):
    empty = rows.epochs({"base": A}).iloc[:0]
    with pytest.raises(ValueError, match="no finished runs to look at"):
        tables.TABLES[name].make(empty)


@pytest.mark.parametrize("name", ["summary", "wide", "curve", "published"])
def test_an_epoch_nobody_has(name):
    with pytest.raises(ValueError, match="epoch 9: nothing is left; the longest run has epochs 1 to 4"):
        tables.TABLES[name].make(rows.epochs({"base": BEST}), epoch=9)


def test_a_seed_stored_twice_is_no_second_run():
    frame = rows.epochs({"base": A})
    with pytest.raises(ValueError, match="seed 0 of base on mnist is there twice"):
        tables.summary(pd.concat([frame, frame.iloc[:1]], ignore_index=True))


# --- select ---


def test_select_by_every_filter():
    frame = pd.concat(
        [
            rows.epochs({"base": BEST, "base@karpathy": BEST, "base,epochs=4": BEST, "softmax": BEST}),
            rows.epochs({"base": BEST}, dataset="usps"),
        ],
        ignore_index=True,
    )

    def names(**filters):
        return sorted(map(str, tables.select(frame, **filters)["variant"].unique()))

    assert names(variants=["base"]) == ["base", "base@karpathy"]
    assert names(variants=["base", "base,*"]) == ["base", "base,epochs=4", "base@karpathy"]
    assert names(recipes=["karpathy"]) == ["base@karpathy"]
    assert names(datasets=["usps"]) == names(datasets=[rows.digest("usps")]) == ["base"]
    assert set(tables.select(frame, seeds=SeedRanges.parse("1,2:9"))["seed"]) == {1, 2}
    assert set(tables.select(frame, epoch=3)["epoch"]) == {3}
    assert len(tables.select(frame, engines=["vmap"])) == len(tables.select(frame)) == len(frame)


@pytest.mark.parametrize(
    ("filters", "line"),
    [
        ({"variants": ["sofmax"]}, "no finished run has variant 'sofmax': did you mean 'softmax'?"),
        ({"engines": ["lanes"]}, "no finished run has engine 'lanes': choose from vmap"),
        ({"datasets": ["minst"]}, "no finished run has dataset 'minst': did you mean 'mnist'?"),
        ({"seeds": SeedRanges.parse("90:99")}, "nothing is left after seeds 90:99"),
        ({"variants": ["base"], "recipes": ["karpathy"]}, "nothing is left after variant base"),
        ({"epoch": 40}, "nothing is left after epoch 40"),
    ],
)
def test_a_filter_that_leaves_nothing_says_which(filters, line):
    frame = rows.epochs({"base": A, "softmax@karpathy": B, "softmax": C})
    with pytest.raises(ValueError, match=line.replace("?", r"\?")):
        tables.select(frame, **filters)


# --- laws ---

counts = hs.lists(hs.integers(0, 2007), min_size=1, max_size=12)


@settings(max_examples=8, deadline=None)
@given(base=counts, softmax=counts, rnd=hs.randoms(use_true_random=False))
def test_tables_do_not_depend_on_the_order_of_rows(base, softmax, rnd):
    frame = rows.epochs({"base": base, "softmax": softmax}, diverged={"softmax": [2]})
    order = list(range(len(frame)))
    rnd.shuffle(order)
    shuffled = frame.iloc[order].reset_index(drop=True)
    for name in ("summary", "wide", "curve", "published"):
        make = tables.TABLES[name].make
        pd.testing.assert_frame_equal(make(frame), make(shuffled))


@settings(max_examples=8, deadline=None)
@given(base=counts, cut=hs.integers(0, 12))
def test_tables_do_not_depend_on_how_rows_lie_in_files(base, cut):
    frame = rows.epochs({"base": base})
    pieces = [piece for piece in (frame.iloc[cut:], frame.iloc[:cut]) if len(piece)]
    for name in ("summary", "wide", "curve", "published"):
        make = tables.TABLES[name].make
        pd.testing.assert_frame_equal(make(frame), make(pd.concat(pieces, ignore_index=True)))


@settings(max_examples=8, deadline=None)
@given(base=counts, bad=hs.sets(hs.integers(0, 11)))
def test_the_misses_of_a_diverged_run_never_count(base, bad):
    bad = {seed for seed in bad if seed < len(base)}
    kept = [misses for seed, misses in enumerate(base) if seed not in bad]
    row = tables.summary(rows.epochs({"base": base}, diverged={"base": bad})).iloc[0]
    assert (row["n_ok"], row["n_diverged"]) == (len(kept), len(bad))
    if kept:
        assert row["mean"] == pytest.approx(np.mean(kept))
        assert (row["min"], row["max"]) == (min(kept), max(kept))
