"""Train the planned shards and write the executor's messages to the root. Imports neither JAX nor Ray."""

from dataclasses import dataclass, field
from html import escape

from sweep.driver.cost import Costs
from sweep.messages import (
    Events,
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
from sweep.store.weights import differing, missing_weights, save_weights
from sweep.text import counted


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

    def __repr__(self) -> str:
        return f"<Outcome: {self._text()}>"

    def _repr_html_(self) -> str:
        """In notebooks: the counts, and the failed shards."""
        failed = "".join(f"<li>failed: {escape(shard.title)}</li>" for shard in self.failed)
        return f"<p>{self._text()}</p>" + (f"<ul>{failed}</ul>" if failed else "")

    def _text(self) -> str:
        if not self.planned:
            return "nothing to train"
        trained = f"{counted(self.runs_trained, 'run')} trained in {counted(len(self.finished), 'shard')}"
        return f"{trained}, {len(self.failed)} failed"


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
    shards, repeated = missing(spec, store, datasets), without_weights(spec, store, datasets)
    tidy(store, cells(spec, datasets), [*shards, *repeated])
    outcome = Outcome(planned=[*shards, *repeated])
    if repeated:
        runs = counted(sum(len(s.seeds) for s in repeated), "stored run")
        observer.phase(f"training {runs} again for the weights; the stored rows are not changed")
    observer.begin(outcome.planned, count(spec) - sum(len(s.seeds) for s in shards))
    for write, part in ((_write, shards), (_write_weights, repeated)):
        for shard, message in _expected(part, execute(part, store.checkpoints.load)) if part else ():
            check()
            observer.message(shard, write(store, shard, message, outcome))
    return outcome


def _expected(shards: list[Shard], events: Events) -> Events:
    """Without late and repeated messages: those of shards that have ended or were replaced."""
    expected = set(shards)
    for shard, message in events:
        if shard not in expected:
            continue
        match message:
            case Repartitioned(removed, added):
                expected.difference_update(removed)
                expected.update(added)
            case Finished() | Failed():
                expected.remove(shard)
        yield shard, message


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


def without_weights(spec: SweepSpec, store: Store, datasets: Datasets) -> list[Shard]:
    """Shards of finished runs whose weights the spec keeps and the store lacks. Arguments as for `missing`."""
    if not (store.exists and spec.keep_weights):
        return []
    return [
        Shard(cell, seeds)
        for cell in cells(spec, datasets)
        for seeds in missing_weights(store, cell, spec.kept_seeds).split(spec.shard_width)
    ]


def count(spec: SweepSpec) -> int:
    """Number of runs of a spec."""
    return len(list(spec.cells())) * len(spec.seed_ranges)


def _write(store: Store, shard: Shard, message: Message, outcome: Outcome) -> Message:
    """Store the content of a message before the next one is received, and return the message."""
    match message:
        case Progress(checkpoint=bytes() as content):
            store.checkpoints.save(shard, content)
        case Finished(epochs, labels, metadata, weights):
            if weights is not None:  # first: a finished run has all its files
                save_weights(store, shard, weights, metadata)
            store.append(shard, epochs, labels, metadata)
            outcome.finished.append(shard)
        case Failed(traceback):
            store.failures.save(shard, f"{shard.title}\n{traceback}\n".encode())
            outcome.failed.append(shard)
        case Repartitioned(reason="memory"):
            store.checkpoints.drop(shard)  # else the next run would start with the whole shard again
        case Started() | Progress() | Retried() | Repartitioned():
            pass
    return message


def _write_weights(store: Store, shard: Shard, message: Message, outcome: Outcome) -> Message:
    """`_write` for runs that are stored already: keeps their weights, and fails if the runs differ from the rows."""
    match message:
        case Finished(epochs, _, metadata, weights) if weights is not None:
            if reason := differing(store, shard, epochs, metadata):
                return _write(store, shard, Failed(reason), outcome)
            save_weights(store, shard, weights, metadata)
            store.checkpoints.drop(shard)
            store.failures.drop(shard)
            outcome.finished.append(shard)
            return message
        case _:
            return _write(store, shard, message, outcome)
