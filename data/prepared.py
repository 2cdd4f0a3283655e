"""Cache of prepared data sets: the arrays of `data.load` in the user cache, so that later processes skip the work.

A file is named after everything that determines the arrays: the bytes of the source files, the options, the modules
of this package and the version of NumPy. It begins with a digest of its content, and a file that does not match is
ignored and written again. A cache that cannot be written is no error.
"""

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.dataset import Dataset, Examples
from data.options import DatasetOptions
from data.places import cache_dir

LIMIT_BYTES = 256 * 2**20  # of all files together; the least recently used are deleted
_DIGEST_BYTES = hashlib.sha256().digest_size


def folder() -> Path:
    """Directory of the files."""
    return cache_dir() / "digits"


def key(options: DatasetOptions, sources: Sequence[Path]) -> str | None:
    """SHA-256 (64 hex digits) over everything that determines the arrays; None if a source cannot be read.

    Args:
      options: of the data set.
      sources: the files from which the data set is read; none if it is not on this machine.
    """
    code = sorted(Path(__file__).parent.glob("*.py"))
    total = hashlib.sha256(json.dumps([options.description, np.__version__], sort_keys=True).encode())
    try:
        for file in [*sources, *code]:
            total.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        return None
    return total.hexdigest() if sources else None


def read(name: str) -> Dataset | None:
    """The data set stored under a key, None if there is none or its file is damaged."""
    file = folder() / name
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if digest != _digest(name, body):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)  # the time of the last use
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        train, test = (Examples(arrays[f"{s}_images"], arrays[f"{s}_labels"]) for s in ("train", "test"))
        return Dataset(train=train, test=test, **json.loads(str(arrays["text"])))


def write(name: str, dataset: Dataset) -> None:
    """Store a data set under a key, atomically, and delete old files beyond `LIMIT_BYTES`."""
    packed = io.BytesIO()
    np.savez(
        packed,
        text=np.array(json.dumps({"name": dataset.name, "description": dataset.description})),
        train_images=dataset.train.images,
        train_labels=dataset.train.labels,
        test_images=dataset.test.images,
        test_labels=dataset.test.labels,
    )
    body = packed.getvalue()
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder()) as scratch:
            part = Path(scratch) / name
            part.write_bytes(_digest(name, body) + body)
            part.replace(folder() / name)
        _delete_oldest()


def _digest(name: str, body: bytes) -> bytes:
    return hashlib.sha256(name.encode() + body).digest()


def _delete_oldest() -> None:
    files = [(file.stat(), file) for file in folder().iterdir() if file.is_file()]
    total = 0
    for stat, file in sorted(files, key=lambda pair: -pair[0].st_mtime):
        total += stat.st_size
        if total > LIMIT_BYTES:
            file.unlink(missing_ok=True)
