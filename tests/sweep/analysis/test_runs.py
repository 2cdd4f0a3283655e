"""Order of cells in tables."""

import pytest

from sweep.analysis.runs import natural


@pytest.mark.parametrize(
    "ascending",
    [
        ["mnist,n_train=2000", "mnist,n_train=10000"],
        ["base,learning_rate=1e-05", *(f"base,learning_rate={rate}" for rate in (0.003, 0.01, 0.1, 0.3, 1))],
    ],
)
def test_numbers_in_names_are_sorted_by_value(ascending):
    assert sorted(set(ascending), key=natural) == ascending
