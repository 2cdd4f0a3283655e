"""Data sets of digits as NumPy arrays. Imports `model.identity` and `model.names`."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from data.options import DATASETS, DatasetOptions
from data.originals import DataUnavailable

if TYPE_CHECKING:
    from data.dataset import Dataset

__all__ = ["DATASETS", "DataUnavailable", "DatasetOptions", "describe", "is_local", "load"]


def load(options: DatasetOptions, manual_dir: str | Path | None = None) -> "Dataset":
    """Load a data set.

    Args:
      options: name, sizes, subset and resizing.
      manual_dir: directory with original files, searched before ``$LECUN1989_MANUAL_DIR`` and TFDS' own directory
        for such files.

    Raises:
      DataUnavailable: the data set is neither on this machine nor downloadable; the message lists the remedies.
    """
    loader = import_module(DATASETS[options.name].module)
    dataset: Dataset = loader.load(options, Path(manual_dir) if manual_dir else None)
    return dataset


def describe(name: str, manual_dir: str | Path | None = None) -> str:
    """Describe in one line where `load` finds a data set of `DATASETS`; begins with "not found" if nowhere."""
    line: str = import_module(DATASETS[name].module).describe(Path(manual_dir) if manual_dir else None)
    return line


def is_local(name: str, manual_dir: str | Path | None = None) -> bool:
    """Whether `load` finds a data set on this machine, without a download."""
    return not describe(name, manual_dir).startswith("not found")
