"""What travels between driver and workers. Loads neither JAX nor Ray."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from sweep.spec.plan import Shard
from sweep.store.schema import FileMetadata


@dataclass(frozen=True)
class Digits:
    """The arrays of a data set, as they travel to workers."""

    train_images: np.ndarray  # [N, 16, 16] float32
    train_labels: np.ndarray  # [N] int32
    test_images: np.ndarray
    test_labels: np.ndarray
    description: dict[str, Any]


@dataclass(frozen=True)
class Started:
    """The shard has begun, or goes on from a checkpoint."""

    epoch: int  # finished before
    engine: str
    device: str
    remark: str | None  # why a faster engine was passed over
    environment: dict[str, str] = field(default_factory=dict)  # host, and what decides which device is seen


@dataclass(frozen=True)
class Progress:
    """An epoch is done."""

    epoch: int
    test_errors: list[float]  # of the replicas that have not diverged
    checkpoint: bytes | None = None  # now and then, the state to resume from


@dataclass(frozen=True)
class Finished:
    """The shard is done: what to store."""

    epochs: pa.Table
    labels: pa.Table
    metadata: FileMetadata


@dataclass(frozen=True)
class Note:
    """Something happened to the shard; it is tried again."""

    text: str


@dataclass(frozen=True)
class Halved:
    """The shard ran out of memory: its halves are tried in its place."""

    halves: tuple[Shard, ...]


@dataclass(frozen=True)
class Recut:
    """Shards go on in another cut of the same seeds: wider for an accelerator, narrower for a core."""

    gone: tuple[Shard, ...]
    new: tuple[Shard, ...]


@dataclass(frozen=True)
class Failed:
    """The shard is given up."""

    traceback: str


Message = Started | Progress | Finished | Note | Halved | Recut | Failed
