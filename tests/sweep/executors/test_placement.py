"""Placement of shards on devices, and their widths: properties over nodes as plain data."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from model.engines import CPU_WIDTH, PALLAS_WIDTH, WIDEST_BLOCK, block_width
from model.variants import VARIANTS, variant
from sweep.executors.placement import Fleet, Node, capacity_to_come, join, joined, split_tail
from sweep.spec.plan import plan
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell, Shard

CELLS = [Cell(variant(name), "mnist", "0" * 64, 7291) for name in ("base", "softmax")]
HEAD = Node("head", {"CPU": 0})
CPU = Node("cpu", {"CPU": 16})
GPU = Node("gpu", {"CPU": 8, "GPU": 1, "accelerator_type:L4": 1})
TPU = Node("tpu", {"CPU": 112, "TPU": 8, "accelerator_type:TPU-V5LITEPOD": 1})


def shards_of(stop, width=16):
    return plan(CELLS, SeedRanges([range(stop)]), {}, {}, width)


def seeds(shards):
    return sorted((s.cell.variant.name, seed) for s in shards for seed in s.seeds)


def test_auto_selects_the_fastest_kind_that_exists_or_may_be_added():
    assert Fleet([HEAD]).main_device == "cpu"
    assert Fleet([HEAD, CPU]).main_device == "cpu"
    assert Fleet([HEAD, CPU, GPU]).main_device == "gpu"
    assert Fleet([CPU, GPU, TPU]).main_device == "tpu"
    assert Fleet([HEAD], {"CPU": 64, "GPU": 2}).main_device == "gpu"
    assert Fleet([HEAD, GPU], {"TPU": 8.0}).main_device == "tpu"


def test_the_future_capacity_is_read_from_the_cluster_file():
    config = yaml.safe_load((Path(__file__).parents[3] / "cluster.yaml").read_text())
    assert capacity_to_come(config)["TPU"] == 4 * 8 + 2 * 8
    assert Fleet([HEAD], capacity_to_come(config)).main_device == "tpu"
    for name in config["available_node_types"]:
        if name.startswith("tpu"):
            config["available_node_types"][name]["max_workers"] = 0
    assert Fleet([HEAD], capacity_to_come(config)).main_device == "gpu"


def test_one_chip_one_card_or_one_core_a_shard_and_no_core_beside_a_chip():
    fleet = Fleet([HEAD, CPU, GPU, TPU])
    assert [fleet.slots(d) for d in ("tpu", "gpu", "cpu")] == [8, 1, 16]
    assert [node.id for node in fleet.secondary_nodes("tpu")] == ["gpu", "cpu"]
    assert not Fleet([HEAD, TPU]).secondary_nodes("tpu")


def test_width_is_the_preferred_width_of_the_devices_engine():
    devices = (("TPU", "TPU-V5LITEPOD"), ("TPU", "TPU-V6E"), ("GPU", "H100"))
    fleets = [Fleet([Node("n", {unit: 1, f"accelerator_type:{kind}": 1})]) for unit, kind in devices]
    widths = [fleet.width(fleet.main_device) for fleet in fleets]
    assert widths == [512, 512, 2048]
    assert Fleet([CPU]).width("cpu") == CPU_WIDTH
    assert Fleet([]).width("tpu") == Fleet([Node("n", {"TPU": 1, "accelerator_type:new": 1})]).width("tpu")


@given(st.integers(0, 2**40))
def test_a_block_is_a_power_of_two_and_never_narrower_than_on_a_cpu(memory):
    width = block_width(memory)
    assert 16 <= width <= WIDEST_BLOCK
    assert width & (width - 1) == 0


def after_joining(shards, width, checkpointed=()):
    left = list(shards)
    for group in join(shards, width, checkpointed):
        left = [s for s in left if s not in group] + [joined(group)]
    return left


@given(st.integers(1, 400), st.integers(1, 300), st.data())
def test_joining_keeps_every_seed_and_every_shard_with_a_checkpoint(stop, width, data):
    shards = shards_of(stop)
    checkpointed = set(data.draw(st.lists(st.sampled_from(shards), max_size=3)))
    left = after_joining(shards, width, checkpointed)
    assert all(len(s.seeds) <= max(width, CPU_WIDTH) for s in left)
    assert checkpointed <= set(left)
    assert seeds(left) == seeds(shards)


@given(st.integers(1, 3000))
def test_a_tpu_trains_each_cell_in_the_fewest_blocks(stop):
    """A narrower shard takes the time of a block of the engine pallas, so it is useless to spread few seeds."""
    left = after_joining(shards_of(stop), Fleet([TPU]).width("tpu"))
    assert len(left) == len(CELLS) * -(-stop // PALLAS_WIDTH)
    assert sum(len(s.seeds) % PALLAS_WIDTH != 0 for s in left) == len(CELLS) * (stop % PALLAS_WIDTH != 0)


def test_1000_seeds_of_five_variants_are_ten_blocks():
    cells = [Cell(v, "mnist", "0" * 64, 7291) for v in VARIANTS.values()]
    shards = plan(cells, SeedRanges([range(1000)]), {}, {}, CPU_WIDTH)
    widths = [len(s.seeds) for s in after_joining(shards, Fleet([TPU]).width("tpu"))]
    assert sorted(widths) == [488] * 5 + [512] * 5


@given(st.integers(1, 300), st.integers(1, 64))
def test_a_tail_is_split_off_the_end_and_no_seed_is_lost(count, width):
    shard = Shard(CELLS[0], range(10, 10 + count))
    parts = split_tail(shard, width)
    assert [seed for part in parts for seed in part.seeds] == list(shard.seeds)
    assert len(parts[-1].seeds) == min(count, width)
