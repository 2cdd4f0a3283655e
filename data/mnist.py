"""7,291 + 2,007 MNIST digits through TFDS, drawn and resized as the notebooks did."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data import places
from data.dataset import Dataset, Split
from data.draw import drawn
from data.options import DATASETS, DatasetOptions
from data.places import SPLITS, Place, Source
from data.resize import to_network

SOURCE = Source(
    name="mnist",
    tfds_name="mnist",
    version="3.0.1",
    url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    sums={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Draw and resize both splits, each from its own original file.

    Raises:
      DataUnavailable: there is no copy, no original files and no network.
    """
    place = places.fetch(SOURCE, manual_dir)
    return Dataset(
        name="mnist",
        train=_split(options, place, 0),
        test=_split(options, place, 1),
        description={
            "options": options.description,
            "source": f"MNIST, tensorflow-datasets {SOURCE.tfds_name} {SOURCE.version}",
            "url": SOURCE.url,
            "citation": "LeCun, Y., Cortes, C., Burges, C. J. C.: The MNIST database of handwritten digits",
            "licence": "CC BY-SA 3.0",
        },
    )


def found(options: DatasetOptions, manual_dir: Path | None = None) -> str:
    """One line on where `load` would find the digits."""
    return places.found(SOURCE, manual_dir)


def read_originals(paths: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """A whole split in file order: pixels [N, 28, 28] uint8 and labels [N] uint8."""
    prefix = {"train": "train", "test": "t10k"}[split]
    with gzip.open(paths[f"{prefix}-images-idx3-ubyte.gz"]) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(paths[f"{prefix}-labels-idx1-ubyte.gz"]) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels, labels


def _split(options: DatasetOptions, place: Place, index: int) -> Split:
    name, available, n = SPLITS[index], DATASETS["mnist"].rows[index], options.sizes[index]
    rows = drawn(options, available)[:n]
    if place.is_copy:
        from data.copies import read

        pixels, labels = read(place.folder, name, rows, available, shuffled=True)
    else:
        paths = {file: place.folder / file for file in SOURCE.sums}
        pixels, labels = (array[rows] for array in read_originals(paths, name))
    return Split(to_network(pixels, options.antialias), labels)
