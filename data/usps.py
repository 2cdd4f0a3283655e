"""The paper's own kind of digits: 7,291 + 2,007 USPS zip-code digits, through a TFDS builder.

From "The Elements of Statistical Learning", data set "ZIP code": one digit a row, label then 256 pixels in
[-1, 1].
"""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data import places
from data.dataset import Dataset, Split
from data.draw import drawn
from data.options import DATASETS, DatasetOptions
from data.places import SPLITS, Place, Source

SOURCE = Source(
    name="usps",
    tfds_name="usps_zip",
    version="1.0.0",
    url="https://hastie.su.domains/ElemStatLearn/datasets/",
    sums={
        "zip.train.gz": "66ebf231ab51f2cf6ac1a892d0f98ccffee1079d7a5db638c1f11f366046ca16",
        "zip.test.gz": "8dacc3c6e136af6c3488de9e5113a7daf140c8c2f1f0b61c54ee02f03f1a962f",
    },
)


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Both splits, in file order unless a draw is asked for.

    Raises:
      DataUnavailable: there is no copy, no original files and no network.
    """
    place = places.fetch(SOURCE, manual_dir)
    return Dataset(
        name="usps",
        train=_split(options, place, 0),
        test=_split(options, place, 1),
        description={
            "options": options.description,
            "source": "USPS zip-code digits as in The Elements of Statistical Learning",
            "url": SOURCE.url,
            "citation": "LeCun, Y. et al.: Handwritten digit recognition with a back-propagation network",
            "licence": "not stated; made available by the neural network group at AT&T research labs",
        },
    )


def found(options: DatasetOptions, manual_dir: Path | None = None) -> str:
    """One line on where `load` would find the digits."""
    return places.found(SOURCE, manual_dir)


def read_originals(paths: Mapping[str, Path], split: str) -> tuple[np.ndarray, np.ndarray]:
    """A whole split in file order: images [N, 16, 16] float32 and labels [N] int32."""
    with gzip.open(paths[f"zip.{split}.gz"], "rt") as text:
        table = np.loadtxt(text, dtype=np.float32)
    return table[:, 1:].reshape(-1, 16, 16), table[:, 0].astype(np.int32)


def _split(options: DatasetOptions, place: Place, index: int) -> Split:
    name, available, n = SPLITS[index], DATASETS["usps"].rows[index], options.sizes[index]
    rows = drawn(options, available)[:n]
    if place.is_copy:
        from data.copies import read

        images, labels = read(place.folder, name, rows, available, shuffled=False)
    else:
        paths = {file: place.folder / file for file in SOURCE.sums}
        images, labels = (array[rows] for array in read_originals(paths, name))
    return Split(images, labels)
