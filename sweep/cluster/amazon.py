"""Offline checks of a cluster file for Amazon Web Services."""

import re
from collections.abc import Iterator
from typing import Any

from model.names import nearest

PLACEHOLDER = "ami-00000000000000000"

# CPUs by size of an instance. `metal` sizes and burstable types are left out.
_CPUS = {"large": 2, "xlarge": 4} | {f"{n}xlarge": 4 * n for n in (2, 4, 8, 12, 16, 24, 32, 48)}
_GPUS = {"p3.2xlarge": 1, "p3.8xlarge": 4, "p3.16xlarge": 8, "p4d.24xlarge": 8, "p5.48xlarge": 8}
_GPUS |= {
    f"{family}.{n}xlarge": count
    for family in ("g4dn", "g5", "g6", "g6e")
    for n, count in {"": 1, 2: 1, 4: 1, 8: 1, 16: 1, 12: 4, 24: 4, 48: 8}.items()
    if not (family == "g4dn" and n in (24, 48))
}
_KEYS = [
    "InstanceType", "ImageId", "BlockDeviceMappings", "InstanceMarketOptions", "IamInstanceProfile", "KeyName",
    "SubnetId", "SubnetIds", "SecurityGroupIds", "NetworkInterfaces", "TagSpecifications", "Placement", "UserData",
    "EbsOptimized", "MetadataOptions", "CapacityReservationSpecification", "CpuOptions", "LaunchTemplate",
]  # fmt: skip


def amazon_errors(config: dict[str, Any], setup: str) -> Iterator[str]:
    """Problems of the provider and the node types, one line each.

    Args:
      config: the cluster file; it satisfies Ray's schema.
      setup: all setup commands.
    """
    provider = config["provider"]
    region, zones = str(provider.get("region", "")), str(provider.get("availability_zone", ""))
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        yield (
            "provider.region is missing: set a region, such as us-west-2"
            if not region
            else (f"provider.region: {region} is not a region, such as us-west-2")
        )
    for zone in filter(None, (zone.strip() for zone in zones.split(","))):
        if region and not re.fullmatch(re.escape(region) + "[a-z]", zone):
            yield f"provider.availability_zone: {zone} is not in region {region}"
    types, head = config.get("available_node_types") or {}, config.get("head_node_type")
    if not types or head is None:
        yield "available_node_types and head_node_type are both required: Ray's defaults do not fit this project"
    elif head not in types:
        yield f"head_node_type: {head} is not in available_node_types{nearest(str(head), types)}"
    if not re.search(r"\[[a-z,]*\baws\b[a-z,]*\]", setup):
        yield "setup_commands: no command installs the extra [aws], which the autoscaler on the head node needs"
    for name, kind in types.items():
        yield from _type_errors(name, kind, config, setup, is_head=name == head)


def _type_errors(
    name: str, kind: dict[str, Any], config: dict[str, Any], setup: str, is_head: bool
) -> Iterator[str]:
    node, resources = kind.get("node_config") or {}, kind.get("resources") or {}
    least, most = kind.get("min_workers", 0), kind.get("max_workers", config.get("max_workers", 2))
    if least > most:
        yield f"{name}.max_workers: {most} is less than min_workers ({least})"
    for key in node:
        if key not in _KEYS:
            yield f"{name}.node_config.{key}: unknown key of an instance{nearest(str(key), _KEYS)}"
    image = str(node.get("ImageId", ""))
    if not re.fullmatch("ami-([0-9a-f]{8}|[0-9a-f]{17})", image):
        yield f"{name}.ImageId: {image or 'none'} is not an image ID such as {PLACEHOLDER}; Ray's default is too old"
    if is_head and node.get("InstanceMarketOptions"):
        yield f"{name}.InstanceMarketOptions: the head must not be a spot instance: the cluster ends with it"
    instance = str(node.get("InstanceType", ""))
    if not instance:
        yield f"{name}.InstanceType is missing: set one, such as c7a.8xlarge"
        return
    gpus, cpus = _GPUS.get(instance, 0), _CPUS.get(instance.partition(".")[2])
    if resources.get("GPU", 0) != gpus:
        yield f"{name}.resources: {instance} has GPU: {gpus}, not {resources.get('GPU', 'none')}"
    if cpus and not is_head and resources.get("CPU") != cpus:
        yield f"{name}.resources: {instance} has CPU: {cpus}, not {resources.get('CPU', 'none')}"
    if gpus and "[cuda]" not in setup:
        yield f"worker_setup_commands: {name} has GPUs, but no command installs the extra [cuda]"
