"""How to run a sweep. Standard library only."""

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
    manual_dir: str | None = None  # folder of data files placed by hand
