"""Messages from workers to the driver, and the observer that receives them. Loads neither JAX nor Ray."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from sweep.spec.shard import Shard
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
class Repartitioned:
    """The same seeds continue in other shards."""

    removed: tuple[Shard, ...]
    added: tuple[Shard, ...]
    reason: Literal["memory", "device"]  # out of memory; or the width of a device


@dataclass(frozen=True)
class Failed:
    """The shard failed and is not retried."""

    traceback: str


Message = Started | Progress | Finished | Note | Repartitioned | Failed
Events = Iterator[tuple[Shard, Message]]
Execute = Callable[[list[Shard], Callable[[Shard], bytes | None]], Events]
"""An executor: trains shards, given a function that loads a shard's last checkpoint, and yields messages."""


class Observer:
    """Receives progress events; this base class ignores them."""

    def begin(self, shards: list[Shard], stored: int) -> None:
        """The plan is made: shards to run, and the number of runs already in the store."""

    def message(self, shard: Shard, message: Message) -> None:
        """A worker or the executor sent a message about a shard."""
