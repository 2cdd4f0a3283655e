"""Prepared copies of data sets in TFDS format, written and read without TensorFlow.

The only module that imports TFDS. Without TensorFlow, TFDS writes and reads array_record files only.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core.hashing import Hasher

from data.originals import SPLITS, DataUnavailable, Originals


def prepare(originals: Originals, data_dir: Path, folder: Path | None) -> None:
    """Write a data set's copy below `data_dir`.

    Args:
      originals: the data set.
      data_dir: TFDS data directory.
      folder: directory with the original files; None downloads them into `data_dir`.

    Raises:
      DataUnavailable: a downloaded file differs from the original.
      Exception: whatever TFDS raises, which has no common base class.
    """
    with _quiet(), contextlib.redirect_stdout(io.StringIO()):  # TFDS prints download sizes as unknown
        builder = _builder(originals)(folder, data_dir=str(data_dir), file_format="array_record")
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))


def read(
    copy: Path, split: str, rows: np.ndarray, available: int, shuffled: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Read selected rows of a copy.

    Args:
      copy: directory of one version of a TFDS data set.
      split: "train" or "test".
      rows: [n] int, row numbers in the original files.
      available: number of rows in the original files.
      shuffled: whether TFDS stores the rows in shuffled order.

    Returns:
      Images [n, height, width] with the dtype of the copy, and labels [n] int64.

    Raises:
      DataUnavailable: the copy is damaged or incomplete.
    """
    if shuffled:
        # Row j of the copy is row order[j] of the files: TFDS sorts by a hash of row number and split name.
        order = np.array(sorted(range(available), key=Hasher(split).hash_key))
        rows = np.argsort(order)[rows]
    try:
        with _quiet():
            source = tfds.builder_from_directory(str(copy)).as_data_source(split=split)
            if len(source) != available:
                raise ValueError(f"it has {len(source)} {split} rows instead of {available}")
            records = source.__getitems__(rows.tolist())
    except Exception as error:  # a damaged file makes TFDS and array_record raise errors of many types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataUnavailable(
            f"{copy} cannot be read ({reason}): delete it, and it is prepared again"
        ) from error
    return np.stack([r["image"][:, :, 0] for r in records]), np.array([r["label"] for r in records])


def _builder(originals: Originals) -> Any:
    """The TFDS builder class of a data set."""
    height, width = originals.shape
    as_png = originals.dtype == "uint8"
    image: Any = (
        tfds.features.Image(shape=(height, width, 1))
        if as_png
        else tfds.features.Tensor(shape=(height, width, 1), dtype=np.dtype(originals.dtype))
    )

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg,misc]
        name = originals.tfds_name
        VERSION = tfds.core.Version(originals.version)

        def __init__(self, folder: Path | None, **kwargs: Any) -> None:
            self._folder = folder
            super().__init__(**kwargs)

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {"image": image, "label": tfds.features.ClassLabel(num_classes=10)}
                ),
                supervised_keys=("image", "label"),
                homepage=originals.url,
                disable_shuffling=not originals.shuffled,
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            paths = _paths(originals, self._folder, dl_manager)
            return {split: self._generate_examples(paths, split) for split in SPLITS}

        def _generate_examples(
            self, paths: dict[str, Path], split: str
        ) -> Iterator[tuple[int, dict[str, Any]]]:
            for key, (pixels, label) in enumerate(zip(*originals.read(paths, split), strict=True)):
                yield key, {"image": _png(pixels) if as_png else pixels[:, :, None], "label": int(label)}

    return Builder


def _png(pixels: np.ndarray) -> io.BytesIO:
    """An image as a PNG file. TFDS encodes arrays with TensorFlow, but accepts encoded images."""
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "png")
    png.seek(0)
    return png


def _paths(originals: Originals, folder: Path | None, dl_manager: Any) -> dict[str, Path]:
    """Path of each original file by its name; downloads the files if `folder` is None."""
    if folder is not None:
        return {name: folder / name for name in originals.sha256}
    downloaded = dl_manager.download({name: originals.url + name for name in originals.sha256})
    paths = {name: Path(path) for name, path in downloaded.items()}
    for name, path in paths.items():
        originals.verify_file(name, path, shown_as=originals.url + name)
    return paths


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log messages and progress bars of TFDS."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
