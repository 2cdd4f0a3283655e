"""MNIST, subsampled to 7,291 + 2,007 digits and resized to 16x16 as in the published reproductions."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data import places
from data.dataset import Dataset, Examples
from data.options import DatasetOptions
from data.originals import Originals
from data.resize import to_network


def read(paths: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a whole split in file order: images [N, 28, 28] uint8 and labels [N] uint8."""
    prefix = {"train": "train", "test": "t10k"}[split]
    with gzip.open(paths[f"{prefix}-images-idx3-ubyte.gz"]) as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(paths[f"{prefix}-labels-idx1-ubyte.gz"]) as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


ORIGINALS = Originals(
    name="mnist",
    tfds_name="mnist",
    version="3.0.1",
    url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    sha256={
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
    shape=(28, 28),
    dtype="uint8",
    shuffled=True,
    read=read,
)


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Load both splits, each a random subset of the corresponding original split.

    Raises:
      DataUnavailable: neither a copy, the original files nor a network is available.
    """
    train, test = (
        Examples(to_network(images, options.antialias), labels)
        for images, labels in places.read_splits(ORIGINALS, options, manual_dir)
    )
    return Dataset(
        name="mnist",
        train=train,
        test=test,
        description={
            "options": options.description,
            "source": f"MNIST, tensorflow-datasets {ORIGINALS.tfds_name} {ORIGINALS.version}",
            "url": ORIGINALS.url,
            "citation": "LeCun, Y., Cortes, C., Burges, C. J. C.: The MNIST database of handwritten digits",
            "licence": "CC BY-SA 3.0",
        },
    )


def describe(manual_dir: Path | None = None) -> str:
    """Describe in one line where `load` finds the digits."""
    return places.describe(ORIGINALS, manual_dir)


def sources(manual_dir: Path | None = None) -> list[Path]:
    """The files that `load` would read; none if the digits are not on this machine."""
    return places.sources(ORIGINALS, manual_dir)
