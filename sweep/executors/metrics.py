"""What Ray's dashboard and Prometheus are told of a sweep, beside Ray's own figures of tasks and machines."""

import time
from statistics import fmean

from ray.util.metrics import Counter, Gauge

from sweep.messages import Failed, Finished, Message, Progress
from sweep.spec.shard import Shard


class Metrics:
    """Counts messages. Every name begins with ``sweep_``; tags are the variant's name."""

    def __init__(self, digits: int) -> None:
        """digits: updates of a replica in an epoch."""
        self._digits = digits
        tags = ("variant",)
        self._updates = Counter("sweep_replica_updates", "Updates done, over all replicas", tags)
        self._pace = Gauge("sweep_replica_updates_per_second", "Over the time since the sweep began")
        self._runs = Counter("sweep_runs_done", "Runs (a variant with a seed) trained to the end", tags)
        self._error = Gauge("sweep_mean_test_error", "Of the shard that spoke last, as a fraction", tags)
        self._failures = Counter("sweep_shards_failed", "Shards that were given up", tags)
        self._began, self._done = time.monotonic(), 0

    def message(self, shard: Shard, message: Message) -> None:
        """Count one message."""
        tags = {"variant": shard.cell.variant.name}
        match message:
            case Progress(test_errors=errors):
                updates = self._digits * len(shard.seeds)
                self._done += updates
                self._updates.inc(updates, tags)
                self._pace.set(self._done / max(time.monotonic() - self._began, 1e-9))
                if errors:
                    self._error.set(fmean(errors), tags)
            case Finished():
                self._runs.inc(len(shard.seeds), tags)
            case Failed():
                self._failures.inc(1, tags)
            case _:
                pass
