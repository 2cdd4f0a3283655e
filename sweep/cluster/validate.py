"""Offline checks of a cluster file for `ray up`.

Ray validates the schema of a cluster file. This module also finds values that the cloud would reject minutes later,
and commands that are missing from the setup of the nodes.
"""

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.names import nearest
from sweep.cluster.amazon import PLACEHOLDER, amazon_errors
from sweep.errors import SpecError
from sweep.spec.yamlfile import Loader, read_mapping

# TPU generation: runtime version of the image, chips of the largest single host, and TensorCores per chip as counted
# in the accelerator type (v4-8 has four chips, v6e-8 has eight).
_TPUS = {
    "v4": ("tpu-ubuntu2204-base", 4, 2),
    "v5p": ("v2-alpha-tpuv5", 4, 2),
    "v5litepod": ("v2-alpha-tpuv5-lite", 8, 1),
    "v6e": ("v2-alpha-tpuv6e", 8, 1),
}
_HOST_CHIPS = 4  # per host of a slice with several hosts
# fmt: off
_TPU_KEYS = [
    "acceleratorType", "acceleratorConfig", "runtimeVersion", "schedulingConfig", "serviceAccounts",
    "networkConfig", "metadata", "labels", "tags", "dataDisks", "description", "shieldedInstanceConfig",
]
_MACHINE_KEYS = [
    "machineType", "disks", "scheduling", "metadata", "guestAccelerators", "networkInterfaces",
    "serviceAccounts", "labels", "tags", "minCpuPlatform", "shieldedInstanceConfig",
    "reservationAffinity", "description", "canIpForward",
]
# fmt: on
_TPU_SCHEDULING = ("spot", "preemptible", "reserved")
_GPU_MACHINES = {"g2-standard-4": 1, "g2-standard-8": 1, "g2-standard-12": 1, "g2-standard-16": 1}
_GPU_MACHINES |= {f"a2-highgpu-{n}g": n for n in (1, 2, 4, 8)} | {f"a3-highgpu-{n}g": n for n in (1, 2, 4, 8)}
_COMMANDS = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
_PLACEHOLDERS = ("my-gcp-project", "192.168.0.10", PLACEHOLDER)


@dataclass
class Findings:
    """Result of the checks. Each line names the key, the problem and the correct value."""

    problems: list[str] = field(default_factory=list)  # `ray up` or the sweep fails
    notes: list[str] = field(default_factory=list)  # information only


def validate(path: Path) -> Findings:
    """Check a cluster file without network access.

    Raises:
      SpecError: the file does not exist or is not a YAML mapping.
    """
    config = read(path)
    if problem := _schema_error(config):
        return Findings([problem])
    kind = config["provider"]["type"]
    problems = list(_mount_errors(config)) + list(_command_errors(config))
    if kind == "gcp":
        problems += [*_google_errors(config), *_node_type_errors(config)]
    elif kind == "aws":
        problems += amazon_errors(config, "\n".join(c for key in _COMMANDS for c in config.get(key) or []))
    elif kind == "local":
        problems += _local_errors(config)
    if not problems:  # Ray's own checks, if these found nothing
        problems += _ray_errors(config)
    found = Findings(problems)
    if kind not in ("gcp", "aws", "local"):
        found.notes.append(f"provider.type: {kind}: only Ray's own checks ran")
    text = path.read_text()
    found.notes += [
        f"{word} is a placeholder: edit the lines marked EDIT" for word in _PLACEHOLDERS if word in text
    ]
    return found


def read(path: Path) -> dict[str, Any]:
    """Read a cluster file as plain data.

    Raises:
      SpecError: the file does not exist or is not a YAML mapping.
    """
    return read_mapping(path, "a cluster file, a mapping that starts with cluster_name", Loader)


def _schema_error(config: dict[str, Any]) -> str | None:
    """Check names and types of the keys against Ray's schema."""
    import jsonschema
    import ray

    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    error = jsonschema.Draft7Validator(schema).iter_errors(config)
    first = next(iter(sorted(error, key=lambda e: len(e.path))), None)
    if first is None:
        return None
    where = ".".join(map(str, first.absolute_path))
    if first.validator == "additionalProperties" and isinstance(first.schema.get("properties"), dict):
        known = first.schema["properties"]
        unknown = next(key for key in first.instance if key not in known)
        return f"{where + '.' if where else ''}{unknown}: unknown key{nearest(str(unknown), known)}"
    return f"{where}: {first.message}" if where else first.message


def _ray_errors(config: dict[str, Any]) -> list[str]:
    """Run the checks that `ray up` runs before it calls the cloud."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)  # problems are raised as exceptions
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            prepared = prepare_config(config)
            if config["provider"]["type"] == "gcp":
                from ray.autoscaler._private.gcp.node_provider import GCPNodeProvider

                prepared = GCPNodeProvider.fillout_available_node_types_resources(prepared)
            validate_config(prepared)
    except ImportError as error:
        raise SpecError(f"this check needs `pip install 'lecun1989-sweep[cluster]'` ({error})") from None
    except Exception as error:  # click's, jsonschema's, ValueError, KeyError …
        lines = [line for line in (str(error) or output.getvalue()).splitlines() if line.strip()]
        return [lines[0].strip() if lines else type(error).__name__]
    return []


def _mount_errors(config: dict[str, Any]) -> Iterator[str]:
    mounts = config.get("file_mounts") or {}
    for target, source in mounts.items():
        if not Path(str(source)).expanduser().exists():
            hint = ": create it with `ray get-auth-token --generate`" if "auth_token" in str(source) else ""
            yield f"file_mounts.{target}: {source} does not exist{hint}"
    if not any(str(target).endswith(".ray/auth_token") for target in mounts):
        yield "file_mounts: nodes do not get the authentication token: add ~/.ray/auth_token"
    if not any((Path(str(source)).expanduser() / "constraints.txt").is_file() for source in mounts.values()):
        yield "file_mounts: no source contains this project (constraints.txt): mount its folder"


def _command_errors(config: dict[str, Any]) -> Iterator[str]:
    """Check the environment of the nodes: token, Python, pinned versions, native engine, Ray start commands."""
    before = [c for key in _COMMANDS for c in config.get(key) or []]
    everything = "\n".join([*before, *config.get("head_start_ray_commands", [])])
    if "RAY_AUTH_MODE=token" not in everything:
        yield "initialization_commands: no command sets RAY_AUTH_MODE=token: nodes cannot authenticate"
    if "JAX_COMPILATION_CACHE_DIR=" not in everything:
        yield "initialization_commands: no command sets JAX_COMPILATION_CACHE_DIR: every shard compiles again"
    for version in re.findall(r"--python[ =](\d+\.\d+)", everything):
        if tuple(map(int, version.split("."))) < (3, 11):
            yield f"setup_commands: Python {version} is too old: JAX requires 3.11 or newer"
    installs = [c for c in before if "pip install" in c]
    for command in installs:
        if "constraints.txt" not in command:
            yield f"setup_commands: without -c .../constraints.txt nodes install other versions: {_short(command)}"
    if not any(re.search(r"\[cluster[],]|ray\[default]", c) for c in installs):
        yield "setup_commands: no command installs this project's extra [cluster], which contains the Ray job server"
    if not re.search(r"g\+\+|clang\+\+", everything):
        yield "setup_commands: no command installs a C++ compiler (g++), which the lanes engine needs"
    head = config.get("head_start_ray_commands") or []
    workers = config.get("worker_start_ray_commands") or []
    head_port = re.search(r"ray start.*--head\b.*--port=(\d+)", "\n".join(head))
    if not head_port:
        yield "head_start_ray_commands: no `ray start --head --port=6379`"
    if not any("--autoscaling-config=" in c for c in head):
        yield "head_start_ray_commands: no --autoscaling-config=~/ray_bootstrap_config.yaml: no worker starts"
    joins = re.search(r"ray start.*--address=(\S+):(\d+)", "\n".join(workers))
    if not joins or joins[1] != "$RAY_HEAD_IP":
        yield "worker_start_ray_commands: no `ray start --address=$RAY_HEAD_IP:6379`"
    elif head_port and joins[2] != head_port[1]:
        yield f"worker_start_ray_commands: workers connect to port {joins[2]}, the head listens on {head_port[1]}"


def _google_errors(config: dict[str, Any]) -> Iterator[str]:
    provider = config["provider"]
    project, region, zone = (provider.get(k) for k in ("project_id", "region", "availability_zone"))
    if not project:
        yield "provider.project_id is missing: set the project ID, such as my-project-123"
    elif not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", str(project)):
        yield f"provider.project_id: {project} is not a project ID: 6 to 30 of a-z, 0-9 and -, starting with a letter"
    if not region:
        yield "provider.region is missing: set a region, such as us-west4"
    if not zone:
        yield "provider.availability_zone is missing: set a zone, such as us-west4-a"
    elif region and not re.fullmatch(re.escape(region) + "-[a-z]", zone):
        yield f"provider.availability_zone: {zone} is not in region {region}"
    if "head_node_type" not in config or "available_node_types" not in config:
        yield "available_node_types and head_node_type are both required: Ray's defaults do not fit this project"
    for name, kind in (config.get("available_node_types") or {}).items():
        for account in kind.get("node_config", {}).get("serviceAccounts") or []:
            email = str(account.get("email"))
            if project and email.endswith(".iam.gserviceaccount.com") and f"@{project}." not in email:
                yield f"{name}.serviceAccounts: {email} does not belong to project {project}"


def _node_type_errors(config: dict[str, Any]) -> Iterator[str]:
    types = config.get("available_node_types") or {}
    head_type = config.get("head_node_type")
    if types and head_type not in types:
        yield f"head_node_type: {head_type} is not in available_node_types{nearest(str(head_type), types)}"
    setup = "\n".join(c for key in _COMMANDS for c in config.get(key) or [])
    for name, kind in types.items():
        node, resources = kind.get("node_config") or {}, kind.get("resources") or {}
        is_tpu = "acceleratorType" in node or "acceleratorConfig" in node
        least, most = kind.get("min_workers", 0), kind.get("max_workers", config.get("max_workers", 2))
        if least > most:
            yield f"{name}.max_workers: {most} is less than min_workers ({least})"
        if is_tpu and "machineType" in node:
            yield f"{name}.node_config: set acceleratorType or machineType, not both (a TPU has no machineType)"
        elif is_tpu:
            yield from _tpu_errors(name, node, resources, most)
            if "[tpu]" not in setup:
                yield f"worker_setup_commands: {name} has TPUs, but no command installs the extra [tpu]"
        else:
            yield from _machine_errors(name, node, resources, is_head=name == head_type)
            if resources.get("GPU") and "[cuda]" not in setup:
                yield f"worker_setup_commands: {name} has GPUs, but no command installs the extra [cuda]"
        if name == head_type:
            yield from _head_errors(name, node, is_tpu)


def _head_errors(name: str, node: dict[str, Any], is_tpu: bool) -> Iterator[str]:
    if is_tpu:
        yield f"head_node_type: {name} is a TPU: the head node runs no shard, set a machineType"
    scheduling = node.get("scheduling") or {}
    if "SPOT" in str(scheduling) or "preemptible" in str(scheduling):
        yield f"{name}.scheduling: the head must not be a spot machine: the cluster ends when it is preempted"


def _tpu_errors(name: str, node: dict[str, Any], resources: dict[str, Any], most: int) -> Iterator[str]:
    for key in node:
        if key not in _TPU_KEYS:
            yield f"{name}.node_config.{key}: unknown key of a TPU{nearest(str(key), _TPU_KEYS)}"
    for key in node.get("schedulingConfig") or {}:
        if key not in _TPU_SCHEDULING:
            yield f"{name}.schedulingConfig.{key}: unknown key{nearest(str(key), _TPU_SCHEDULING)}"
    match = re.fullmatch(r"(v\d+[a-z]*)-(\d+)", str(node.get("acceleratorType", "")))
    if "acceleratorType" in node and (not match or match[1] not in _TPUS):
        known = ", ".join(f"{g}-8" for g in _TPUS)
        yield f"{name}.acceleratorType: {node['acceleratorType']} is not one of {known} or another size of these"
        return
    if "runtimeVersion" not in node:
        fitting = f": use {_TPUS[match[1]][0]} for {match[0]}" if match else ""
        yield f"{name}.runtimeVersion is missing{fitting}"
    if not match:
        return
    runtime, single, cores = _TPUS[match[1]]
    version = str(node.get("runtimeVersion", runtime))
    others = [r for r, _, _ in _TPUS.values() if r != runtime]
    if version in others:
        yield f"{name}.runtimeVersion: {version} is for another TPU: use {runtime} for {match[0]}"
    chips = int(match[2]) // cores
    on_host = chips if chips <= single else _HOST_CHIPS
    if resources.get("TPU") != on_host:
        yield f"{name}.resources: a machine of {match[0]} has TPU: {on_host}, not {resources.get('TPU', 'none')}"
    hosts = chips // on_host
    if most % hosts:
        yield f"{name}.max_workers: {match[0]} has {hosts} hosts: {most} is not a multiple of {hosts}"


def _machine_errors(
    name: str, node: dict[str, Any], resources: dict[str, Any], is_head: bool
) -> Iterator[str]:
    for key in node:
        if key not in _MACHINE_KEYS:
            yield f"{name}.node_config.{key}: unknown key of a machine{nearest(str(key), _MACHINE_KEYS)}"
    machine = str(node.get("machineType", ""))
    if not machine:
        yield f"{name}.node_config: neither machineType nor acceleratorType: set one of them"
        return
    if not node.get("disks"):
        yield f"{name}.disks is missing: a machine needs a boot disk with an image"
    attached = sum(int(a.get("acceleratorCount", 0)) for a in node.get("guestAccelerators") or [])
    gpus = _GPU_MACHINES.get(machine, attached)
    if resources.get("GPU", 0) != gpus:
        yield f"{name}.resources: {machine} has GPU: {gpus}, not {resources.get('GPU', 'none')}"
    if gpus and "TERMINATE" not in str((node.get("scheduling") or {}).get("onHostMaintenance")):
        yield f"{name}.scheduling.onHostMaintenance: must be TERMINATE: a machine with a GPU cannot be live-migrated"
    cores = re.search(r"-(\d+)$", machine)
    if cores and not is_head and resources.get("CPU") != int(cores[1]):
        yield f"{name}.resources: {machine} has CPU: {cores[1]}, not {resources.get('CPU', 'none')}"


def _local_errors(config: dict[str, Any]) -> Iterator[str]:
    provider, auth = config["provider"], config.get("auth") or {}
    head, workers = provider.get("head_ip"), provider.get("worker_ips")
    if not head:
        yield "provider.head_ip is missing: set the address of the head node"
    if not workers:
        yield "provider.worker_ips is missing: list the addresses of the workers, such as [192.168.0.11]"
    else:
        if head in workers:
            yield f"provider.worker_ips: {head} is the head node: list only the other machines"
        for address in sorted({a for a in workers if workers.count(a) > 1}):
            yield f"provider.worker_ips: {address} is listed twice"
    for key in ("available_node_types", "head_node_type"):
        if key in config:
            yield f"{key} does not apply to provider local"
    if not auth.get("ssh_user"):
        yield "auth.ssh_user is missing: set the user for ssh"
    identity = auth.get("ssh_private_key")
    if identity and not Path(identity).expanduser().is_file():
        yield f"auth.ssh_private_key: {identity} does not exist"


def _short(command: str) -> str:
    return command if len(command) <= 60 else command[:59] + "…"
