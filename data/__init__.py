"""Digits as NumPy arrays; knows nothing else here. `load(options)` is all that the rest needs."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from data.options import DATASETS, DatasetOptions
from data.places import DataUnavailable

if TYPE_CHECKING:
    from data.dataset import Dataset

__all__ = ["DATASETS", "DataUnavailable", "DatasetOptions", "load"]


def load(options: DatasetOptions, manual_dir: str | Path | None = None) -> "Dataset":
    """The digits that the options name.

    Args:
      options: which digits, how many, drawn and resized how.
      manual_dir: folder of original files placed by hand, looked into before ``$LECUN1989_MANUAL_DIR`` and
        TFDS' own folder for such files.

    Raises:
      DataUnavailable: they are not here and cannot be fetched; the message names the ways out.
    """
    loader = import_module(DATASETS[options.name].loader)
    dataset: Dataset = loader.load(options, Path(manual_dir) if manual_dir else None)
    return dataset
