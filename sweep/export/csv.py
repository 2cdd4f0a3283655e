"""Export to one CSV file with a row per run and epoch. A later export appends its rows."""

import csv
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from sweep.errors import SpecError, one_line
from sweep.export.runs import TrackerRun

KEY = "run_key"
PARAMETERS = ("variant", "recipe", "dataset", "n_train", "n_test", "seed", "seeds")
TAGS = ("variant_digest", "dataset_digest", "engine", "device", "code", "status")


class CsvFile:
    """A CSV file. Its first column identifies the run of a row."""

    def __init__(self, to: str | None, experiment: str | None) -> None:
        if experiment is not None:
            raise SpecError(f"--experiment {experiment}: a CSV file has no experiments: leave it out")
        self.address = to or "runs.csv"
        self._path = Path(self.address)
        if self._path.is_dir():
            raise SpecError(f"--to {self.address}: is a folder: name a file in it")

    def keys(self) -> set[str]:
        """See `Tracker`."""
        if not self._path.exists():
            return set()
        self._head()
        with self._path.open(newline="") as file:
            return {row[0] for row in csv.reader(file) if row} - {KEY}

    def add(self, runs: Iterable[TrackerRun]) -> None:
        """See `Tracker`. The file is replaced in one step."""
        temporary = self._path.with_name(f"_{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                shutil.copyfile(self._path, temporary)
            with temporary.open("a", newline="") as file:
                self._append(file, runs)
            temporary.replace(self._path)
        except OSError as error:
            raise SpecError(f"--to {self.address}: cannot be written: {one_line(error)}") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _append(self, file: TextIO, runs: Iterable[TrackerRun]) -> None:
        head = self._head() if self._path.exists() else None
        writer = csv.writer(file, lineterminator="\n")
        for run in runs:
            if head is None:
                head = _head(run)
                writer.writerow(head)
            elif head != _head(run):
                raise SpecError(f"--to {self.address}: has other columns (another --per?): name another file")
            writer.writerows(_rows(run))

    def _head(self) -> list[str]:
        """Column names of the existing file."""
        try:
            with self._path.open(newline="") as file:
                head = next(csv.reader(file), [])
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"--to {self.address}: cannot be read: {one_line(error)}") from None
        if head[:1] != [KEY]:
            raise SpecError(f"--to {self.address}: was not written by `sweep export csv`: name another file")
        return head


def _head(run: TrackerRun) -> list[str]:
    return [KEY, *(name for name in PARAMETERS if name in run.parameters), "epoch", *run.metrics, *TAGS]


def _rows(run: TrackerRun) -> Iterator[list[str]]:
    parameters = [str(run.parameters[name]) for name in PARAMETERS if name in run.parameters]
    tags = [run.tags[name] for name in TAGS]
    for epoch in range(1, run.epochs + 1):
        defined = run.defined(epoch)
        numbers = [f"{defined[name]:.9g}" if name in defined else "" for name in run.metrics]
        yield [run.key, *parameters, str(epoch), *numbers, *tags]
