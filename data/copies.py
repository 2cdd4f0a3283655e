"""TFDS' copies of the original files: written and read without TensorFlow. The only file that imports TFDS.

Only the array_record format can do both.
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
from tensorflow_datasets.core.hashing import Hasher
from tensorflow_datasets.image_classification.mnist import MNIST

from data import mnist, usps
from data.places import SPLITS, DataUnavailable, Source, check, tfds_dir


def make(source: Source, originals: Path | None) -> None:
    """Let TFDS write its copy, from original files placed by hand or by download."""
    builder: Any = {"mnist": Mnist, "usps": UspsZip}[source.name]
    with _quiet(), contextlib.redirect_stdout(io.StringIO()):  # TFDS prints sizes it does not know
        builder(originals, data_dir=str(tfds_dir()), file_format="array_record").download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )


def read(
    folder: Path, split: str, rows: np.ndarray, available: int, shuffled: bool
) -> tuple[np.ndarray, ...]:
    """Chosen rows of a copy.

    Args:
      split: "train" or "test".
      rows: [n] int, numbered as in the original files.
      available: how many rows the original files have.
      shuffled: whether TFDS shuffled the rows as it wrote them.

    Returns:
      Images [n, height, width] of the copy's type and labels [n] int64.

    Raises:
      DataUnavailable: the copy is damaged or not a whole one.
    """
    if shuffled:
        # Row j of the copy is row order[j] of the files: TFDS sorts by a hash of row number and split name.
        order = np.array(sorted(range(available), key=Hasher(split).hash_key))
        rows = np.argsort(order)[rows]
    try:
        with _quiet():
            copy = tfds.builder_from_directory(str(folder)).as_data_source(split=split)
            if len(copy) != available:
                raise ValueError(f"it has {len(copy)} {split} rows, not {available}")
            records = copy.__getitems__(rows.tolist())
    except Exception as error:  # whatever a damaged file makes TFDS or array_record raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataUnavailable(
            f"{folder} cannot be read ({reason}): delete it to have it made anew"
        ) from error
    return np.stack([r["image"][:, :, 0] for r in records]), np.array([r["label"] for r in records])


class Mnist(MNIST, skip_registration=True):  # type: ignore[call-arg]
    """TFDS' own builder with a reader that needs no TensorFlow; same rows, same keys, same order."""

    name = "mnist"

    def __init__(self, originals: Path | None, **kwargs: Any) -> None:
        self._originals = originals
        super().__init__(**kwargs)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        paths = _paths(mnist.SOURCE, self._originals, dl_manager)
        return {split: self._generate_examples(paths, split) for split in SPLITS}

    def _generate_examples(self, paths: dict[str, Path], split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        from PIL import Image

        for key, (image, label) in enumerate(zip(*mnist.read_originals(paths, split), strict=True)):
            png = io.BytesIO()  # encoded here: TFDS would ask TensorFlow to
            Image.fromarray(image).save(png, "png")
            png.seek(0)
            yield key, {"image": png, "label": int(label)}


class UspsZip(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """USPS zip-code digits, 16x16, in file order."""

    name = usps.SOURCE.tfds_name
    VERSION = tfds.core.Version(usps.SOURCE.version)

    def __init__(self, originals: Path | None, **kwargs: Any) -> None:
        self._originals = originals
        super().__init__(**kwargs)

    def _info(self) -> Any:
        features = {
            "image": tfds.features.Tensor(shape=(16, 16, 1), dtype=np.float32),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description="USPS zip-code digits as in The Elements of Statistical Learning.",
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        paths = _paths(usps.SOURCE, self._originals, dl_manager)
        return {split: self._generate_examples(paths, split) for split in SPLITS}

    def _generate_examples(self, paths: dict[str, Path], split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for key, (image, label) in enumerate(zip(*usps.read_originals(paths, split), strict=True)):
            yield key, {"image": image[:, :, None], "label": int(label)}


def _paths(source: Source, originals: Path | None, dl_manager: Any) -> dict[str, Path]:
    """Path of each original file by its name, downloaded if it must be."""
    if originals is not None:
        return {name: originals / name for name in source.sums}
    downloaded = dl_manager.download({name: source.url + name for name in source.sums})
    paths = {name: Path(path) for name, path in downloaded.items()}
    for name, path in paths.items():
        check(path, source.sums[name], called=source.url + name)
    return paths


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep TFDS' notes about its own workings off the user's screen."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
