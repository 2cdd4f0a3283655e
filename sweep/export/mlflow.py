"""Export to an MLflow tracking server or database: one run of MLflow per run, written in batches.

A run is finished in MLflow once all of it is written. A run that an interrupted export left behind is completed by
the next one: MLflow ignores a value that it has already.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sweep.errors import SpecError, one_line
from sweep.export.registry import EXPERIMENT
from sweep.export.runs import TrackerRun
from sweep.network import require_answer

# Read by MLflow. It contacts no server but the given one, and prints no address of each run.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException

KEY = "lecun1989_sweep.key"  # tag
DEFAULT = "sqlite:///mlflow.db"  # also read by `mlflow ui`
BATCH = 1000  # most metrics in one request
PAGE = 1000
_FINISHED = "FINISHED"


class MlflowExperiment:
    """An experiment of MLflow. A tag of each run has its key."""

    def __init__(self, to: str | None, experiment: str | None) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(
                logging.WARNING
            )  # else every migration of a new database is a line
        self.address = to or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT
        if self.address.startswith(("http://", "https://")):
            require_answer(self.address, "MLflow server")
        self._unfinished: dict[str, str] = {}  # run ids by key, of interrupted exports
        name = experiment or EXPERIMENT
        with _error_in_one_line(self.address):
            self._client = MlflowClient(tracking_uri=self.address)
            found = self._client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage != "active":
                raise SpecError(
                    f"{self.address}: the experiment {name!r} is deleted: restore it or name another"
                )
            self._experiment = found.experiment_id if found else self._client.create_experiment(name)

    def keys(self) -> set[str]:
        """See `Tracker`."""
        finished = set()
        with _error_in_one_line(self.address):
            for run in self._runs():
                if run.info.status == _FINISHED:
                    finished.add(run.data.tags[KEY])
                else:
                    self._unfinished[run.data.tags[KEY]] = run.info.run_id
        return finished

    def add(self, runs: Iterable[TrackerRun]) -> None:
        """See `Tracker`."""
        with _error_in_one_line(self.address):
            for run in runs:
                self._write(run)

    def _runs(self) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{KEY}` LIKE '%'", max_results=PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _write(self, run: TrackerRun) -> None:
        run_id = self._unfinished.get(run.key)
        if run_id is None:
            started = int(run.started.timestamp() * 1000)
            tags = {KEY: run.key, **run.tags}
            created = self._client.create_run(self._experiment, started, tags, run_name=run.name)
            run_id = created.info.run_id
        parameters = [Param(name, str(value)) for name, value in run.parameters.items()]
        metrics = list(_metrics(run))
        self._client.log_batch(run_id, metrics[: BATCH - len(parameters)], parameters)
        for start in range(BATCH - len(parameters), len(metrics), BATCH):
            self._client.log_batch(run_id, metrics[start : start + BATCH])
        self._client.set_terminated(run_id, _FINISHED, int(run.time_of(run.epochs) * 1000))


def _metrics(run: TrackerRun) -> Iterator[Metric]:
    for epoch in range(1, run.epochs + 1):
        when = int(run.time_of(epoch) * 1000)
        for name, value in run.defined(epoch).items():
            yield Metric(name, value, when, epoch)


@contextmanager
def _error_in_one_line(address: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError) as error:
        raise SpecError(f"{address}: {one_line(error)}") from None
