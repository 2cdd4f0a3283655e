"""Table `decisions`: the first decision of each step, which later seeds do not change."""

import numpy as np
import pytest

from sweep.analysis.statistics import holm
from sweep.analysis.tables.decisions import decisions
from sweep.analysis.tables.pairs import pairs
from tests.sweep.analysis import rows

RNG = np.random.default_rng(5)
BASE = np.round(RNG.normal(75, 5, 40))
LOWER = np.round(BASE - RNG.normal(9, 4, 40))
SAME = np.round(LOWER + RNG.normal(0, 2, 40))


def test_each_step_has_the_decision_of_its_first_look():
    table = decisions(rows.runs({"base": BASE, "softmax": LOWER, "adamw": SAME}))
    assert list(zip(table["a"], table["b"], table["verdict"], table["seeds"], strict=True)) == [
        ("base", "softmax", "smaller", 16),
        ("softmax", "adamw", "equivalent", 16),
    ]
    assert (table["level"] == 0.025).all()
    assert (table["n"] == 40).all()
    assert (table["margin"] == 5).all()
    changed = [BASE.copy(), LOWER.copy(), SAME.copy()]
    changed[1][16:] += 50
    again = decisions(rows.runs(dict(zip(["base", "softmax", "adamw"], changed, strict=True))))
    assert again.drop(columns="n").equals(table.drop(columns="n"))


@pytest.mark.parametrize("options", [{}, {"first_seed": 50}], ids=["paired", "unpaired"])
def test_the_p_values_are_those_of_pairs_at_the_look(options):
    first = {"base": BASE[:16], "softmax": LOWER[:16]}
    frame = [*rows.runs({"base": first["base"]}), *rows.runs({"softmax": first["softmax"]}, **options)]
    known, found = pairs(frame).iloc[0], decisions(frame).iloc[0]
    assert found["p"] == pytest.approx(holm(np.array([known["p_t"]]))[0])
    assert found["p_equivalent"] == pytest.approx(known["p_tost"], rel=1e-9)
    assert found["diff"] == pytest.approx(known["diff"])


def test_before_the_first_look_and_wrong_options():
    few = rows.runs({"base": BASE[:15], "softmax": LOWER[:15]})
    row = decisions(few).iloc[0]
    assert (row["verdict"], row["seeds"]) == ("undecided", 0)
    with pytest.raises(ValueError, match="margin = 0 is out of range"):
        decisions(few, margin=0)
    with pytest.raises(ValueError, match="two variants with two runs each"):
        decisions(few[:1])
