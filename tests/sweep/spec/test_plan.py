"""Shards partition exactly what is missing."""

from hypothesis import given
from hypothesis import strategies as st

from model.variants import variant
from sweep.spec.plan import Cell, intersect, plan, subtract

CELLS = [Cell(variant(name), "mnist5k", "d" * 64) for name in ("base", "dropout")]


@st.composite
def seed_ranges(draw, most=6):
    """Disjoint ascending ranges."""
    cuts = sorted(draw(st.sets(st.integers(0, 200), max_size=2 * most)))
    return [range(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


def seeds_of(ranges):
    return [seed for r in ranges for seed in r]


@given(seed_ranges(), seed_ranges(), seed_ranges(), st.integers(1, 40))
def test_shards_partition_the_missing_seeds(wanted, done, begun, width):
    cell = CELLS[0]
    shards = plan([cell], wanted, {cell.key: done}, {cell.key: begun}, width)
    planned = [seed for shard in shards for seed in shard.seeds]
    assert sorted(planned) == sorted(set(seeds_of(wanted)) - set(seeds_of(done)))
    assert all(len(s.seeds) <= width or s.seeds in begun for s in shards)


@given(seed_ranges(), seed_ranges(), st.integers(1, 40))
def test_a_begun_shard_is_planned_as_it_stands_when_all_its_seeds_are_missing(wanted, begun, width):
    cell = CELLS[0]
    shards = plan([cell], wanted, {}, {cell.key: begun}, width)
    for b in begun:
        if set(b) <= set(seeds_of(wanted)):
            assert b in [s.seeds for s in shards]


@given(seed_ranges(), seed_ranges())
def test_subtract_and_intersect_are_set_operations(left, right):
    assert seeds_of(subtract(left, right)) == sorted(set(seeds_of(left)) - set(seeds_of(right)))
    for r in right:
        assert seeds_of(intersect(left, r)) == sorted(set(seeds_of(left)) & set(r))


def test_longest_work_comes_first_and_cells_do_not_share_completion():
    base = CELLS[0]
    shards = plan(CELLS, [range(16)], {base.key: [range(8)]}, {}, 8)
    assert [s.title for s in shards] == ["dropout[0:8]", "dropout[8:16]", "base[8:16]"]


def test_a_shard_has_one_name_and_another_one_for_other_seeds_or_digits():
    def name(cell, width):
        return plan([cell], [range(4)], {}, {}, width)[0].name

    assert name(CELLS[0], 4) == name(CELLS[0], 4) != name(CELLS[0], 2)
    assert name(CELLS[0], 4) != name(Cell(CELLS[0].variant, "mnist5k", "e" * 64), 4)
