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
    """Load a data set, from the cache of prepared digits if it was loaded on this machine before.

    Args:
      options: name, sizes, subset and resizing.
      manual_dir: directory with original files, searched before ``$LECUN1989_MANUAL_DIR`` and TFDS' own directory
        for such files.

    Raises:
      DataUnavailable: the data set is neither on this machine nor downloadable; the message lists the remedies.
    """
    from data import prepared

    loader = import_module(DATASETS[options.name].module)
    folder = Path(manual_dir) if manual_dir else None
    key = prepared.key(options, loader.sources(folder))
    if key and (cached := prepared.read(key)):
        return cached
    dataset: Dataset = loader.load(options, folder)
    if key and key == prepared.key(options, loader.sources(folder)):  # no source has changed meanwhile
        prepared.write(key, dataset)
    return dataset


def describe(name: str, manual_dir: str | Path | None = None) -> str:
    """Describe in one line where `load` finds a data set of `DATASETS`; begins with "not found" if nowhere."""
    line: str = import_module(DATASETS[name].module).describe(Path(manual_dir) if manual_dir else None)
    return line


def is_local(name: str, manual_dir: str | Path | None = None) -> bool:
    """Whether `load` finds a data set on this machine, without a download."""
    return not describe(name, manual_dir).startswith("not found")
