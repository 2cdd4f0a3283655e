"""Hypothesis strategies for seeds."""

from hypothesis import strategies as st

from sweep.spec.seeds import SeedRanges

any_ranges = st.lists(
    st.builds(lambda start, size: range(start, start + size), st.integers(0, 200), st.integers(0, 50)),
    max_size=6,
)
seed_ranges = st.builds(SeedRanges, any_ranges)


def seeds_of(ranges: SeedRanges) -> set[int]:
    return {seed for r in ranges.ranges for seed in r}
