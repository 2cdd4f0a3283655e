"""Where original files and TFDS' copies of them may lie, and how to get them there. Standard library only."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

MANUAL_DIR_VARIABLE = "LECUN1989_MANUAL_DIR"
PROBE_SECONDS = 2.0
SPLITS = ("train", "test")


class DataUnavailable(Exception):
    """Digits cannot be had. The message says what is missing, where it was sought and the ways out."""


@dataclass(frozen=True)
class Source:
    """Original files, and the name and version of the TFDS data set that is made of them."""

    name: str
    tfds_name: str
    version: str
    url: str  # folder of the files, with "/" at its end
    sums: Mapping[str, str]  # sha256 of each file, by name

    @property
    def copy(self) -> Path:
        """Folder of TFDS' copy."""
        return tfds_dir() / self.tfds_name / self.version


@dataclass(frozen=True)
class Place:
    """A folder that digits can be read from."""

    folder: Path
    is_copy: bool  # TFDS' copy; else the original files


def tfds_dir() -> Path:
    """TFDS' data folder: ``$TFDS_DATA_DIR`` or its usual default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def manual_dirs(given: Path | None) -> list[Path]:
    """Folders in which files placed by hand are looked for, in this order."""
    named = [given, os.environ.get(MANUAL_DIR_VARIABLE), tfds_dir() / "downloads" / "manual"]
    return list(dict.fromkeys(Path(folder).expanduser() for folder in named if folder))


def locate(source: Source, manual_dir: Path | None) -> Place | None:
    """Where the digits lie now: TFDS' copy, else the first folder with every original file."""
    if _copy_format(source) == "array_record":
        return Place(source.copy, is_copy=True)
    for folder in manual_dirs(manual_dir):
        if not _missing(source, folder):
            return Place(folder, is_copy=False)
    return None


def found(source: Source, manual_dir: Path | None) -> str:
    """One line on what `fetch` would do."""
    place = locate(source, manual_dir)
    if place is None:
        return f"not here: would be downloaded from {source.url}"
    return f"{'prepared' if place.is_copy else 'original files'} in {place.folder}"


def fetch(source: Source, manual_dir: Path | None) -> Place:
    """Locate the digits, or download them; whatever is not yet TFDS' copy is made one, for the next time.

    Raises:
      DataUnavailable: they are nowhere and cannot be downloaded, or a file is not the original. Told within
        three seconds, where TFDS alone would try for minutes.
    """
    place = locate(source, manual_dir)
    if place is not None and place.is_copy:
        return place
    originals = None if place is None else place.folder
    if originals is not None:
        for name in source.sums:
            check(originals / name, source.sums[name])
    elif not _answers(source):
        raise DataUnavailable(_nowhere(source, manual_dir))

    from data.copies import make  # TFDS takes a second and a half to import: not before the answer above

    try:
        if _copy_format(source):
            raise FileExistsError(f"{_unreadable(source)}: set TFDS_DATA_DIR to another folder")
        print(f"preparing {source.name} in {tfds_dir()} (once)", file=sys.stderr)
        make(source, originals)
    except DataUnavailable:
        raise
    except Exception as error:  # TFDS raises many kinds, and may append whole rows to the message
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if originals is None:
            raise DataUnavailable(f"{source.name}: cannot be prepared in {tfds_dir()}: {reason}") from error
        print(f"{source.name} is read from its original files: {reason}", file=sys.stderr)
        return Place(originals, is_copy=False)
    return Place(source.copy, is_copy=True)


def check(path: Path, expected: str, called: str | None = None) -> None:
    """Compare a file's sha256 with the original's.

    Args:
      called: what the user knows the file by, if not its path.

    Raises:
      DataUnavailable: they differ; both sums are named.
    """
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != expected:
        raise DataUnavailable(
            f"{called or path} is not the original file: its sha256 is {actual}, the original's is {expected}"
        )


def _copy_format(source: Source) -> str | None:
    """File format of TFDS' copy, None when there is none."""
    try:
        info = json.loads((source.copy / "dataset_info.json").read_text())
    except (OSError, ValueError):
        return None
    return str(info.get("fileFormat", "tfrecord"))


def _unreadable(source: Source) -> str:
    return f"{source.copy} is a {_copy_format(source)} copy, which only TensorFlow reads"


def _missing(source: Source, folder: Path) -> list[str]:
    return [name for name in source.sums if not (folder / name).is_file()]


def _answers(source: Source) -> bool:
    """Whether a download can be tried, told in `PROBE_SECONDS` even where looking up the host hangs."""
    import requests  # knows proxies and certificates as TFDS' downloads do

    answers: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            url = source.url + next(iter(source.sums))
            answers.append(requests.head(url, timeout=PROBE_SECONDS, allow_redirects=True).ok)

    probe = Thread(target=ask, daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return any(answers)


def _nowhere(source: Source, manual_dir: Path | None) -> str:
    places = "; ".join(
        f"{folder} (lacks {', '.join(_missing(source, folder))})" for folder in manual_dirs(manual_dir)
    )
    copy = _unreadable(source) if _copy_format(source) else f"{source.copy} (TFDS' copy)"
    return (
        f"{source.name} is not on this machine and {source.url} cannot be reached. "
        f"Looked in: {copy}; {places}. "
        f"Ways out: a network; or place {', '.join(source.sums)} in a folder and name it with "
        f"--manual-dir or ${MANUAL_DIR_VARIABLE}; or --dataset mnist5k, which needs neither"
    )
