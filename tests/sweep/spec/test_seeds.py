"""SeedRanges is a set of integers, in one canonical form."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweep.spec.seeds import MAX_SEED, SeedRanges
from tests.sweep.spec.ranges import any_ranges, seed_ranges, seeds_of


@given(any_ranges)
def test_any_ranges_become_disjoint_ascending_ones_with_gaps(ranges):
    seeds = SeedRanges(ranges)
    assert seeds_of(seeds) == {seed for r in ranges for seed in r}
    assert all(len(r) for r in seeds.ranges)
    assert all(a.stop < b.start for a, b in pairwise(seeds.ranges))


@given(seed_ranges, seed_ranges)
def test_operators_are_the_set_operations(left, right):
    a, b = seeds_of(left), seeds_of(right)
    assert seeds_of(left | right) == a | b
    assert seeds_of(left & right) == a & b
    assert seeds_of(left - right) == a - b
    assert len(left) == len(a)
    assert bool(left) == bool(a)
    assert (left == right) == (a == b)
    assert [seed in left for seed in range(260)] == [seed in a for seed in range(260)]


@given(seed_ranges, st.integers(1, 60))
def test_split_gives_consecutive_pieces_of_at_most_the_width(seeds, width):
    pieces = seeds.split(width)
    assert SeedRanges(pieces) == seeds
    assert sum(map(len, pieces)) == len(seeds)
    assert all(1 <= len(piece) <= width for piece in pieces)
    assert all(a.stop <= b.start for a, b in pairwise(pieces))


@given(seed_ranges.filter(len))
def test_the_text_form_reads_back(seeds):
    assert SeedRanges.parse(str(seeds)) == seeds


def test_the_text_form_is_the_stored_one():
    assert str(SeedRanges.parse(" 7, 0:4 ,4:6,100:110")) == "0:6,7:8,100:110"
    assert str(SeedRanges()) == ""
    assert str(SeedRanges.parse("007:010")) == "7:10"


@given(st.integers(0, MAX_SEED))
@example(MAX_SEED)
def test_every_seed_can_be_written(seed):
    seeds = SeedRanges.parse(str(seed))
    assert seeds.ranges == (range(seed, seed + 1),)
    assert seeds - SeedRanges() == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a seed or a range: write 7, or 0:64"),
        ("many", "not a seed or a range"),
        ("1:2:3", "not a seed or a range"),
        ("-1:4", "not a seed or a range"),
        ("²:9", "not a seed or a range"),
        ("0:8,", "not a seed or a range"),
        ("9:3", "'9:3' is an empty range"),
        ("4:4", "'4:4' is an empty range"),
        (str(MAX_SEED + 1), "too large: seeds go up to 4294967295"),
        (f"0:{MAX_SEED + 2}", "too large"),
        ("9" * 5000, "too large"),
        ("x" * 5000, "not a seed or a range"),
    ],
)
def test_wrong_text_gives_one_short_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        SeedRanges.parse(text)
    assert len(str(error.value)) < 120
    assert "\n" not in str(error.value)
