"""Time of one presentation of a digit to each variant: an estimate, replaced by measured times."""

from collections import defaultdict
from collections.abc import Iterable

from model.variants import Variant
from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata

# Time with evaluation, relative to `base`; engine `lanes` on one AVX2 core, benchmarks/engines.py.
_RELATIVE = {"sgd": 1.0, "adamw": 1.6}


class Costs:
    """Device-seconds of one presentation of a digit to one replica, by variant. Evaluation is included."""

    def __init__(self, stored: Iterable[FileMetadata] = ()) -> None:
        """Start from the times of stored shards."""
        self._seconds: dict[str, float] = defaultdict(float)  # by variant digest
        self._presentations: dict[str, float] = defaultdict(float)  # in that time
        self._relative = 0.0  # the same work in presentations to `base`
        for file in stored:
            replicas = file.last_seed - file.first_seed + 1
            work = replicas * file.epochs * file.dataset["n_train"]
            self._add(file.variant_digest, file.seconds, work, _relative(file.variant["optimizer"]))

    def observe(self, shard: Shard, seconds: float) -> None:
        """Record the time of one epoch of a shard."""
        variant = shard.cell.variant
        self._add(variant.digest, seconds, shard.presentations(1), _relative(variant.optimizer))

    def seconds(self, variant: Variant) -> float | None:
        """Time of one presentation: measured, else estimated from other variants; None without measurements."""
        if presentations := self._presentations.get(variant.digest):
            return self._seconds[variant.digest] / presentations
        if not self._relative:
            return None
        return relative_cost(variant) * sum(self._seconds.values()) / self._relative

    def weight(self, variant: Variant) -> float:
        """Like `seconds`, but relative to `base` without measurements; used as weight and as sort key."""
        return self.seconds(variant) or relative_cost(variant)

    def _add(self, digest: str, seconds: float, presentations: float, relative: float) -> None:
        if seconds <= 0:
            return
        self._seconds[digest] += seconds
        self._presentations[digest] += presentations
        self._relative += relative * presentations


def relative_cost(variant: Variant) -> float:
    """Estimated time of a presentation, relative to `base`."""
    return _relative(variant.optimizer)


def _relative(optimizer: str) -> float:
    return _RELATIVE.get(optimizer, 1.0)
