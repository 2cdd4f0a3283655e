"""Train shards on Ray: one task per shard, all submitted at once, retried by class of fault.

Ray stores no results: this module turns shards into a stream of messages.
"""

import time
from collections.abc import Mapping

from ray.exceptions import RayError

from data.dataset import Dataset
from model.engines import Platform
from sweep.executors.connection import Connection
from sweep.executors.faults import fault_of, name_of
from sweep.executors.metrics import Metrics
from sweep.executors.placement import join, joined, split_tail
from sweep.executors.retry import Attempt, after_fault
from sweep.executors.streams import Streams
from sweep.messages import Events, LoadCheckpoint, Progress, Repartitioned
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.stop import Stop

FLEET_SECONDS = 5.0  # between two queries of the cluster's nodes
WAIT_SECONDS = 1.0


def run_on_ray(
    connection: Connection,
    shards: list[Shard],
    datasets: Mapping[str, Dataset],
    engine: str,
    keep_weights: SeedRanges,
    device: Platform | None,
    checkpoint_seconds: float,
    load_checkpoint: LoadCheckpoint,
    stop: Stop,
) -> Events:
    """Train shards.

    Every shard requests a device of the fastest kind at once, so that the autoscaler sees the demand. Nodes of other
    kinds take work from the end of the queue.

    Args:
      connection: to Ray.
      shards: longest first.
      datasets: by digest; each is sent once.
      engine: name, or "auto".
      keep_weights: seeds whose final weights are returned.
      device: the only kind to use; None for all that the cluster has.
      checkpoint_seconds: minimum time between two checkpoints of a shard.
      load_checkpoint: loads the last checkpoint of a shard, each time it is submitted.
      stop: ends the stream early, after last checkpoints of the shards in progress.

    Yields:
      Messages of `run_shard`, in order for each shard; Retried, Failed and Repartitioned.

    Raises:
      ConnectionError: a process of the local Ray ended.
    """
    streams = Streams(datasets, engine, keep_weights, checkpoint_seconds, load_checkpoint, connection.check)
    queue = _Queue(connection, streams, device, load_checkpoint)
    metrics = Metrics(max(len(d.train.labels) for d in datasets.values()))
    yield from queue.add(shards)
    while queue.waiting or len(streams):
        if stop.requested:
            yield from queue.last_checkpoints(stop.seconds)
            return
        yield from queue.submit()
        for shard, message in queue.receive():
            metrics.message(shard, message)
            yield shard, message


class _Queue:
    """Waiting attempts, and the rules for their submission."""

    def __init__(
        self,
        connection: Connection,
        streams: Streams,
        device: Platform | None,
        load_checkpoint: LoadCheckpoint,
    ) -> None:
        self.waiting: list[Attempt] = []
        self._connection, self._streams, self._load_checkpoint = connection, streams, load_checkpoint
        self._fleet, self._fleet_time = connection.fleet(), time.monotonic()
        self._use_secondary, self._device = device is None, device or self._fleet.main_device

    def add(self, shards: list[Shard]) -> Events:
        """Put shards into the queue; adjacent ones are joined if the main device is an accelerator."""
        if self._device != "cpu":
            checkpointed = {shard for shard in shards if self._load_checkpoint(shard)}
            for group in join(shards, self._fleet.width(self._device), checkpointed):
                block = joined(group)
                shards = [block, *(s for s in shards if s not in group)]
                yield group[0], Repartitioned(group, (block,), "device")
            shards.sort(key=lambda s: -s.work)
        self.waiting += [Attempt(shard) for shard in shards]

    def submit(self) -> Events:
        """Submit every attempt whose delay is over."""
        now = time.monotonic()
        if now - self._fleet_time >= FLEET_SECONDS:
            self._fleet, self._fleet_time = self._connection.fleet(), now
        ready = [a for a in self.waiting if a.not_before <= now]
        self.waiting = [a for a in self.waiting if a.not_before > now]
        if self._use_secondary:
            yield from self._submit_to_secondary_nodes(ready)
        for attempt in ready:
            self._streams.submit(attempt, self._device)

    def _submit_to_secondary_nodes(self, ready: list[Attempt]) -> Events:
        """Give free slots of other devices work from the end of the queue, while there is more than the main device
        can run at once. A shard without a checkpoint is split to the width of the device."""
        slots = self._fleet.slots(self._device)
        for node in self._fleet.secondary_nodes(self._device):
            free = node.slots - self._streams.on_node(node.id)
            while free > 0 and len(ready) + self._streams.on_node(None) > slots:
                attempt = ready.pop() if ready else self._streams.withdraw()
                if attempt is None:
                    return
                shard = attempt.shard
                if not self._load_checkpoint(shard):
                    *rest, tail = split_tail(shard, self._fleet.width(node.device))
                    if rest:
                        yield shard, Repartitioned((shard,), (*rest, tail), "device")
                        ready += map(Attempt, rest)
                        attempt = Attempt(tail)
                self._streams.submit(attempt, node.device, node)
                free -= 1

    def last_checkpoints(self, seconds: float) -> Events:
        """Messages until each shard in progress has sent a checkpoint or has ended, for at most `seconds`."""
        pending, end = self._streams.request_checkpoints(), time.monotonic() + seconds
        while pending and (left := end - time.monotonic()) > 0:
            for attempt, message in self._streams.receive(self._streams.wait(left)):
                if isinstance(message, RayError):
                    pending.discard(attempt.shard)
                    continue
                if not isinstance(message, Progress) or message.checkpoint is not None:
                    pending.discard(attempt.shard)
                yield attempt.shard, message

    def receive(self) -> Events:
        """Messages that have arrived, after at most a second; failed attempts go back into the queue.

        Raises:
          ConnectionError: a process of the local Ray ended.
        """
        now = time.monotonic()
        timeout = min([WAIT_SECONDS, *(max(0.0, a.not_before - now) for a in self.waiting)])
        if not len(self._streams):
            time.sleep(timeout)
            return
        arrived = self._streams.wait(timeout)
        for attempt, message in self._streams.receive(arrived):
            if isinstance(message, RayError):
                fault, name = fault_of(message), name_of(message)
                again, message = after_fault(fault, name, str(message), attempt, time.monotonic())
                self.waiting += again
            yield attempt.shard, message
