"""Where files lie, and how one becomes whole: the few operations on which the store's promise rests.

Local: a temporary name that starts with "_", sync, rename, sync of the folder. Object stores: one put.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

S3_ATTEMPTS = 8  # of one request, with growing pauses: a connection that drops for seconds ends no sweep
S3_SECONDS = 20.0  # without an answer, then the request is tried again


@dataclass(frozen=True)
class Files:
    """A place for files: a file system, a folder in it, and how writing becomes durable there."""

    system: fs.FileSystem
    base: str  # the folder, as the file system names it
    sync: Callable[[str], None] | None  # file or folder to stable storage; None: a put is atomic and durable
    _durable: set[str] = field(default_factory=set, init=False, repr=False)  # folders this process has synced

    def write(self, path: str, content: Any) -> None:
        """Bytes to a file below the base that is there whole or not at all, also after a power cut.

        Raises:
          OSError: it cannot be written; what was there before is there still.
        """
        target = f"{self.base}/{path}"
        if self.sync is None:
            # In a thread of its own: an interrupt must not close a stream half written, which would put the half.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(self._put, target, content).result()
            return
        folder, _, name = target.rpartition("/")
        self._make_folder(folder)
        temporary = f"{folder}/_{name}.{os.getpid()}"
        try:
            self._put(temporary, content)
            self.sync(temporary)
            self.system.move(temporary, target)
        except BaseException:
            self.drop(temporary)
            raise
        self.sync(folder)

    def move(self, old: str, new: str) -> None:
        """Rename a file, both paths below the base.

        Raises:
          OSError: it cannot be moved.
        """
        source, target = f"{self.base}/{old}", f"{self.base}/{new}"
        if self.sync is not None:
            self._make_folder(target.rpartition("/")[0])
        self.system.move(source, target)
        if self.sync is not None:
            self.sync(target.rpartition("/")[0])
            self.sync(source.rpartition("/")[0])

    def drop(self, path: str) -> None:
        """Delete a file, by its full path, if it is there."""
        if self.system.get_file_info(path).type == fs.FileType.File:
            self.system.delete_file(path)

    def _put(self, target: str, content: Any) -> None:
        with self.system.open_output_stream(target) as sink:
            sink.write(content)

    def _make_folder(self, folder: str) -> None:
        """Create a folder and those above it; each name durable, also one that a killed process left unsynced."""
        there = self.system.get_file_info(folder).type == fs.FileType.Directory
        if there and (folder in self._durable or len(folder) < len(self.base)):
            return
        above = folder.rpartition("/")[0] or "/"
        self._make_folder(above)
        if not there:
            self.system.create_dir(folder, recursive=False)
        assert self.sync is not None
        with suppress(PermissionError):  # a parent that is not ours to read, such as /home
            self.sync(above)
        self._durable.add(folder)


def files_at(root: str) -> Files:
    """The files of a root: a local folder, ``s3://…`` or ``gs://…``, with the environment's credentials.

    Raises:
      pyarrow.ArrowInvalid, ValueError: not an address.
      OSError: it cannot be reached.
    """
    if "://" in root:
        system, base = fs.FileSystem.from_uri(root)
        if isinstance(system, fs.S3FileSystem) and "?" not in root:  # an address may carry its own options
            system = _patient(system.region)
        return Files(system, base, None)
    return Files(fs.LocalFileSystem(), str(Path(root).expanduser().absolute()), sync)


def _patient(region: str) -> fs.S3FileSystem:
    """S3 as `from_uri` gives it, with more patience."""
    endpoint = urlsplit(
        os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "https:"
    )
    return fs.S3FileSystem(
        region=region,
        scheme=endpoint.scheme,
        endpoint_override=endpoint.netloc or None,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
        connect_timeout=S3_SECONDS,
        request_timeout=S3_SECONDS,
        allow_delayed_open=True,  # one put for a small file, in place of an upload in parts
    )


def sync(path: str) -> None:
    """What was written to a local file, or the names in a local folder, to stable storage."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(target: Path, content: Any) -> None:
    """Bytes to a local file that is there whole or not at all, also after a power cut."""
    target = target.absolute()
    Files(fs.LocalFileSystem(), str(target.parent), sync).write(target.name, content)
