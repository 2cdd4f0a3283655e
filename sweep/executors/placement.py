"""What a cluster computes with, and how seeds are cut for it. Plain data in, plain data out: loads no Ray."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from model.engines import CPU_WIDTH, preferred_width
from sweep.spec.shard import Shard

Device = Literal["tpu", "gpu", "cpu"]
FASTEST_FIRST: tuple[Device, ...] = ("tpu", "gpu", "cpu")
RESOURCE = {"tpu": "TPU", "gpu": "GPU", "cpu": "CPU"}  # as Ray calls them

# Memory of one chip or card, by Ray's name of it.
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
    def device(self) -> Device:
        """What its shards run on: cores only where there is nothing faster, which needs them to be fed."""
        return next((d for d in FASTEST_FIRST if self.resources.get(RESOURCE[d], 0) >= 1), "cpu")

    @property
    def slots(self) -> int:
        """Shards that it can run at once: one chip, one card or one core each."""
        return int(self.resources.get(RESOURCE[self.device], 0))

    @property
    def gigabytes(self) -> float:
        """Memory of each of its chips or cards."""
        names = [r.partition(":")[2] for r in self.resources if r.startswith("accelerator_type:")]
        return min((_GIGABYTES.get(name, _SMALLEST_GIGABYTES) for name in names), default=_SMALLEST_GIGABYTES)


@dataclass(frozen=True)
class Fleet:
    """A cluster: the machines that are there, and what the autoscaler may still bring."""

    nodes: Sequence[Node]
    to_come: Mapping[str, float] = field(default_factory=dict)  # the most of each resource

    @property
    def device(self) -> Device:
        """The fastest kind that is there or may come: what shards ask for."""
        kinds = {node.device for node in self.nodes} | {
            d for d in FASTEST_FIRST if self.to_come.get(RESOURCE[d])
        }
        return next((d for d in FASTEST_FIRST if d in kinds), "cpu")

    def slots(self, device: Device) -> int:
        """Shards that machines of a kind can run at once now."""
        return sum(node.slots for node in self.nodes if node.device == device)

    def helpers(self, device: Device) -> list[Node]:
        """Machines of the other kinds, the faster first: they take work from the queue."""
        others = [n for n in self.nodes if n.device != device and n.slots]
        return sorted(others, key=lambda n: FASTEST_FIRST.index(n.device))

    def width(self, device: Device) -> int:
        """Seeds of a shard that fill a device of a kind: what its engine prefers."""
        memory = [node.gigabytes for node in self.nodes if node.device == device]
        return preferred_width(device, int(min(memory, default=_SMALLEST_GIGABYTES) * 10**9))


def to_come(config: Mapping[str, Any]) -> dict[str, float]:
    """The most of each resource that a cluster file's workers add up to."""
    types = config.get("available_node_types") or {}
    most: Counter[str] = Counter()
    for name, kind in types.items():
        if name != config.get("head_node_type"):
            workers = kind.get("max_workers", config.get("max_workers", 0))
            most.update({r: n * workers for r, n in (kind.get("resources") or {}).items()})
    return dict(most)


def join(
    shards: Sequence[Shard], width: int, at_least: int, keep: Collection[Shard]
) -> list[tuple[Shard, ...]]:
    """Neighbouring shards that become one, since an accelerator trains hundreds of seeds in the time of one.

    Args:
      shards: the plan.
      width: seeds of a joined shard, at most.
      at_least: shards that should remain, so that no device idles.
      keep: shards that stay as they are, since they have a checkpoint.

    Returns:
      Groups of two or more shards of one cell, without a gap.
    """
    width = min(width, max(CPU_WIDTH, -(-sum(len(s.seeds) for s in shards) // max(at_least, 1))))
    groups: list[list[Shard]] = []
    for shard in sorted(
        (s for s in shards if s not in keep), key=lambda s: (s.cell.folder, s.cell.key, s.seeds.start)
    ):
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


def merged(group: Sequence[Shard]) -> Shard:
    """One shard in the place of neighbours."""
    return Shard(group[0].cell, range(group[0].seeds.start, group[-1].seeds.stop))


def bite(shard: Shard, width: int) -> tuple[Shard, ...]:
    """The shard without its last seeds, and these: what a slower device takes. One shard when it takes all."""
    cut = shard.seeds.stop - width
    if cut <= shard.seeds.start:
        return (shard,)
    return Shard(shard.cell, range(shard.seeds.start, cut)), Shard(shard.cell, range(cut, shard.seeds.stop))
