"""Table `pairs`: the oracle numbers, and when runs are paired."""

import math

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from sweep.analysis.tables.pairs import pairs
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import A, B, C


def test_steps_are_paired_by_seed():
    table = pairs(rows.runs({"base": A, "softmax": B, "adamw": C}))
    assert list(zip(table["a"], table["b"], strict=True)) == [("base", "softmax"), ("softmax", "adamw")]
    step = table.iloc[0]
    assert (step["design"], step["n_pairs"], step["n_dropped"]) == ("paired", 10, 0)
    assert step["diff"] == pytest.approx(3.7)
    assert step["diff_pp"] == pytest.approx(100 * 3.7 / 2007)
    assert (step["ci_lo"], step["ci_hi"]) == pytest.approx((1.820911, 5.579089), abs=5e-7)
    assert (step["p_perm"], step["p_rank"]) == (0.0078125, 0.0078125)
    assert step["poi"] == pytest.approx(0.665)
    assert step["poi_same_seed"] == pytest.approx(0.85)
    assert step["p_tost"] == pytest.approx(0.0760095, abs=5e-8)
    assert math.isnan(step["hedges_g"])


def test_all_pairs_are_one_family():
    table = pairs(rows.runs({"base": A, "softmax": B, "adamw": C}), family="all")
    assert len(table) == 3
    by_name = table.set_index(["a", "b"])["p_holm"]
    assert by_name["base", "softmax"] == pytest.approx(0.00159034, rel=5e-6)
    assert by_name["softmax", "adamw"] == pytest.approx(7.42091e-6, rel=5e-6)
    assert by_name["base", "adamw"] == pytest.approx(7.42091e-6, rel=5e-6)
    assert set(table["family"]) == {"all (3)"}
    with pytest.raises(ValueError, match="unknown family 'al': did you mean 'all'"):
        pairs(rows.runs({"base": A, "softmax": B}), family="al")


@pytest.mark.parametrize("differs", [{"device": "NVIDIA H100"}, {"code": "0.2.0"}])
def test_runs_of_another_device_or_version_are_paired_by_seed(differs):
    table = pairs([*rows.runs({"base": A}), *rows.runs({"softmax": B}, **differs)])
    assert_frame_equal(table, pairs(rows.runs({"base": A, "softmax": B})))


def test_other_seeds_are_not_paired():
    frame = [*rows.runs({"base": A}), *rows.runs({"softmax": B}, first_seed=50)]
    step = pairs(frame).iloc[0]
    assert (step["design"], step["n_pairs"]) == ("unpaired", 0)
    assert step["p_t"] == pytest.approx(0.178998, abs=5e-7)
    assert step["hedges_g"] == pytest.approx(0.598941, abs=5e-7)
    assert np.isnan([step["r"], step["p_perm"], step["poi_same_seed"]]).all()


def test_a_diverged_run_takes_its_partner_out_of_the_pairs_but_keeps_its_rank():
    frame = rows.runs({"base": A, "softmax": B}, diverged={"softmax": [0]})
    step = pairs(frame).iloc[0]
    assert (step["n_a"], step["n_b"], step["n_pairs"], step["n_dropped"]) == (10, 9, 9, 1)
    assert step["mean_b"] == pytest.approx(np.mean(B[1:]))
    plain = pairs(rows.runs({"base": A, "softmax": B})).iloc[0]
    assert step["poi"] > plain["poi"]  # 87 became worse than any number


def test_two_runs_of_two_variants_are_needed():
    with pytest.raises(ValueError, match="two variants with two runs each"):
        pairs(rows.runs({"base": A, "softmax": [80]}))
    with pytest.raises(ValueError, match="family 'recipes' has no pair"):
        pairs(rows.runs({"base": A, "softmax": B}), family="recipes")
    with pytest.raises(ValueError, match="margin = -1 is out of range"):
        pairs(rows.runs({"base": A, "softmax": B}), margin=-1)


@pytest.mark.parametrize("family", ["steps", "all", "recipes"])
def test_recipes_are_compared_unpaired(family):
    runs = rows.runs({"base": A, "base@karpathy": B})
    table = pairs(runs, family=family)
    assert list(table["design"]) == ["unpaired"]
    assert table["p_t"].iloc[0] == pytest.approx(0.178998, abs=5e-7)
    assert any("the comparison is unpaired" in note for note in table.attrs["notes"])


@pytest.mark.parametrize("family", ["steps", "all", "datasets"])
def test_data_sets_are_compared_unpaired(family):
    runs = [*rows.runs({"base": A}), *rows.runs({"base": B}, dataset="usps")]
    table = pairs(runs, family=family)
    assert list(table["design"]) == ["unpaired"]
    assert list(table["dataset"]) == ["mnist → usps"]
    assert any("the comparison is unpaired" in note for note in table.attrs["notes"])


def test_steps_stay_within_recipe_and_data_set():
    runs = [
        *rows.runs({"base": A, "softmax": B, "base@karpathy": C, "softmax@karpathy": A}),
        *rows.runs({"base": B, "softmax": C}, dataset="usps"),
    ]
    table = pairs(runs)
    assert set(table["design"]) == {"paired"}
    assert len(table) == 3
    assert not any("unpaired" in note for note in table.attrs["notes"])
    assert len(pairs(runs, family="all")) == 15
    assert list(pairs(runs, family="recipes")["b"]) == ["base@karpathy", "softmax@karpathy"]
    assert len(pairs(runs, family="datasets")) == 2


def test_test_sets_of_other_sizes_are_compared_at_the_same_size():
    large = rows.runs({"base": A})
    small = rows.runs({"base": A / 2}, dataset="half", sizes=(7291, 1003.5))
    table = pairs([*large, *small])
    assert table["diff"].iloc[0] == pytest.approx(np.mean(np.floor(A / 2) * 2007 / 1003 - A))
    assert any("scaled to the size" in note for note in table.attrs["notes"])


def test_identical_and_constant_differences():
    same = pairs(rows.runs({"base": A, "softmax": A})).iloc[0]
    assert (same["diff"], same["p_t"], same["p_holm"]) == (0, 1, 1)
    shifted = pairs(rows.runs({"base": A, "softmax": A + 2})).iloc[0]
    assert math.isnan(shifted["p_t"])
    assert shifted["p_perm"] == shifted["p_holm"] == 2 / 2**10
