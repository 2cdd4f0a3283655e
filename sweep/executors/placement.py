"""Placement: the device and the width of each shard. Pure functions of plain data; does not import Ray."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.engines import Platform, preferred_width
from sweep.spec.shard import Shard

FASTEST_FIRST: tuple[Platform, ...] = ("tpu", "gpu", "cpu")
RESOURCE = {"tpu": "TPU", "gpu": "GPU", "cpu": "CPU"}  # Ray's names

# Memory of one chip or card, by Ray's name of its type.
_GIGABYTES = {"TPU-V4": 32, "TPU-V5P": 95, "TPU-V5LITEPOD": 16, "TPU-V6E": 32}
_GIGABYTES |= {"T4": 16, "V100": 16, "A10G": 24, "L4": 24, "L40S": 48, "A100": 40, "A100-80G": 80}
_GIGABYTES |= {"H100": 80, "H200": 141, "B200": 180}
_SMALLEST_GIGABYTES = 16


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    resources: Mapping[str, float]  # Ray's: {"CPU": 112, "TPU": 8, "accelerator_type:TPU-V6E": 1}

    @property
    def device(self) -> Platform:
        """Device type of its shards. The cores of a node with accelerators run no shards."""
        return next((d for d in FASTEST_FIRST if self.resources.get(RESOURCE[d], 0) >= 1), "cpu")

    @property
    def slots(self) -> int:
        """Number of shards that it can run at once: one chip, one card or one core each."""
        return int(self.resources.get(RESOURCE[self.device], 0))

    @property
    def gigabytes(self) -> float:
        """Memory of each of its chips or cards."""
        names = [r.partition(":")[2] for r in self.resources if r.startswith("accelerator_type:")]
        return min((_GIGABYTES.get(name, _SMALLEST_GIGABYTES) for name in names), default=_SMALLEST_GIGABYTES)


@dataclass(frozen=True)
class Fleet:
    """The nodes of a cluster, and the capacity that the autoscaler may add."""

    nodes: Sequence[Node]
    to_come: Mapping[str, float] = field(default_factory=dict)  # maximum of each resource

    @property
    def main_device(self) -> Platform:
        """The fastest kind of device that exists or may be added. Shards request it."""
        kinds = {node.device for node in self.nodes if node.slots}
        kinds |= {d for d in FASTEST_FIRST if self.to_come.get(RESOURCE[d])}
        return next((d for d in FASTEST_FIRST if d in kinds), "cpu")

    def slots(self, device: Platform) -> int:
        """Number of shards that the nodes of a kind can run at once now."""
        return sum(node.slots for node in self.nodes if node.device == device)

    def secondary_nodes(self, device: Platform) -> list[Node]:
        """Nodes of other kinds than the main device, faster ones first. They take work from the end of the queue."""
        others = [n for n in self.nodes if n.device != device and n.slots]
        return sorted(others, key=lambda n: FASTEST_FIRST.index(n.device))

    def width(self, device: Platform) -> int:
        """Seeds of a shard that fill the smallest device of a kind."""
        memory = [node.gigabytes for node in self.nodes if node.device == device]
        return preferred_width(device, int(min(memory, default=_SMALLEST_GIGABYTES) * 10**9))


def capacity_to_come(config: Mapping[str, Any]) -> dict[str, float]:
    """Sum of each resource over the maximum number of workers of a cluster file."""
    types = config.get("available_node_types") or {}
    total: Counter[str] = Counter()
    for name, kind in types.items():
        if name != config.get("head_node_type"):
            workers = kind.get("max_workers", config.get("max_workers", 0))
            total.update({r: n * workers for r, n in (kind.get("resources") or {}).items()})
    return dict(total)


def join(shards: Sequence[Shard], width: int, keep: Collection[Shard]) -> list[tuple[Shard, ...]]:
    """Group adjacent shards for an accelerator.

    The engines pad a shard to whole blocks of `width` replicas, so a narrower shard takes as long as a full one, and
    more shards than necessary can only add time, however many devices are idle.

    Args:
      shards: the plan.
      width: maximum number of seeds of a joined shard.
      keep: shards that are not joined, because they have a checkpoint.

    Returns:
      Groups of two or more shards of one cell, without gaps.
    """
    groups: list[list[Shard]] = []
    candidates = [s for s in shards if s not in keep]
    for shard in sorted(candidates, key=lambda s: (s.cell.folder, s.cell.key, s.seeds.start)):
        last = groups[-1] if groups else []
        if (
            last
            and last[-1].cell == shard.cell
            and last[-1].seeds.stop == shard.seeds.start
            and shard.seeds.stop - last[0].seeds.start <= width
        ):
            last.append(shard)
        else:
            groups.append([shard])
    return [tuple(group) for group in groups if len(group) > 1]


def joined(group: Sequence[Shard]) -> Shard:
    """One shard with the seeds of adjacent shards."""
    return Shard(group[0].cell, range(group[0].seeds.start, group[-1].seeds.stop))


def split_tail(shard: Shard, width: int) -> tuple[Shard, ...]:
    """Split the last `width` seeds off a shard. One shard if there are no others."""
    cut = shard.seeds.stop - width
    if cut <= shard.seeds.start:
        return (shard,)
    return Shard(shard.cell, range(shard.seeds.start, cut)), Shard(shard.cell, range(cut, shard.seeds.stop))
