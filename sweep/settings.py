"""Settings of a run, and every environment variable of this project. Standard library only."""

from dataclasses import dataclass
from typing import Literal

Executor = Literal["ray", "inline"]


@dataclass(frozen=True)
class Settings:
    """How to run; no field changes a result."""

    executor: Executor = "ray"
    address: str | None = None  # of a Ray cluster; None starts Ray on this machine
    workers: int | None = None  # cores to use on this machine; None for all
    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    checkpoint_seconds: float = 30.0  # minimum time between two checkpoints of a shard
    manual_dir: str | None = None  # folder of original data files
    wait: bool = False  # for another driver that holds the root, instead of raising
    priority: int = 0  # among the drivers that wait; higher goes first


# --- environment variables ---

CLUSTER_FILE = "LECUN1989_CLUSTER_FILE"
CODE = "LECUN1989_CODE"
KERNEL = "LECUN1989_KERNEL"
LOG_LEVEL = "LECUN1989_LOG"
PLATFORM = "LECUN1989_PLATFORM"
REQUEST = "LECUN1989_REQUEST"

ENVIRONMENT: dict[str, str] = {
    "LECUN1989_MANUAL_DIR": "folder of original data files, searched after --manual-dir",
    "LECUN1989_THREADS": "cores of one call of the engine `lanes`; default 1",
    LOG_LEVEL: "level of ROOT/log.jsonl: DEBUG (every epoch), INFO (default), WARNING or ERROR",
    KERNEL: "on a cluster node: path of the compiled library of the engine `lanes`",
    CLUSTER_FILE: "on the head: the cluster file with its limits; default ~/ray_bootstrap_config.yaml",
    PLATFORM: "JAX_PLATFORMS of workers on accelerators, instead of cuda or tpu",
    CODE: "set by `sweep submit`: version of the submitted code, stored with each result",
    REQUEST: "set by `sweep submit`: the request of a job as JSON",
}
"""Meaning of each variable. `data.places` and `model.engines.lanes` define the first two."""
