import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import DatasetOptions
from data.sampling import permutation, row_order


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([1, 2, 3, 7, 1625, 1626, 2007, 5000]),  # odd, even, one sort, two sorts
    layout=st.sampled_from(["notebook", "today"]),
)
def test_equals_jax_random_permutation(seed, n, layout):
    with jax.threefry_partitionable(layout == "today"):
        expected = jax.random.permutation(jax.random.PRNGKey(seed), n)
    np.testing.assert_array_equal(permutation(seed, n, layout), expected)


@pytest.mark.parametrize(
    ("layout", "first"),
    [("notebook", [785, 17765, 6756, 13031, 29657]), ("today", [23432, 10517, 31189, 4320, 53156])],
)
def test_permutations_of_the_publications(layout, first):
    rows = permutation(42, 60_000, layout)
    assert rows[:5].tolist() == first
    assert np.array_equal(np.sort(rows), np.arange(60_000))


def test_subsets_of_both_layouts_overlap_as_random_subsets_do():
    rows = [set(permutation(42, 60_000, layout)[:7291].tolist()) for layout in ("notebook", "today")]
    assert len(rows[0] & rows[1]) == 882


def test_usps_is_in_file_order_by_default():
    assert np.array_equal(row_order(DatasetOptions("usps"), 2007), np.arange(2007))
    assert np.array_equal(
        row_order(DatasetOptions("usps", subset_seed=3), 2007), permutation(3, 2007, "notebook")
    )
