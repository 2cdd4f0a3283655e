"""Export to event files of TensorBoard: one folder per run, with the scalars of every epoch and hyperparameters.

The content of a file depends only on the run. It is written under a temporary name and then renamed, so a folder
that contains an event file is complete.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from sweep.errors import SpecError, one_line
from sweep.export.runs import TrackerRun

_PREFIX = "events.out.tfevents."  # by which TensorBoard recognises an event file


class EventFiles:
    """A folder of event files, FOLDER/VARIANT-DIGEST/DATASET-DIGEST/seed-N/events.out.tfevents.KEY."""

    def __init__(self, to: str | None, experiment: str | None) -> None:
        if experiment is not None:
            raise SpecError(f"--experiment {experiment}: TensorBoard has no experiments: leave it out")
        self.address = to or "tensorboard"
        self._folder = Path(self.address)
        if self._folder.exists() and not self._folder.is_dir():
            raise SpecError(f"--to {self.address}: is a file: name a folder")

    def keys(self) -> set[str]:
        """See `Tracker`."""
        return {path.name.removeprefix(_PREFIX) for path in self._folder.glob(f"*/*/*/{_PREFIX}*")}

    def add(self, runs: Iterable[TrackerRun]) -> None:
        """See `Tracker`."""
        for run in runs:
            try:
                self._write(run)
            except OSError as error:
                raise SpecError(f"--to {self.address}: cannot be written: {one_line(error)}") from None

    def _write(self, run: TrackerRun) -> None:
        folder = self._folder / _folder_of(run)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"_{run.key}.{os.getpid()}"
        try:
            with temporary.open("wb") as file:
                writer = RecordWriter(file)
                for event in _events(run):
                    writer.write(event.SerializeToString(deterministic=True))
                writer.flush()
            temporary.replace(folder / f"{_PREFIX}{run.key}")
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _folder_of(run: TrackerRun) -> Path:
    """Folder of a run: the name of the run in TensorBoard."""
    cell = f"{run.variant}-{run.tags['variant_digest']}"
    dataset = f"{run.parameters['dataset']}-{run.tags['dataset_digest']}"
    return Path(cell, dataset, run.name.rpartition(", ")[2].replace(" ", "-").replace(":", "-"))


def _events(run: TrackerRun) -> Iterator[Event]:
    started = run.started.timestamp()
    yield Event(wall_time=started, file_version="brain.Event:2")
    hyperparameters = hparams_pb({**run.parameters, **run.tags}, run.key, started)
    yield Event(wall_time=started, summary=hyperparameters)
    for epoch in range(1, run.epochs + 1):
        scalars = [Summary.Value(tag=name, simple_value=value) for name, value in run.defined(epoch).items()]
        yield Event(wall_time=run.time_of(epoch), step=epoch, summary=Summary(value=scalars))
