"""Time of one presentation of a digit to each variant.

Until the command has trained an epoch, the times of stored shards set the scale. They include the load of the machine
at that time, or come from another machine, so the first epochs of this command replace the scale.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from statistics import median

from model.variants import Variant
from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata

# Time with evaluation, relative to `base`; engine `lanes` on one AVX2 core, benchmarks/engines.py.
_RELATIVE = {"sgd": 1.0, "adamw": 1.6, "newton": 1.35}
NEWEST = 64  # stored shards that set the scale
RECENT = 9  # epochs that set the pace of this command


class Costs:
    """Device-seconds of one presentation of a digit to one replica, by variant. Evaluation is included."""

    def __init__(self, stored: Iterable[FileMetadata] = ()) -> None:
        """Start from the times of stored shards: of each engine, the median of the newest ones."""
        self._engines: dict[str, str] = {}  # that trained a variant last, by variant digest
        by_engine: dict[str, list[float]] = defaultdict(list)
        newest = ""
        for file in sorted((file for file in stored if file.seconds > 0), key=lambda file: file.started):
            newest = self._engines[file.variant_digest] = file.engine
            work = len(file.seeds) * file.epochs * file.dataset["n_train"]
            by_engine[newest].append(file.seconds / work / _relative(file.variant["optimizer"]))
        self._stored = {engine: median(times[-NEWEST:]) for engine, times in by_engine.items()}  # of `base`
        self._newest = newest
        self._observed: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=RECENT))
        self._paces: deque[float] = deque(maxlen=RECENT)  # observed times relative to expected times

    def observe(self, shard: Shard, seconds: float) -> None:
        """Record the time of one epoch of a shard."""
        if seconds > 0:
            variant, cost = shard.cell.variant, seconds / shard.presentations(1)
            self._observed[variant.digest].append(cost)
            self._paces.append(cost / self._expected(variant))

    def seconds(self, variant: Variant) -> float | None:
        """Time of one presentation; None without stored and observed times.

        Of a variant that this command trains, the median of its latest epochs. They are few, so that the time follows
        the load of the machine, and one slow epoch, such as the first one with its compilation, does not count. Of
        another variant, the time expected from its optimizer and engine, at the pace of the latest epochs.
        """
        if observed := self._observed.get(variant.digest):
            return median(observed)
        if not (self._paces or self._stored):
            return None
        return self._expected(variant) * (median(self._paces) if self._paces else 1.0)

    def weight(self, variant: Variant) -> float:
        """Like `seconds`, but relative to `base` without measurements; used as weight and as sort key."""
        return self.seconds(variant) or relative_cost(variant)

    def _expected(self, variant: Variant) -> float:
        """Time of one presentation by the stored times of its engine; relative to `base` without stored times."""
        engine = self._engines.get(variant.digest, self._newest)
        return relative_cost(variant) * self._stored.get(engine, 1.0)


def relative_cost(variant: Variant) -> float:
    """Estimated time of a presentation, relative to `base`."""
    return _relative(variant.optimizer)


def _relative(optimizer: str) -> float:
    return _RELATIVE.get(optimizer, 1.0)
