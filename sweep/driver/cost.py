"""Time of one epoch of each variant: an estimate, replaced by measured times."""

from collections import defaultdict
from collections.abc import Iterable

from model.variants import Variant
from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata

# Time of one epoch, evaluation included, relative to `base`; engine `lanes` on one AVX2 core, benchmarks/engines.py.
_RELATIVE = {"sgd": 1.0, "adamw": 1.6}


class Costs:
    """Device-seconds of one replica-epoch, by variant."""

    def __init__(self, stored: Iterable[FileMetadata] = ()) -> None:
        """Start from the times of stored shards."""
        self._seconds: dict[str, float] = defaultdict(float)  # by variant digest
        self._epochs: dict[str, float] = defaultdict(float)  # replica-epochs in that time
        self._relative = 0.0  # the same work in epochs of `base`
        for file in stored:
            replica_epochs = (file.last_seed - file.first_seed + 1) * file.epochs
            self._add(file.variant_digest, file.seconds, replica_epochs, _relative(file.variant["optimizer"]))

    def observe(self, shard: Shard, seconds: float) -> None:
        """Record the time of one epoch of a shard."""
        variant = shard.cell.variant
        self._add(variant.digest, seconds, len(shard.seeds), _relative(variant.optimizer))

    def seconds(self, variant: Variant) -> float | None:
        """Time of one replica-epoch: measured, else estimated from other variants; None without measurements."""
        if epochs := self._epochs.get(variant.digest):
            return self._seconds[variant.digest] / epochs
        if not self._relative:
            return None
        return relative_cost(variant) * sum(self._seconds.values()) / self._relative

    def weight(self, variant: Variant) -> float:
        """Like `seconds`, but relative to `base` without measurements; used as weight and as sort key."""
        return self.seconds(variant) or relative_cost(variant)

    def _add(self, digest: str, seconds: float, replica_epochs: float, relative: float) -> None:
        if seconds <= 0:
            return
        self._seconds[digest] += seconds
        self._epochs[digest] += replica_epochs
        self._relative += relative * replica_epochs


def relative_cost(variant: Variant) -> float:
    """Estimated time of an epoch, relative to `base`."""
    return _relative(variant.optimizer)


def _relative(optimizer: str) -> float:
    return _RELATIVE.get(optimizer, 1.0)
