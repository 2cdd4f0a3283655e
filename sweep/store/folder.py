"""Files below a root, read and written with one-line errors. Every write is atomic and durable.

Local: temporary file, fsync, rename, fsync of the folder. Object store: one put.
"""

import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from sweep.errors import StoreError, one_line

_FAILURES = (OSError, pa.ArrowException)  # Arrow raises the second if a server's response is malformed
_TEMPORARY = re.compile(r"_.+\.\d+")  # _NAME.PID


@dataclass(frozen=True)
class Folder:
    """A folder in a file system. All paths are relative to it and use "/".

    Attributes:
      root: the address as given by the user, for messages.
      system: the file system.
      base: the folder's path in the file system.
      sync: writes a file or a folder to stable storage; None if a put is atomic and durable.
    """

    root: str
    system: fs.FileSystem
    base: str
    sync: Callable[[str], None] | None
    _durable: set[str] = field(default_factory=set, init=False, repr=False)  # folders synced by this process

    # --- reading ---

    def kind(self, path: str = "") -> fs.FileType:
        """File, Directory or NotFound.

        Raises:
          StoreError: the root cannot be reached.
        """
        try:
            return self.system.get_file_info(f"{self.base}/{path}".rstrip("/")).type
        except _FAILURES as error:
            raise StoreError(f"{self.root}: cannot be reached: {one_line(error)}") from None

    def open(self, path: str) -> pa.NativeFile:
        """A file, open for random reads.

        Raises:
          OSError: it does not exist or cannot be read.
        """
        return self.system.open_input_file(f"{self.base}/{path}")

    def read(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
          FileNotFoundError: it does not exist.
          StoreError: it cannot be read.
        """
        try:
            with self.open(path) as source:
                content: bytes = source.read()
                return content
        except FileNotFoundError:
            raise
        except _FAILURES as error:
            raise StoreError(f"{self.root}/{path}: cannot be read: {one_line(error)}") from None

    def read_json(self, path: str) -> dict[str, Any]:
        """A JSON object; {} if the file does not exist.

        Raises:
          StoreError: it is damaged.
        """
        try:
            content = json.loads(self.read(path))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise StoreError(
                f"{self.root}/{path}: is damaged; `sweep doctor --repair --root {self.root}` quarantines it"
            )
        return content

    def names(self, folder: str, ending: str = "", recursive: bool = True) -> list[str]:
        """Paths relative to a folder of the files with an ending, without the ending, sorted.

        Hidden and temporary files are left out. Not recursive: folders are included.

        Raises:
          StoreError: the root cannot be read.
        """
        paths = [
            path
            for path in self._list(folder, recursive)
            if not path.rpartition("/")[2].startswith(("_", ".")) and path.endswith(ending)
        ]
        return sorted(path.removesuffix(ending) for path in paths)

    def everything(self) -> list[str]:
        """Paths of all files, hidden and temporary ones included, sorted.

        Raises:
          StoreError: the root cannot be read.
        """
        return sorted(self._list("", recursive=True))

    def _list(self, folder: str, recursive: bool) -> list[str]:
        top = f"{self.base}/{folder}".rstrip("/")
        try:
            found = self.system.get_file_info(fs.FileSelector(top, recursive=recursive, allow_not_found=True))
        except _FAILURES as error:
            raise StoreError(f"{self.root}: cannot be read: {one_line(error)}") from None
        return [i.path[len(top) + 1 :] for i in found if not recursive or i.type == fs.FileType.File]

    # --- writing ---

    def write(self, path: str, content: Any) -> None:
        """Create or replace a file atomically: after a crash or a power cut it is the old or the new one.

        Args:
          path: where.
          content: bytes, or an Arrow buffer.

        Raises:
          StoreError: it cannot be written; the old file is unchanged.
        """
        try:
            self._replace(path, content)
        except _FAILURES as error:
            raise StoreError(f"{self.root}/{path}: cannot be written: {one_line(error)}") from None

    def write_json(self, path: str, content: dict[str, Any]) -> None:
        """`write` for a JSON object."""
        self.write(path, json.dumps(content).encode())

    def move(self, old: str, new: str) -> None:
        """Rename a file.

        Raises:
          StoreError: it cannot be moved.
        """
        source, target = f"{self.base}/{old}", f"{self.base}/{new}"
        try:
            if self.sync is not None:
                self._make_folder(target.rpartition("/")[0])
            self.system.move(source, target)
            if self.sync is not None:
                self.sync(target.rpartition("/")[0])
                self.sync(source.rpartition("/")[0])
        except _FAILURES as error:
            raise StoreError(f"{self.root}/{old}: cannot be moved: {one_line(error)}") from None

    def drop(self, path: str) -> None:
        """Delete a file if it exists.

        Raises:
          StoreError: it cannot be deleted.
        """
        try:
            self._delete(f"{self.base}/{path}")
        except _FAILURES as error:
            raise StoreError(f"{self.root}/{path}: cannot be deleted: {one_line(error)}") from None

    def _replace(self, path: str, content: Any) -> None:
        target = f"{self.base}/{path}"
        if self.sync is None:
            # In a thread: an interrupt must not close a half-written stream, which would put the half.
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
            self._delete(temporary)
            raise
        self.sync(folder)

    def _put(self, target: str, content: Any) -> None:
        with self.system.open_output_stream(target) as sink:
            sink.write(content)

    def _delete(self, target: str) -> None:
        if self.system.get_file_info(target).type == fs.FileType.File:
            with suppress(FileNotFoundError):  # deleted by a request whose response was lost
                self.system.delete_file(target)

    def _make_folder(self, folder: str) -> None:
        """Create a folder and its parents durably, even if a killed process created it without sync."""
        there = self.system.get_file_info(folder).type == fs.FileType.Directory
        if there and (folder in self._durable or len(folder) < len(self.base)):
            return
        above = folder.rpartition("/")[0] or "/"
        self._make_folder(above)
        if not there:
            self.system.create_dir(folder, recursive=False)
        assert self.sync is not None
        with suppress(PermissionError):  # a parent that this user may not read, such as /home
            self.sync(above)
        self._durable.add(folder)


def is_temporary(path: str) -> bool:
    """Whether a path has the form of the temporary file of a local write."""
    return bool(_TEMPORARY.fullmatch(path.rpartition("/")[2]))


def local_folder(path: str | Path) -> Folder:
    """A folder of this machine, which need not exist."""
    base = str(Path(path).expanduser().absolute())
    return Folder(str(path), fs.LocalFileSystem(), base, fsync)


def fsync(path: str) -> None:
    """Write a local file, or the names in a local folder, to stable storage."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(target: Path, content: Any) -> None:
    """Create or replace a local file atomically: after a power cut it is the old or the new one.

    Raises:
      OSError: it cannot be written; the old file is unchanged.
    """
    local_folder(target.absolute().parent)._replace(target.name, content)
