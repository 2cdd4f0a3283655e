"""The arrays of a data set."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

SIDE = 16  # pixels
_ROUNDING = 1e-6  # by how much a resized image may exceed [-1, 1]


@dataclass(frozen=True, eq=False)
class Examples:
    """Digits with labels in a fixed order; both arrays are copies and read-only.

    Attributes:
      images: [N, 16, 16] float32 in [-1, 1] to rounding; -1 is background, 1 is ink.
      labels: [N] int32 in 0..9.

    Raises:
      ValueError: the shapes are inconsistent, or values are out of range.
    """

    images: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        images, labels = _frozen(self.images, "<f4"), _frozen(self.labels, "<i4")
        if images.shape != (len(labels), SIDE, SIDE) or labels.ndim != 1:
            raise ValueError(f"images {images.shape} and labels {labels.shape} are not [N, 16, 16] and [N]")
        if not (np.abs(images) <= 1 + _ROUNDING).all():
            raise ValueError("images have values outside [-1, 1]")
        if not ((labels >= 0) & (labels <= 9)).all():
            raise ValueError("labels have values outside 0..9")
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test examples, and their origin.

    Attributes:
      description: name, sizes, options, source and licence; plain JSON values, no paths.
    """

    name: str
    train: Examples
    test: Examples
    description: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of the four arrays, 64 hex digits."""
        total = hashlib.sha256()
        for array in (self.train.images, self.train.labels, self.test.images, self.test.labels):
            total.update(f"{array.dtype.str} {array.shape}\n".encode())
            total.update(array.tobytes())
        return total.hexdigest()


def _frozen(values: ArrayLike, dtype: str) -> np.ndarray:
    array = np.array(values, dtype, order="C")
    array.setflags(write=False)
    return array
