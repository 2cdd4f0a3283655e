"""Is my run normal? One line, one row, one picture."""

import numpy as np
import pandas as pd
import pytest
import rows
from rows import X200, A

from sweep.analysis.compare import compare


def test_an_ordinary_run_among_many():
    answer = compare(rows.epochs({"base": X200}), "base", 74)
    assert answer.sentence == (
        "74 misses with base on mnist: ordinary. 11 of 200 seeds miss fewer, 5 as many, 184 more; mean 83.0, "
        "one more seed falls within 71–95 (95 %)."
    )
    assert answer.row.iloc[0]["p_mid"] == pytest.approx(0.139303, abs=5e-7)
    assert answer.figure.axes


@pytest.mark.parametrize(
    ("misses", "word"), [(102, "unusually many"), (60, "unusually few"), (83, "ordinary")]
)
def test_the_verdict_of_few_seeds_is_the_prediction_interval(misses, word):
    answer = compare(rows.epochs({"base": A}), "base", misses)
    assert f": {word}." in answer.sentence
    assert np.isnan(answer.row.iloc[0]["p_mid"])


def test_one_seed_and_seeds_that_agree_promise_nothing():
    assert "the only seed so far misses 80" in compare(rows.epochs({"base": [80]}), "base", 74).sentence
    same = rows.epochs({"base": [80, 80, 80]})
    assert "unlike any of 3 seeds gives (80)" in compare(same, "base", 74).sentence
    assert "what every one of 3 seeds gives" in compare(same, "base", 80).sentence


def test_wrong_requests():
    frame = rows.epochs({"base": A, "softmax": A[:1]}, diverged={"softmax": [0]})
    with pytest.raises(ValueError, match="no finished run has variant 'bse': did you mean 'base'"):
        compare(frame, "bse", 74)
    with pytest.raises(ValueError, match="misses = 3000: give a count from 0 to 2,007"):
        compare(frame, "base", 3000)
    with pytest.raises(ValueError, match="every run of softmax diverged"):
        compare(frame, "softmax", 74)
    both = pd.concat([frame, rows.epochs({"base": A}, dataset="usps")], ignore_index=True)
    with pytest.raises(ValueError, match="several data sets: choose one of mnist"):
        compare(both, "base", 74)
