"""Tables `wide`, `curve` and `precision`."""

import math

import numpy as np
import pandas as pd
import pytest

from sweep.analysis.tables.curve import curve
from sweep.analysis.tables.precision import precision
from sweep.analysis.tables.summary import summary
from sweep.analysis.tables.wide import wide
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import A, B

BEST = [[100, 90, 82, 84], [98, 91, 79, 80], [103, 88, 85, 83]]


def test_wide_does_not_fill_with_zeros():
    table = wide(rows.runs({"base": A[:3], "softmax": B[:2]}, diverged={"base": [1]}))
    assert list(table.columns) == [
        "dataset", "dataset_digest", "seed", "base_misses", "base_status", "softmax_misses", "softmax_status",
        "n_ok",
    ]  # fmt: skip
    assert table["base_misses"].dtype == table["softmax_misses"].dtype == pd.Int64Dtype()
    assert list(table["base_misses"].isna()) == [False, True, False]
    assert list(table["softmax_misses"].isna()) == [False, False, True]
    assert list(table["base_status"]) == ["ok", "diverged", "ok"]
    assert list(table["n_ok"]) == [2, 1, 1]


def test_curve_has_a_row_per_epoch():
    frame = rows.epochs({"base": BEST})
    table = curve(rows.histories(frame), rows.last(frame))
    assert list(table["epoch"]) == [1, 2, 3, 4]
    assert list(table["mean"]) == pytest.approx([301 / 3, 269 / 3, 82, 247 / 3])
    assert list(table["q50"]) == [100, 90, 82, 83]
    assert list(table["q25"]) == pytest.approx([np.quantile(np.array(BEST)[:, i], 0.25) for i in range(4)])
    last = summary(rows.last(frame)).iloc[0]
    assert tuple(table.iloc[-1][["ci_lo", "ci_hi"]]) == pytest.approx((last["ci_lo"], last["ci_hi"]))


def test_curve_counts_only_the_runs_not_yet_diverged():
    frame = rows.epochs({"base": BEST})
    gone = (frame["seed"] == 1) & (frame["epoch"] >= 3)
    frame.loc[gone, ["test_misses", "test_loss"]] = pd.NA
    table = curve(rows.histories(frame), rows.runs({"base": A}))
    assert list(table["n_ok"]) == [3, 3, 2, 2]
    assert list(table["mean"])[2:] == [np.mean([82, 85]), np.mean([84, 83])]


def test_curve_of_one_run_has_no_interval():
    frame = rows.epochs({"base": [[90, 80]]})
    table = curve(rows.histories(frame), rows.last(frame))
    assert table["ci_lo"].isna().all()
    assert list(table["mean"]) == [90, 80]


def test_precision_of_the_stored_seeds_and_of_more():
    table = precision(rows.runs({"base": A}))
    assert list(table.loc[~table["extrapolated"], "n"]) == [10]
    assert {5, 50, 1000} <= set(table["n"])
    with pytest.raises(ValueError, match="two runs that differ"):
        precision(rows.runs({"base": [80]}))


def test_precision_takes_the_difference_and_the_correlation():
    runs = rows.runs({"base": A})
    default, large = precision(runs), precision(runs, delta=6)
    assert large["needed_unpaired"].iloc[0] < default["needed_unpaired"].iloc[0]
    assert "to detect 6 misses" in large.attrs["notes"][-1]
    correlated = precision(runs, correlation=0.9)
    assert (correlated["mdd_paired"] < default["mdd_paired"]).all()
    assert (correlated["mdd_unpaired"] == default["mdd_unpaired"]).all()


@pytest.mark.parametrize("delta", [0.01, 1.0, 30.0, 500.0])
def test_seeds_needed_are_finite_whole_numbers(delta):
    table = precision(rows.runs({"base": A}), delta=delta)
    assert (table[["needed_unpaired", "needed_paired"]] >= 2).all(axis=None)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"delta": 0.0}, "delta = 0 is out of range"),
        ({"delta": math.nan}, "delta = nan is out of range"),
        ({"correlation": 1.0}, "correlation = 1 is out of range"),
    ],
)
def test_precision_refuses_values_out_of_range(options, line):
    with pytest.raises(ValueError, match=line):
        precision(rows.runs({"base": A}), **options)
