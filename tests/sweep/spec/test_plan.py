"""Shards partition exactly what is missing."""

from hypothesis import given
from hypothesis import strategies as st

from model.variants import variant
from sweep.spec.plan import plan
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell
from tests.sweep.spec.ranges import seed_ranges, seeds_of

CELLS = [Cell(variant(name), "mnist5k", "d" * 64, 3920) for name in ("base", "dropout")]


@given(seed_ranges, seed_ranges, seed_ranges, st.integers(1, 40))
def test_shards_partition_the_missing_seeds(wanted, done, checkpointed, width):
    cell = CELLS[0]
    shards = plan([cell], wanted, {cell.key: done}, {cell.key: checkpointed.ranges}, width)
    planned = [seed for shard in shards for seed in shard.seeds]
    assert sorted(planned) == sorted(seeds_of(wanted) - seeds_of(done))
    assert all(len(s.seeds) <= width or s.seeds in checkpointed.ranges for s in shards)


@given(seed_ranges, seed_ranges, st.integers(1, 40))
def test_a_checkpointed_shard_is_planned_unchanged_when_all_its_seeds_are_missing(
    wanted, checkpointed, width
):
    cell = CELLS[0]
    shards = plan([cell], wanted, {}, {cell.key: checkpointed.ranges}, width)
    for seeds in checkpointed.ranges:
        if set(seeds) <= seeds_of(wanted):
            assert seeds in [s.seeds for s in shards]


def test_overlapping_checkpoints_are_planned_once():
    cell = CELLS[0]
    shards = plan([cell], SeedRanges.parse("0:16"), {}, {cell.key: [range(4, 12), range(0, 8)]}, 16)
    assert [s.seeds for s in shards] == [range(0, 8), range(8, 16)]


def test_longest_work_comes_first_and_cells_do_not_share_completion():
    base = CELLS[0]
    shards = plan(CELLS, SeedRanges.parse("0:16"), {base.key: SeedRanges.parse("0:8")}, {}, 8)
    assert [s.title for s in shards] == ["dropout[0:8]", "dropout[8:16]", "base[8:16]"]


def test_a_shard_has_one_name_and_another_one_for_other_seeds_or_digits():
    def name(cell, width):
        return plan([cell], SeedRanges.parse("0:4"), {}, {}, width)[0].name

    assert name(CELLS[0], 4) == name(CELLS[0], 4) != name(CELLS[0], 2)
    assert name(CELLS[0], 4) != name(Cell(CELLS[0].variant, "mnist5k", "e" * 64, 3920), 4)


def test_the_stored_name_of_a_shard():
    shard = plan(CELLS[:1], SeedRanges.parse("32:48"), {}, {}, 16)[0]
    assert shard.path == "base-e68e20d5/mnist5k-dddddddd/seeds-32-47-8ca63b05"
