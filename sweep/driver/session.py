"""Run sweeps: load the data, start the executor, lock the root, train the missing runs."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from data import DatasetOptions, is_local, load
from data.dataset import Dataset
from model.numerics import configure
from sweep.driver.driver import Outcome, count, missing, train, without_weights
from sweep.driver.notebook import default_observer
from sweep.errors import StoreError
from sweep.executors.choose import Execute, executor
from sweep.messages import Observer
from sweep.settings import Settings
from sweep.spec.spec import SweepSpec, dataset_label
from sweep.stop import Stop
from sweep.store import lease, queue
from sweep.store.records import Datasets, dataset_entry, recorded_datasets, sweep_name
from sweep.store.store import Store

DEFAULTS = Settings()


def run(
    spec: SweepSpec,
    store: Store,
    settings: Settings = DEFAULTS,
    observer: Observer | None = None,
    stop: Stop | None = None,
) -> Outcome:
    """Train the runs of a spec that the store lacks. Run, resume, retry and extend are this one operation.

    Args:
      spec: variants, seeds and data set.
      store: where the results are written; created if missing.
      settings: how to run.
      observer: receives progress events; None shows a progress bar in a notebook, and nothing elsewhere.
      stop: ends the run early, for example `Stop.after(hours=2)`; None: when everything is trained.

    Returns:
      The shards that were planned, finished and failed.

    Raises:
      StoreError: the root cannot be used or written, or another driver holds it and `settings.wait` is false.
      data.DataUnavailable: a data set is neither on this machine nor downloadable.
      ConnectionError: Ray does not start or does not answer, or a process of the local Ray ended.
      KeyboardInterrupt: passed on; finished shards and the last checkpoints are stored.
    """
    with Session(settings, stop) as session:
        if observer is not None:
            return session.run(spec, store, observer)
        with default_observer(store) as shown:
            return session.run(spec, store, shown)


class Session:
    """Trains sweeps one after the other.

    The executor starts with the first that lacks runs, and its workers stay. The root is held until the session ends.
    """

    def __init__(
        self, settings: Settings, stop: Stop | None = None, started: Callable[[], None] = lambda: None
    ) -> None:
        """`started` is called once, when the executor has started."""
        self._settings, self._stop, self._started = settings, stop or Stop(), started
        self._opened = ExitStack()
        self._execute: Execute | None = None
        self._checks: dict[str, lease.Check] = {}  # by root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._opened.__exit__(*error)

    def run(self, spec: SweepSpec, store: Store, observer: Observer | None = None) -> Outcome:
        """See the function `run`."""
        observer = observer or Observer()
        if store.exists and _is_complete(spec, store, observer):
            return Outcome()
        if self._settings.wait:
            store.open_for_writing()
        if store.exists:
            if not self._hold(spec, store, observer):
                return Outcome()
            store.refresh()  # another driver may have finished shards meanwhile
            if _is_complete(spec, store, observer):
                return Outcome()
        recorded = recorded_datasets(store, spec) if store.exists else {}
        manual_dir = self._settings.manual_dir
        with _loading(spec, recorded, manual_dir) as loading:
            names = dict.fromkeys(options.name for _, options in spec.cells())
            reading = f"loading {', '.join(names)}"
            if all(is_local(name, manual_dir) for name in names):
                observer.phase(f"{self._starting}{reading}")
            else:
                observer.phase(reading)
                loading.result()  # fail before Ray starts
            execute = self._executor()
            loaded = loading.result()
        store.open_for_writing()
        by_digest = {dataset.digest: dataset for dataset in loaded.values()}
        records = {
            options.key: {**dataset_entry(options, dataset), **recorded.get(options.key, {})}
            for options, dataset in loaded.items()
        }
        self._hold(spec, store, observer)
        with self._stop.while_training():
            return train(
                spec,
                store,
                records,
                lambda shards, load: execute(shards, by_digest, spec.engine, spec.kept_seeds, load),
                observer,
                self._checks[store.root],
            )

    def _hold(self, spec: SweepSpec, store: Store, observer: Observer) -> bool:
        """Hold the root until the session ends; False if the run should end before that is possible."""
        if store.root not in self._checks:
            sweep, settings, stop = sweep_name(spec), self._settings, self._stop
            if not settings.wait:
                check: lease.Check | None = self._opened.enter_context(lease.hold(store, sweep))
            else:
                stop.waiting, began = True, time.monotonic()
                check = self._opened.enter_context(
                    queue.hold(store, sweep, settings.priority, observer.waiting, lambda: stop.requested)
                )
            if check is None:
                return False
            if settings.wait:
                stop.waiting, stop.waited = False, time.monotonic() - began
                observer.phase(f"{queue.HOLDING}{store.root}")
            self._checks[store.root] = check
        return True

    @property
    def _starting(self) -> str:
        """What `_executor` is about to do, before another phase; empty if it takes no time."""
        if self._settings.executor != "ray" or self._execute:
            return ""
        address = self._settings.address
        return f"connecting to {address} and " if address else "starting Ray and "

    def _executor(self) -> Execute:
        if self._execute is None:
            self._execute = self._opened.enter_context(executor(self._settings, self._stop))
            self._started()
        return self._execute


def _is_complete(spec: SweepSpec, store: Store, observer: Observer) -> bool:
    """Whether the store has every run and weight of a spec; if so, notify the observer. Fails on corrupt files."""
    store.completed()
    recorded = recorded_datasets(store, spec)
    if not recorded or missing(spec, store, recorded) or without_weights(spec, store, recorded):
        return False
    observer.begin([], count(spec))
    return True


@contextmanager
def _loading(
    spec: SweepSpec, recorded: Datasets, manual_dir: str | None
) -> Iterator[Future[dict[DatasetOptions, Dataset]]]:
    """Load the data sets of a spec in a second thread, while the block runs."""
    configure(platform="cpu")  # the driver never opens an accelerator
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_load_datasets, spec, recorded, manual_dir)


def _load_datasets(
    spec: SweepSpec, recorded: Datasets, manual_dir: str | None
) -> dict[DatasetOptions, Dataset]:
    """Load the data sets of a spec; raises if they differ from those of earlier runs of the sweep."""
    loaded: dict[DatasetOptions, Dataset] = {}
    for _, options in spec.cells():
        if options in loaded:
            continue
        dataset = loaded[options] = load(options, manual_dir)
        before = recorded.get(options.key, {}).get("digest", dataset.digest)
        if before != dataset.digest:
            raise StoreError(
                f"{dataset_label(options)}: the arrays prepared here (digest {dataset.digest[:8]}) differ from those "
                f"of this sweep's earlier runs ({before[:8]}): run it on that machine, or choose another --root"
            )
    return loaded
