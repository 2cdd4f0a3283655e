"""Metrics of a sweep for Ray's dashboard and Prometheus, in addition to Ray's own metrics of tasks and nodes."""

import time
from statistics import fmean

from ray.util.metrics import Counter, Gauge

from sweep.messages import Failed, Finished, Message, Progress
from sweep.spec.shard import Shard


class Metrics:
    """Counts messages. Every metric name begins with ``sweep_``; the tag is the variant's name."""

    def __init__(self, updates: int) -> None:
        """updates: of one replica in an epoch."""
        self._updates_per_epoch = updates
        tags = ("variant",)
        self._updates = Counter("sweep_replica_updates", "Updates, summed over replicas", tags)
        self._rate = Gauge("sweep_replica_updates_per_second", "Mean since the start of the sweep")
        self._runs = Counter("sweep_runs_done", "Finished runs (a variant with a seed)", tags)
        self._error = Gauge("sweep_mean_test_error", "Fraction, of the shard that reported last", tags)
        self._failures = Counter("sweep_shards_failed", "Shards that failed", tags)
        self._start, self._done = time.monotonic(), 0

    def message(self, shard: Shard, message: Message) -> None:
        """Count one message."""
        tags = {"variant": shard.cell.variant.name}
        match message:
            case Progress(test_errors=errors):
                updates = self._updates_per_epoch * len(shard.seeds)
                self._done += updates
                self._updates.inc(updates, tags)
                self._rate.set(self._done / max(time.monotonic() - self._start, 1e-9))
                if errors:
                    self._error.set(fmean(errors), tags)
            case Finished():
                self._runs.inc(len(shard.seeds), tags)
            case Failed():
                self._failures.inc(1, tags)
            case _:
                pass
