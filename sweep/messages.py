"""Messages from workers to the driver, and the observer that receives them. Loads neither JAX nor Ray."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata


@dataclass(frozen=True)
class Started:
    """A worker starts a shard, or resumes it from a checkpoint."""

    epoch: int  # number of epochs already trained
    engine: str
    device: str
    remark: str | None  # why a faster engine was not selected
    environment: dict[str, str] = field(default_factory=dict)  # host, and the variables that select devices


@dataclass(frozen=True)
class Progress:
    """A worker finished an epoch of a shard."""

    epoch: int
    test_errors: list[float]  # fractions, of the replicas that have not diverged
    checkpoint: bytes | None = None  # at intervals, the state to resume from
    seconds: float = 0.0  # wall time of the epoch, evaluation included


@dataclass(frozen=True)
class Finished:
    """A worker finished a shard; the tables to store."""

    epochs: pa.Table
    labels: pa.Table
    metadata: FileMetadata
    weights: pa.Table | None = None  # of the seeds whose weights are kept


@dataclass(frozen=True)
class Retried:
    """An attempt to train the shard failed; the executor tries again."""

    reason: str


@dataclass(frozen=True)
class Repartitioned:
    """Shards are replaced by other shards with the same seeds."""

    removed: tuple[Shard, ...]
    added: tuple[Shard, ...]
    reason: Literal["memory", "device"]  # out of memory; or the preferred width of a device


@dataclass(frozen=True)
class Failed:
    """The shard failed and is not retried."""

    traceback: str


Message = Started | Progress | Finished | Retried | Repartitioned | Failed
Events = Iterator[tuple[Shard, Message]]
LoadCheckpoint = Callable[[Shard], bytes | None]
Execute = Callable[[list[Shard], LoadCheckpoint], Events]
"""Trains shards, given a function that loads the last checkpoint of a shard, and yields their messages."""


class Observer:
    """Receives progress events; this base class ignores them."""

    def phase(self, text: str) -> None:
        """A step before training starts, such as "starting Ray"."""

    def waiting(self, driver: str, seconds: float) -> None:
        """Called about every second while another driver goes first: which one, and for how long by now."""

    def begin(self, shards: list[Shard], stored: int) -> None:
        """Training starts: shards to train, and the number of runs already in the store."""

    def message(self, shard: Shard, message: Message) -> None:
        """A worker or the executor sent a message about a shard."""
