"""Hours and dollars of a sweep on the machines of a cluster file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sweep.cluster.validate import read
from sweep.errors import SpecError
from sweep.spec.yamlfile import parse_mapping, read_mapping

_EXAMPLE = "a mapping such as 'n2-standard-16: 0.78', in dollars per hour"
_TYPE_KEYS = ("machineType", "acceleratorType", "InstanceType")  # of Google, its TPUs, and AWS


@dataclass(frozen=True)
class MachineCost:
    """A sweep on the machines of one node type."""

    node_type: str
    machine: str
    count: int  # machines that have work
    hours: float | None  # None: no time is known for this kind of device
    dollars: float | None  # None: no time, or no price


def read_prices(path: Path | None) -> dict[str, float]:
    """Dollars per hour of each machine type; None reads the table of the package.

    Raises:
      SpecError: no such table.
    """
    if path is None:
        text = resources.files("sweep.cluster").joinpath("prices.yaml").read_text()
        prices = parse_mapping(text, "prices.yaml", _EXAMPLE)
    else:
        prices = read_mapping(path, _EXAMPLE)
    for machine, price in prices.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            raise SpecError(
                f"{path or 'prices.yaml'}: {machine}: {price!r} is not a price in dollars per hour"
            )
    return prices


def cluster_costs(
    file: Path, prices: Mapping[str, float], core_seconds: float, longest: float, shards: int
) -> list[MachineCost]:
    """Time and price of a sweep on each node type that has only cores; of the others they are unknown.

    Args:
      file: the cluster file.
      prices: dollars per hour of a machine.
      core_seconds: time of all shards on one core.
      longest: time of the longest shard on one core.
      shards: number of shards; each uses one core.

    Raises:
      SpecError: not a cluster file, or it has no worker node type.
    """
    config = read(file)
    head = config.get("head_node_type")
    types = {name: node for name, node in config.get("available_node_types", {}).items() if name != head}
    costs = [
        _cost(name, node, prices, core_seconds, longest, shards)
        for name, node in types.items()
        if node.get("max_workers", 0) > 0
    ]
    if not costs:
        raise SpecError(f"{file}: has no node type with max_workers above 0")
    return costs


def _cost(
    name: str,
    node: Mapping[str, Any],
    prices: Mapping[str, float],
    core_seconds: float,
    longest: float,
    shards: int,
) -> MachineCost:
    settings = node.get("node_config", {})
    machine = next((str(settings[key]) for key in _TYPE_KEYS if key in settings), "")
    resources = node.get("resources", {})
    cores = int(resources.get("CPU", 0))
    if cores == 0 or resources.get("TPU") or resources.get("GPU"):
        return MachineCost(name, machine, int(node["max_workers"]), None, None)
    count = min(int(node["max_workers"]), max(1, math.ceil(shards / cores)))
    hours = max(core_seconds / (count * cores), longest) / 3600
    price = prices.get(machine)
    return MachineCost(name, machine, count, hours, None if price is None else hours * count * price)
