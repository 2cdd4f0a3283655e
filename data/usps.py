"""USPS zip-code digits, 7,291 + 2,007: the split sizes of the 1989 paper.

Source: the data set "ZIP code" of Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning". One digit
a row: the label, then 256 pixels in [-1, 1].
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data import places
from data.dataset import Dataset, Examples
from data.options import DatasetOptions
from data.originals import Originals


def read(paths: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read a whole split in file order: images [N, 16, 16] float32 and labels [N] int32."""
    with gzip.open(paths[f"zip.{split}.gz"], "rt") as text:
        table = np.loadtxt(text, dtype=np.float32)
    return table[:, 1:].reshape(-1, 16, 16), table[:, 0].astype(np.int32)


ORIGINALS = Originals(
    name="usps",
    tfds_name="usps_zip",
    version="1.0.0",
    url="https://hastie.su.domains/ElemStatLearn/datasets/",
    sha256={
        "zip.train.gz": "66ebf231ab51f2cf6ac1a892d0f98ccffee1079d7a5db638c1f11f366046ca16",
        "zip.test.gz": "8dacc3c6e136af6c3488de9e5113a7daf140c8c2f1f0b61c54ee02f03f1a962f",
    },
    shape=(16, 16),
    dtype="float32",
    shuffled=False,
    read=read,
)


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Load both splits, in file order unless the options give a subset seed.

    Raises:
      DataUnavailable: neither a copy, the original files nor a network is available.
    """
    train, test = (
        Examples(images, labels) for images, labels in places.read_splits(ORIGINALS, options, manual_dir)
    )
    return Dataset(
        name="usps",
        train=train,
        test=test,
        description={
            "options": options.description,
            "source": "USPS zip-code digits as in The Elements of Statistical Learning",
            "url": ORIGINALS.url,
            "citation": "LeCun, Y. et al.: Handwritten digit recognition with a back-propagation network",
            "licence": "not stated; made available by the neural network group at AT&T research labs",
        },
    )


def describe(manual_dir: Path | None = None) -> str:
    """Describe in one line where `load` finds the digits."""
    return places.describe(ORIGINALS, manual_dir)


def sources(manual_dir: Path | None = None) -> list[Path]:
    """The files that `load` would read; none if the digits are not on this machine."""
    return places.sources(ORIGINALS, manual_dir)
