"""How long the missing runs of a spec take, from the times of finished shards."""

from dataclasses import dataclass

from sweep.driver.cost import Costs
from sweep.driver.driver import missing, without_weights
from sweep.spec.shard import Shard
from sweep.spec.spec import SweepSpec, dataset_label
from sweep.store.records import recorded_sweeps
from sweep.store.reference import reference
from sweep.store.store import Store

LONG = 5.0  # seconds; the time of a shorter shard is mostly that of its start
_UNKNOWN = "0" * 64  # digest of a data set that no sweep under the root was run on


@dataclass(frozen=True)
class Estimate:
    """The missing shards of a spec, and their time on one device (a core, or an accelerator)."""

    shards: list[Shard]
    seconds: dict[Shard, float]
    source: str  # where the times were measured

    @property
    def runs(self) -> int:
        """Runs to train."""
        return sum(len(shard.seeds) for shard in self.shards)

    @property
    def device_seconds(self) -> float:
        """Time of all shards on one device."""
        return sum(self.seconds.values())

    def wall_seconds(self, devices: int) -> float:
        """Time on several devices: the shared work, but no less than the longest shard."""
        return max(self.device_seconds / devices, max(self.seconds.values(), default=0.0))


def estimate(spec: SweepSpec, store: Store) -> Estimate:
    """The missing shards of a spec and their times, without loading a data set.

    The times are those of the root, or without a shard that took `LONG` those of the reference distribution.

    Raises:
      StoreError: the root is damaged.
    """
    files = [file for file in (store.files if store.exists else []) if file.metadata.seconds >= LONG]
    source = f"measured in {store.root}"
    if not files:
        files = reference().files
        source = f"measured for the reference distribution on {', '.join(sorted({f.metadata.device for f in files}))}"
    costs = Costs(file.metadata for file in files)
    shards = missing_shards(spec, store)
    return Estimate(shards, {s: costs.weight(s.cell.variant) * s.work for s in shards}, source)


def missing_shards(spec: SweepSpec, store: Store) -> list[Shard]:
    """Shards that a run would train, those without kept weights included. An unknown data set counts as new."""
    sweeps = recorded_sweeps(store).values() if store.exists else ()
    known = {key: entry for record in sweeps for key, entry in record.datasets.items()}
    entries = {
        options.key: known.get(options.key, {"digest": _UNKNOWN, "name": dataset_label(options)})
        for _, options in spec.cells()
    }
    return [*missing(spec, store, entries), *without_weights(spec, store, entries)]
