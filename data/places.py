"""Locates, downloads and prepares the files of a data set.

A data set is read from a prepared TFDS copy, else from its original files, from which a copy is prepared, else it is
downloaded. Copies are stored in the TFDS data directory or the user cache.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from data.options import DATASETS, DatasetOptions
from data.originals import SPLITS, DataUnavailable, Originals

if TYPE_CHECKING:
    import numpy as np

MANUAL_DIR_VARIABLE = "LECUN1989_MANUAL_DIR"
PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """A directory from which a data set can be read."""

    folder: Path
    prepared: bool  # a TFDS copy; else the original files


def read_splits(
    originals: Originals, options: DatasetOptions, manual_dir: Path | None
) -> "Iterator[tuple[np.ndarray, np.ndarray]]":
    """The selected rows of the training split, then of the test split.

    Yields:
      Images [n, *originals.shape] of originals.dtype, and labels [n].

    Raises:
      DataUnavailable: see `fetch`.
    """
    from data.sampling import row_order

    place = fetch(originals, manual_dir)
    for split, available, n in zip(SPLITS, DATASETS[options.name].rows, options.sizes, strict=True):
        rows = row_order(options, available)[:n]
        if place.prepared:
            from data import tfds_cache

            yield tfds_cache.read(place.folder, split, rows, available, originals.shuffled)
        else:
            images, labels = originals.read({name: place.folder / name for name in originals.sha256}, split)
            yield images[rows], labels[rows]


def tfds_dir() -> Path:
    """The TFDS data directory: ``$TFDS_DATA_DIR`` or TFDS' default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def cache_dir() -> Path:
    """Directory of this project in the user cache, ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "lecun1989-sweep"


def user_cache() -> Path:
    """The TFDS data directory of this project, used if the default one is not writable."""
    return cache_dir() / "tensorflow_datasets"


def manual_dirs(given: Path | None) -> list[Path]:
    """Directories that are searched for original files, in this order."""
    named = [given, os.environ.get(MANUAL_DIR_VARIABLE), tfds_dir() / "downloads" / "manual"]
    return list(dict.fromkeys(Path(folder).expanduser() for folder in named if folder))


def locate(originals: Originals, manual_dir: Path | None) -> Place | None:
    """The prepared copy of a data set, else the first directory with all its original files, else None."""
    for data_dir in (tfds_dir(), user_cache()):
        copy = _copy(originals, data_dir)
        if _copy_format(copy) == "array_record":
            return Place(copy, prepared=True)
    for folder in manual_dirs(manual_dir):
        if not originals.missing(folder):
            return Place(folder, prepared=False)
    return None


def describe(originals: Originals, manual_dir: Path | None) -> str:
    """Describe in one line where `fetch` finds the data set."""
    place = locate(originals, manual_dir)
    if place is None:
        return f"not found: downloaded from {originals.url} on first use"
    return f"{'prepared' if place.prepared else 'original files'} in {place.folder}"


def sources(originals: Originals, manual_dir: Path | None) -> list[Path]:
    """The files that `fetch` would read; none if the data set is not on this machine."""
    place = locate(originals, manual_dir)
    if place is None:
        return []
    if place.prepared:
        return sorted(file for file in place.folder.rglob("*") if file.is_file())
    return [place.folder / name for name in originals.sha256]


def fetch(originals: Originals, manual_dir: Path | None) -> Place:
    """Locate a data set, download it if necessary, and prepare a TFDS copy if there is none.

    Prints where the copy is written before writing it. Falls back to the user cache if the TFDS data directory is
    not writable, and to the original files if no copy can be written.

    Raises:
      DataUnavailable: the data set is neither on this machine nor downloadable (raised within three seconds), or
        a file differs from the original.
    """
    place = locate(originals, manual_dir)
    if place is not None and place.prepared:
        return place
    folder = None if place is None else place.folder
    if folder is not None:
        originals.verify(folder)
    elif not _reachable(originals):
        raise DataUnavailable(_not_found(originals, manual_dir))

    from data.tfds_cache import prepare  # takes seconds, so it follows the error above

    try:
        data_dir = _writable_data_dir(originals)
        _say(f"preparing {originals.name}: writing a copy for later runs to {data_dir}")
        prepare(originals, data_dir, folder)
    except DataUnavailable:
        raise
    except Exception as error:  # TFDS raises errors of many types, some with whole rows in the message
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if folder is None:
            raise DataUnavailable(f"{originals.name} cannot be prepared: {reason}") from error
        _say(f"{originals.name} is read from its original files: {reason}")
        return Place(folder, prepared=False)
    return Place(_copy(originals, data_dir), prepared=True)


def _copy(originals: Originals, data_dir: Path) -> Path:
    return data_dir / originals.tfds_name / originals.version


def _copy_format(copy: Path) -> str | None:
    """File format of a TFDS copy, None if there is no copy."""
    try:
        info = json.loads((copy / "dataset_info.json").read_text())
    except (OSError, ValueError):
        return None
    return str(info.get("fileFormat", "tfrecord"))


def _writable_data_dir(originals: Originals) -> Path:
    """The first data directory to which a copy can be written; reports the ones that are skipped.

    Raises:
      PermissionError: there is none.
    """
    skipped = []
    for data_dir in (tfds_dir(), user_cache()):
        copy = _copy(originals, data_dir)
        if _copy_format(copy):
            skipped.append(f"{copy} is a {_copy_format(copy)} copy, which only TensorFlow reads")
            continue
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=data_dir):
                pass
        except OSError as error:
            skipped.append(f"{data_dir} is not writable ({error.strerror})")
            continue
        for reason in skipped:
            _say(reason)
        return data_dir
    raise PermissionError("; ".join(skipped))


def _reachable(originals: Originals) -> bool:
    """Whether the files' server answers within `PROBE_SECONDS`; covers a host name lookup that hangs."""
    import requests  # uses proxies and certificates like the downloads of TFDS

    answers: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            url = originals.url + next(iter(originals.sha256))
            answers.append(requests.head(url, timeout=PROBE_SECONDS, allow_redirects=True).ok)

    probe = Thread(target=ask, daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return any(answers)


def _not_found(originals: Originals, manual_dir: Path | None) -> str:
    copies = [_copy(originals, data_dir) for data_dir in (tfds_dir(), user_cache())]
    searched = [
        *(f"{copy} ({_copy_format(copy) or 'no'} copy)" for copy in copies),
        *(f"{folder} (lacks {', '.join(originals.missing(folder))})" for folder in manual_dirs(manual_dir)),
    ]
    return (
        f"{originals.name} is not on this machine and {originals.url} cannot be reached. "
        f"Searched: {'; '.join(searched)}. "
        f"Remedies: connect to a network; or put {', '.join(originals.sha256)} into a directory and name it with "
        f"--manual-dir or ${MANUAL_DIR_VARIABLE}; or use --dataset mnist5k, which needs neither"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)
