"""Differences between variants: the oracle numbers as a table, and when runs may be paired."""

import math

import numpy as np
import pandas as pd
import pytest
import rows
from rows import A, B, C

from sweep.analysis.pairs import pairs


def test_steps_are_paired_by_seed():
    table = pairs(rows.epochs({"base": A, "softmax": B, "adamw": C}))
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
    table = pairs(rows.epochs({"base": A, "softmax": B, "adamw": C}), family="all")
    assert len(table) == 3
    by_name = table.set_index(["a", "b"])["p_holm"]
    assert by_name["base", "softmax"] == pytest.approx(0.00159034, rel=5e-6)
    assert by_name["softmax", "adamw"] == pytest.approx(7.42091e-6, rel=5e-6)
    assert by_name["base", "adamw"] == pytest.approx(7.42091e-6, rel=5e-6)
    assert set(table["family"]) == {"all (3)"}
    with pytest.raises(ValueError, match="unknown family 'al': did you mean 'all'"):
        pairs(rows.epochs({"base": A, "softmax": B}), family="al")


@pytest.mark.parametrize("differs", [{"device": "NVIDIA H100"}, {"code": "0.2.0"}, {"first_seed": 50}])
def test_other_device_code_or_seeds_are_not_paired(differs):
    frame = pd.concat([rows.epochs({"base": A}), rows.epochs({"softmax": B}, **differs)], ignore_index=True)
    step = pairs(frame).iloc[0]
    assert (step["design"], step["n_pairs"]) == ("unpaired", 0)
    assert step["p_t"] == pytest.approx(0.178998, abs=5e-7)
    assert step["hedges_g"] == pytest.approx(0.598941, abs=5e-7)
    assert np.isnan([step["r"], step["p_perm"], step["poi_same_seed"]]).all()


def test_a_diverged_run_takes_its_partner_out_of_the_pairs_but_keeps_its_rank():
    frame = rows.epochs({"base": A, "softmax": B}, diverged={"softmax": [0]})
    step = pairs(frame).iloc[0]
    assert (step["n_a"], step["n_b"], step["n_pairs"], step["n_dropped"]) == (10, 9, 9, 1)
    assert step["mean_b"] == pytest.approx(np.mean(B[1:]))
    plain = pairs(rows.epochs({"base": A, "softmax": B})).iloc[0]
    assert step["poi"] > plain["poi"]  # 87 became worse than any number


def test_digits_differ_so_variants_are_not_compared():
    frame = pd.concat(
        [rows.epochs({"base": A}), rows.epochs({"softmax": B}, dataset="usps")], ignore_index=True
    )
    with pytest.raises(ValueError, match="two variants with two runs each on the same digits"):
        pairs(frame)
    with pytest.raises(ValueError, match="two variants with two runs each"):
        pairs(rows.epochs({"base": A, "softmax": [80]}))


def test_recipes_are_compared_only_when_asked_for_all_pairs():
    frame = rows.epochs({"base": A, "base@karpathy": B})
    with pytest.raises(ValueError, match="two variants"):
        pairs(frame)
    assert len(pairs(frame, family="all")) == 1


def test_identical_and_constant_differences():
    same = pairs(rows.epochs({"base": A, "softmax": A})).iloc[0]
    assert (same["diff"], same["p_t"], same["p_holm"]) == (0, 1, 1)
    shifted = pairs(rows.epochs({"base": A, "softmax": A + 2})).iloc[0]
    assert math.isnan(shifted["p_t"])
    assert shifted["p_perm"] == shifted["p_holm"] == 2 / 2**10
