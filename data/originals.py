"""Description of a data set's original files. Standard library only."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "test")


class DataUnavailable(Exception):
    """A data set cannot be loaded; the message lists what is missing, the searched locations and the remedies."""


@dataclass(frozen=True)
class Originals:
    """The original files of a data set, and the TFDS data set that is prepared from them.

    Attributes:
      name: of the data set.
      tfds_name, version: of the TFDS data set.
      url: directory of the files, with a final "/".
      sha256: hex digest of each file by file name.
      shape, dtype: of one image as TFDS stores it.
      shuffled: TFDS stores the rows in shuffled order instead of file order.
      read: maps (path of each file by name, "train" or "test") to all images [N, *shape] of `dtype` and labels
        [N] of the split, in file order.
    """

    name: str
    tfds_name: str
    version: str
    url: str
    sha256: Mapping[str, str]
    shape: tuple[int, int]
    dtype: str
    shuffled: bool
    read: Callable[[Mapping[str, Path], str], "tuple[np.ndarray, np.ndarray]"]

    def missing(self, folder: Path) -> list[str]:
        """Names of the files that the folder lacks."""
        return [name for name in self.sha256 if not (folder / name).is_file()]

    def verify(self, folder: Path) -> None:
        """Compare the digests of the files in a folder with those of the original files.

        Raises:
          DataUnavailable: a digest differs.
        """
        for name in self.sha256:
            self.verify_file(name, folder / name, shown_as=str(folder / name))

    def verify_file(self, name: str, path: Path, shown_as: str) -> None:
        """Compare the digest of one file with that of the original file.

        Args:
          name: of the original file.
          path: of the file to verify.
          shown_as: path or URL that the error message names.

        Raises:
          DataUnavailable: the digests differ; the message gives both.
        """
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != self.sha256[name]:
            raise DataUnavailable(
                f"{shown_as} is not the original file: its sha256 is {actual}, "
                f"the original's is {self.sha256[name]}"
            )
