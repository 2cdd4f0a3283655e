"""Train the planned shards and write the executor's messages to the root. Imports neither JAX nor Ray."""

from dataclasses import dataclass, field

from sweep.driver.cost import Costs
from sweep.messages import (
    Execute,
    Failed,
    Finished,
    Message,
    Observer,
    Progress,
    Repartitioned,
    Retried,
    Started,
)
from sweep.spec.plan import plan
from sweep.spec.shard import Shard
from sweep.spec.spec import SweepSpec
from sweep.store import lease
from sweep.store.records import Datasets, cells, record_sweep
from sweep.store.store import Store
from sweep.store.tidy import tidy


@dataclass
class Outcome:
    """Result of a run."""

    planned: list[Shard] = field(default_factory=list)
    finished: list[Shard] = field(default_factory=list)
    failed: list[Shard] = field(default_factory=list)

    @property
    def runs_trained(self) -> int:
        """Seeds of the shards finished by this run."""
        return sum(len(s.seeds) for s in self.finished)


def train(
    spec: SweepSpec,
    store: Store,
    datasets: Datasets,
    execute: Execute,
    observer: Observer | None = None,
    check: lease.Check = lambda: None,
) -> Outcome:
    """Train the missing runs of a spec whose data sets are known. The caller holds the root.

    Args:
      spec: variants, seeds and data set.
      store: open for writing.
      datasets: digest and name of each data set, by `DatasetOptions.key`.
      execute: trains shards and yields messages. Late and repeated messages are ignored.
      observer: receives progress events.
      check: called before each write; raises StoreError if another driver has taken over the root.

    Returns:
      The shards that were planned, finished and failed.

    Raises:
      StoreError: the root cannot be written, or `check` raised it.
    """
    observer = observer or Observer()
    store.refresh()  # another driver may have finished shards before this one held the root
    record_sweep(store, spec, datasets)
    shards = missing(spec, store, datasets)
    tidy(store, cells(spec, datasets), shards)
    outcome = Outcome(planned=shards)
    observer.begin(shards, count(spec) - sum(len(s.seeds) for s in shards))
    expected = set(shards)
    for shard, message in execute(shards, store.checkpoints.load) if shards else ():
        if shard not in expected:
            continue
        check()
        _write(store, shard, message, outcome)
        match message:
            case Repartitioned(removed, added):
                expected.difference_update(removed)
                expected.update(added)
            case Finished() | Failed():
                expected.remove(shard)
        observer.message(shard, message)
    return outcome


def missing(spec: SweepSpec, store: Store, datasets: Datasets) -> list[Shard]:
    """Shards of a spec that are not stored, longest first by measured or estimated time.

    Args:
      spec: variants, seeds and data set.
      store: the root; it need not exist.
      datasets: digest and name of each data set, by `DatasetOptions.key`.
    """
    wanted = cells(spec, datasets)
    by_folder = store.checkpoints.shards() if store.exists else {}
    checkpointed = {cell.key: by_folder.get(cell.folder, []) for cell in wanted}
    completed = store.completed() if store.exists else {}
    costs = Costs(file.metadata for file in store.files) if store.exists else Costs()
    shards = plan(wanted, spec.seed_ranges, completed, checkpointed, spec.shard_width)
    return sorted(shards, key=lambda s: -costs.weight(s.cell.variant) * s.work)


def count(spec: SweepSpec) -> int:
    """Number of runs of a spec."""
    return len(list(spec.cells())) * len(spec.seed_ranges)


def _write(store: Store, shard: Shard, message: Message, outcome: Outcome) -> None:
    """Store the content of a message before the next one is received."""
    match message:
        case Progress(checkpoint=bytes() as content):
            store.checkpoints.save(shard, content)
        case Finished(epochs, labels, metadata):
            store.append(shard, epochs, labels, metadata)
            outcome.finished.append(shard)
        case Failed(traceback):
            store.failures.save(shard, f"{shard.title}\n{traceback}\n".encode())
            outcome.failed.append(shard)
        case Repartitioned(reason="memory"):
            store.checkpoints.drop(shard)  # else the next run would start with the whole shard again
        case Started() | Progress() | Retried() | Repartitioned():
            pass
