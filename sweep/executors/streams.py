"""Ray tasks in flight, and the messages that they stream."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import ray
from ray.exceptions import RayError
from ray.experimental import internal_kv
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from data.dataset import Dataset
from model.engines import Platform
from sweep.executors.placement import Node
from sweep.executors.retry import Attempt
from sweep.executors.tasks import RESOURCES, train_on_accelerator, train_on_cpu
from sweep.messages import Finished, LoadCheckpoint, Message
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard


@dataclass
class InFlight:
    """A submitted task."""

    attempt: Attempt
    node: str | None  # ID of the secondary node that it was given to; None for any node with the main device
    started: bool = False  # a message has arrived
    finished: bool = False


class Streams:
    """Submits shards as streaming tasks, and receives their messages."""

    def __init__(
        self,
        datasets: Mapping[str, Dataset],
        engine: str,
        keep_weights: SeedRanges,
        checkpoint_seconds: float,
        load_checkpoint: LoadCheckpoint,
        check: Callable[[], None],
    ) -> None:
        """Put the data sets into Ray's object store.

        Args:
          datasets, engine, keep_weights, checkpoint_seconds, load_checkpoint: as for
            `sweep.executors.ray.run_on_ray`.
          check: raises an error if Ray has ended. Called before each use of Ray, which otherwise ends the process.
        """
        self._stored = {digest: ray.put(dataset) for digest, dataset in datasets.items()}
        self._engine, self._keep_weights = engine, keep_weights
        self._checkpoint_seconds = checkpoint_seconds
        self._load_checkpoint, self._check = load_checkpoint, check
        self._stop_key = f"sweep-stop-{uuid.uuid4().hex}".encode()
        self._tasks: dict[Any, InFlight] = {}  # by Ray's generator of message references

    def __len__(self) -> int:
        return len(self._tasks)

    def on_node(self, node: str | None) -> int:
        """Number of tasks given to a secondary node; None for those that wait for or run on the main device."""
        return sum(task.node == node for task in self._tasks.values())

    def submit(self, attempt: Attempt, device: Platform, node: Node | None = None) -> None:
        """Submit an attempt for a kind of device, on a certain node or on any."""
        shard = attempt.shard
        self._check()
        function = train_on_cpu if device == "cpu" else train_on_accelerator
        options = dict(RESOURCES[device])
        if node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node.id, soft=False)
        stream = function.options(name=shard.title, **options).remote(
            shard,
            self._stored[shard.cell.dataset_digest],
            self._engine,
            device,
            self._checkpoint_seconds,
            self._load_checkpoint(shard),
            self._keep_weights,
            self._stop_key,
        )
        self._tasks[stream] = InFlight(attempt, node.id if node else None)

    def request_checkpoints(self) -> set[Shard]:
        """Ask the workers for a checkpoint after their current epoch; returns the shards in progress."""
        self._check()
        internal_kv._internal_kv_put(self._stop_key, b"")
        return {task.attempt.shard for task in self._tasks.values() if task.started}

    def withdraw(self) -> Attempt | None:
        """Cancel the last task that still waits for the main device. None if all have started."""
        queued = [stream for stream, t in self._tasks.items() if t.node is None and not t.started]
        if not queued:
            return None
        ray.cancel(queued[-1])
        return self._tasks.pop(queued[-1]).attempt

    def wait(self, seconds: float) -> list[Any]:
        """Tasks that have a message or have ended, after at most `seconds`."""
        streams = list(self._tasks)
        self._check()
        if not ray.wait(streams, num_returns=1, timeout=seconds, fetch_local=False)[0]:
            return []
        self._check()
        return ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)[0]

    def receive(self, streams: list[Any]) -> Iterator[tuple[Attempt, Message | RayError]]:
        """The next message of each task, or the error with which it ended. A task that has ended is forgotten."""
        for stream in streams:
            task = self._tasks[stream]
            self._check()
            try:
                message = cast(Message, ray.get(next(stream)))
                task.started = True
                task.finished = isinstance(message, Finished)
                yield task.attempt, message
            except StopIteration:
                del self._tasks[stream]
                if not task.finished:  # its node ended, and Ray reports no error
                    yield task.attempt, ray.exceptions.WorkerCrashedError()
            except RayError as error:
                del self._tasks[stream]
                yield task.attempt, error
