"""The driver: spec to plan to messages to files. It alone writes the root; it loads neither JAX nor Ray.

`run` is run, resume, retry and extend in one: it trains what the store lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sweep.errors import StoreError
from sweep.messages import (
    Digits,
    Events,
    Execute,
    Failed,
    Finished,
    Message,
    Note,
    Observer,
    Progress,
    Repartitioned,
    Started,
)
from sweep.settings import Settings
from sweep.spec.plan import plan
from sweep.spec.shard import Shard
from sweep.spec.spec import SweepSpec, dataset_label
from sweep.store import lease
from sweep.store.records import Datasets, cells, record_sweep, recorded_datasets
from sweep.store.store import Store


@dataclass
class Outcome:
    """What a run did."""

    planned: list[Shard] = field(default_factory=list)
    finished: list[Shard] = field(default_factory=list)
    failed: list[Shard] = field(default_factory=list)

    @property
    def runs_trained(self) -> int:
        """Seeds of the shards finished by this run."""
        return sum(len(s.seeds) for s in self.finished)


def run(spec: SweepSpec, store: Store, settings: Settings, observer: Observer | None = None) -> Outcome:
    """Train what the store lacks of a spec.

    Args:
      spec: what is wanted.
      store: where it goes; created where missing.
      settings: how to run.
      observer: is told what happens.

    Returns:
      What was planned, finished and given up.

    Raises:
      StoreError: the root cannot be used or written, or another driver is at work there.
      data.DataUnavailable: the digits cannot be had.
      KeyboardInterrupt: passed on; everything finished and the last checkpoints are on disk.
    """
    loaded: dict[str, Digits] = {}
    recorded = recorded_datasets(store, spec) if store.exists else {}
    if store.exists:
        store.completed()  # a damaged file is told of before anything is written
    if recorded and not missing(spec, store, recorded):
        (observer or Observer()).begin([], _count(spec))
        return Outcome()
    datasets = _load_datasets(spec, recorded, loaded, settings.manual_dir)
    store.open_for_writing()
    with lease.hold(store) as check:
        return train(spec, store, datasets, partial(_execute, loaded, spec.engine, settings), observer, check)


def train(
    spec: SweepSpec,
    store: Store,
    datasets: Datasets,
    execute: Execute,
    observer: Observer | None = None,
    check: lease.Check = lambda: None,
) -> Outcome:
    """The heart of `run`, once the digits are known and the root is held.

    Args:
      spec: what is wanted.
      store: where it goes, open for writing.
      datasets: digest and name of each data set, by `DatasetOptions.key`.
      execute: where messages come from. Late and doubled ones are passed over.
      observer: is told what happens.
      check: called before each write; raises when the root is no longer ours.

    Raises:
      StoreError: as in `run`.
    """
    observer = observer or Observer()
    store.look_again()  # what another driver finished before we held the root
    record_sweep(store, spec, datasets)
    shards = missing(spec, store, datasets)
    store.tidy({cell.folder for cell in cells(spec, datasets)}, shards)
    outcome = Outcome(planned=shards)
    observer.begin(shards, _count(spec) - sum(len(s.seeds) for s in shards))
    expected = set(shards)
    for shard, message in execute(shards, store.load_checkpoint) if shards else ():
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
    """Shards still to run of a recorded sweep, longest first.

    Args:
      spec: what is wanted.
      store: what there is.
      datasets: digest and name of each data set, by `DatasetOptions.key`.
    """
    wanted = cells(spec, datasets)
    begun_by_folder = store.checkpoints() if store.exists else {}
    begun = {cell.key: begun_by_folder.get(cell.folder, []) for cell in wanted}
    completed = store.completed() if store.exists else {}
    return plan(wanted, spec.seed_ranges, completed, begun, spec.shard_width)


def _count(spec: SweepSpec) -> int:
    return len(list(spec.cells())) * len(spec.seed_ranges)


def _load_datasets(
    spec: SweepSpec, recorded: Datasets, loaded: dict[str, Digits], manual_dir: str | None
) -> dict[str, dict[str, str]]:
    """Load the digits of every cell into `loaded`, by digest; returns the record of them."""
    from data import load
    from model.numerics import configure

    configure(platform="cpu")  # the driver never opens an accelerator
    datasets: dict[str, dict[str, str]] = {}
    for _, options in spec.cells():
        if options.key in datasets:
            continue
        dataset = load(options, manual_dir)
        before = recorded.get(options.key, {}).get("digest", dataset.digest)
        if before != dataset.digest:
            raise StoreError(
                f"{dataset_label(options)}: the digits prepared here (digest {dataset.digest[:8]}) are not "
                f"those this sweep began with ({before[:8]}): finish it where it began, or name another --root"
            )
        loaded[dataset.digest] = Digits(
            dataset.train.images,
            dataset.train.labels,
            dataset.test.images,
            dataset.test.labels,
            dict(dataset.description),
        )
        datasets[options.key] = {"digest": dataset.digest, "name": dataset_label(options)}
    return datasets


def _execute(
    digits: dict[str, Digits],
    engine: str,
    settings: Settings,
    shards: list[Shard],
    resume_from: Callable[[Shard], bytes | None],
) -> Events:
    if settings.executor == "inline":
        yield from _run_inline(shards, digits, engine, settings.checkpoint_seconds, resume_from)
        return
    from sweep.executors import ray as scheduler

    scheduler.connect(settings.address, settings.workers)
    try:
        device = None if settings.device == "auto" else settings.device
        yield from scheduler.run_on_ray(
            shards, digits, engine, device, settings.checkpoint_seconds, resume_from
        )
    finally:
        scheduler.disconnect()


def _run_inline(
    shards: list[Shard],
    digits: dict[str, Digits],
    engine: str,
    checkpoint_seconds: float,
    resume_from: Callable[[Shard], bytes | None],
) -> Events:
    """One shard after the other in this process, for tests and debugging: errors are not caught."""
    from model.numerics import configure

    configure(platform="cpu", threads=1)
    from sweep.worker.worker import run_shard

    for shard in shards:
        stream = run_shard(
            shard, digits[shard.cell.dataset_digest], engine, resume_from(shard), checkpoint_seconds
        )
        for message in stream:
            yield shard, message


def _write(store: Store, shard: Shard, message: Message, outcome: Outcome) -> None:
    """Put a message on disk at once: whatever dies later, it is there."""
    match message:
        case Progress(checkpoint=bytes() as content):
            store.save_checkpoint(shard, content)
        case Finished(epochs, labels, metadata):
            store.append(shard, epochs, labels, metadata)
            outcome.finished.append(shard)
        case Failed(traceback):
            store.save_failure(shard, traceback)
            outcome.failed.append(shard)
        case Repartitioned(reason="memory"):
            store.drop_checkpoint(shard)  # else the next run would start with the whole shard again
        case Started() | Progress() | Note() | Repartitioned():
            pass
