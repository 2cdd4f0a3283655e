"""Table `rejection`, and the rejection rate of a run."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.analysis.rejection import Rejection, reduce_rejection, rejection_rate
from sweep.analysis.selection import Selection
from sweep.analysis.statistics import mean_interval
from sweep.analysis.tables.format import main_columns
from sweep.analysis.tables.rejection import TABLE, rejection
from tests.sweep.analysis import rows
from tests.sweep.analysis.stored import stored

PAPER = rows.cell("base@paper,damping=0.02", "usps")


@settings(max_examples=200, deadline=None)
@given(
    digits=st.lists(
        st.tuples(st.booleans(), st.sampled_from([0, 0.25, 0.5, 1, np.inf])), min_size=1, max_size=9
    ),
    allowed=st.sampled_from([0, 0.2, 0.34, 0.5, 1]),
)
def test_the_rate_is_that_of_the_best_threshold(digits, allowed):
    wrong, margins = (np.array(column) for column in zip(*digits, strict=True))
    accepted = [margins >= threshold for threshold in margins]
    fits = [a.sum() for a in accepted if wrong[a].mean() <= allowed]
    rate = rejection_rate(wrong.astype(bool), margins.astype(np.float16), allowed)
    assert rate == pytest.approx(1 - max(fits, default=0) / len(digits))


def test_hand_computed_rates():
    margins = np.arange(200, 0, -1, dtype=np.float16)
    wrong = np.zeros(200, bool)
    wrong[[150, 160, 170]] = True
    assert rejection_rate(wrong, margins) == pytest.approx(
        1 - 160 / 200
    )  # 1 of 160 is less than 1 %, 2 of 161 more
    assert rejection_rate(~wrong, margins) == 1
    wrong[170] = False
    assert rejection_rate(wrong, margins) == 0  # 2 of 200
    margins[[10, 11]] = np.nan  # rejected before any other digit
    wrong[[10, 11, 160]] = True, True, False
    assert rejection_rate(wrong, margins) == pytest.approx(2 / 200)


def test_runs_without_margins_and_diverged_runs_are_left_out():
    truth = np.zeros(4, np.uint8)
    right, margins = bytes(4), np.array([1, 2, 3, 4], np.float16)
    batch = pd.DataFrame({"predictions": [right, right, None], "margins": [margins, None, None]})
    found = reduce_rejection(PAPER, 7291, truth, [batch, batch.iloc[2:]])
    assert (list(found.rates), found.without) == ([0.0], 1)
    table = rejection([found])
    assert (
        "base@paper,damping=0.02: 1 of 2 runs have no stored margins and are left out."
        in table.attrs["notes"]
    )


def test_the_published_rate_is_beside_every_setting_of_its_variant():
    rates = np.array([0.10, 0.12, 0.13])
    cells = [
        Rejection(PAPER, 7291, 2007, rates, 0),
        Rejection(rows.cell("base"), 5000, 2007, rates, 0),
        Rejection(rows.cell("dropout"), 7291, 2007, rates, 0),
    ]
    table = rejection(cells)
    assert list(table["published"]) == ["LeCun 1989 12.1", "", ""]
    row = table.iloc[0]
    assert (row["n"], row["mean"], row["best"], row["worst"]) == pytest.approx((3, 35 / 3, 10, 13))
    assert (row["ci_lo"], row["ci_hi"]) == pytest.approx(mean_interval(100 * rates))
    assert row["sd"] == pytest.approx(np.std([10, 12, 13], ddof=1))
    assert "published %" in [column.title for column in main_columns(table, TABLE.columns)]


def test_old_runs_get_one_clear_line(tmp_path):
    store = stored(tmp_path, {"base": np.zeros((2, 60), bool)}, margins=False)
    with pytest.raises(
        ValueError, match=r"^rejection needs the margins .*: train them again in another root$"
    ):
        TABLE.make(Selection(store))
