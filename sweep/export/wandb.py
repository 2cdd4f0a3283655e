"""Export to offline runs of Weights & Biases, which `wandb sync` uploads. No server is contacted.

A run is written in a temporary folder and then moved, so a folder with its final name is complete. The id of a run
is its key, so that a repeated upload changes nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sweep.errors import SpecError, one_line
from sweep.export.registry import EXPERIMENT
from sweep.export.runs import TrackerRun

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # before the import: no server is contacted

import wandb

_PREFIX = "offline-run-"


class OfflineRuns:
    """A folder of offline runs, FOLDER/offline-run-DATE-KEY."""

    def __init__(self, to: str | None, experiment: str | None) -> None:
        self.address = to or "wandb"
        self._project = experiment or EXPERIMENT
        self._folder = Path(self.address)
        if self._folder.exists() and not self._folder.is_dir():
            raise SpecError(f"--to {self.address}: is a file: name a folder")

    def keys(self) -> set[str]:
        """See `Tracker`."""
        return {path.name.rpartition("-")[2] for path in self._folder.glob(f"{_PREFIX}*")}

    def add(self, runs: Iterable[TrackerRun]) -> None:
        """See `Tracker`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="_") as temporary:
                for run in runs:
                    self._write(run, Path(temporary))
        except OSError as error:
            raise SpecError(f"--to {self.address}: cannot be written: {one_line(error)}") from None

    def _write(self, run: TrackerRun, temporary: Path) -> None:
        settings = wandb.Settings(
            mode="offline",
            silent=True,
            console="off",
            disable_git=True,  # nothing of this process belongs to the run
            disable_code=True,
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        with wandb.init(
            project=self._project,
            id=run.key,
            name=run.name,
            group=run.variant,
            config={**run.parameters, **run.tags},
            dir=temporary,
            settings=settings,
            reinit="create_new",
        ) as writer:
            for epoch in range(1, run.epochs + 1):
                values = run.defined(epoch)
                writer.log({**values, "epoch": epoch, "_timestamp": run.time_of(epoch)}, step=epoch)
        (written,) = (temporary / "wandb").glob(f"{_PREFIX}*-{run.key}")
        for name in ("logs", "tmp"):  # of this process, not of the run
            shutil.rmtree(written / name, ignore_errors=True)
        shutil.move(written, self._folder / f"{_PREFIX}{run.started:%Y%m%d_%H%M%S}-{run.key}")
