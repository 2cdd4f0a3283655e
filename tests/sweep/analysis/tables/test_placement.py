"""Table `published`: published numbers among the seeds."""

import math

import pytest

from sweep.analysis.tables.placement import published
from sweep.analysis.tables.summary import summary
from tests.sweep.analysis import rows
from tests.sweep.analysis.rows import X200, A, B, C


def test_among_many_seeds():
    table = published(rows.runs({"base": X200})).set_index("source")
    assert list(table.loc[["LeCun 1989", "Karpathy", "Chang"], "misses_exact"]) == [102, 82, 74]
    assert list(table.loc[["LeCun 1989", "Karpathy", "Chang"], "same_data"]) == ["no", "no", "yes"]
    assert tuple(table.loc["Karpathy", ["n", "n_lt", "n_eq", "n_gt"]]) == (200, 80, 13, 107)
    assert table.loc["Chang", "p_mid"] == pytest.approx(0.139303, abs=5e-7)
    assert table.loc["Chang", "verdict"] == "within the prediction interval for a new seed"
    assert table.loc["LeCun 1989", "verdict"].startswith("descriptive")
    assert table.loc["Karpathy", "verdict"] == "within the prediction interval for a new seed and test set"
    assert {"yomei-o", "chenyuxyz", "josherich (MLX)", "josherich (tinygrad)"} <= set(table.index)


def test_few_seeds_have_no_rank_p_value_and_one_seed_only_a_difference():
    few = published(rows.runs({"base": A})).set_index("source")
    assert few[["p_mid", "p_cons"]].isna().all(axis=None)
    assert few.loc["Karpathy", "p_model"] == pytest.approx(0.839555, abs=5e-7)
    one = published(rows.runs({"base": [80]})).set_index("source")
    assert one.loc["Chang", "diff"] == -6
    assert one[["percentile", "pct_lo", "p_mid", "p_model", "p_newdata"]].isna().all(axis=None)


def test_only_runs_of_the_published_variant():
    ours = {"base,learning_rate=0.01": A, "base@karpathy": B, "softmax": C}
    table = published(rows.runs(ours))
    assert set(table["variant"]) == {"base@karpathy", "softmax"}
    assert set(table.loc[table["variant"] == "base@karpathy", "recipe"]) == {"karpathy"}


def test_numbers_of_more_digits_are_placed_among_runs_on_as_many():
    frame = rows.epochs(
        {"base,epochs=100": [[60.0] * 100, [52.0] * 100]}, dataset="mnist,n_train=50000", sizes=(50000, 2007)
    )
    table = published(rows.last(frame))
    assert list(table["source"]) == ["Karpathy (blog)"]
    assert tuple(table.loc[0, ["misses_exact", "n_train", "epochs"]]) == (55, 50000, 100)


def test_a_test_set_of_another_size_is_refused_or_warned_about():
    small = rows.runs({"base": A}, dataset="mnist5k", sizes=(3920, 1080))
    with pytest.raises(ValueError, match=r"no published number fits .* these runs have 3,920 \+ 1,080"):
        published(small)
    notes = published([*rows.runs({"base": A}), *small]).attrs["notes"]
    warning = next(note for note in notes if note.startswith("WARNING"))
    assert "mnist5k has 1,080 test digits, the published numbers are out of 2,007" in warning
    assert math.isnan(summary(small)["chang"].iloc[0])


def test_usps_may_be_the_digits_of_the_paper():
    table = published(rows.runs({"base": X200}, dataset="usps")).set_index("source")
    assert list(table.loc[["LeCun 1989", "Karpathy", "Chang"], "same_data"]) == ["maybe", "no", "no"]
