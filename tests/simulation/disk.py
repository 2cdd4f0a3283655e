"""A simulated disk that can stop the process at any operation and lose data that was not synced.

It gives only the guarantees of POSIX. After a power failure, the bytes of a synced file and the names in a synced
folder survive. Any part of the other bytes may survive, and of the changes to one folder any prefix.
"""

import errno
import io
import random
from collections import defaultdict

import pyarrow as pa
from pyarrow import fs

from sweep.store.folder import Folder


class ProcessStopped(Exception):
    """The process stops at this operation."""


class Inode:
    """The bytes of a file, and the bytes on stable storage."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = content
        self.synced: bytes | None = None


class Disk(fs.FileSystemHandler):
    """The visible state (`names`, `folders`), the durable state, and the pending changes.

    Attributes:
      operations: number of stop points so far.
      stop_at: operation at which the process stops; None for never.
      full_at: operation from which writes fail with ENOSPC; None for never.
    """

    def __init__(self, generator: random.Random) -> None:
        self.random = generator
        self.names: dict[str, Inode] = {}
        self.folders = {"/"}
        self.durable: dict[str, Inode] = {}
        self.durable_folders = {"/"}
        self.pending: dict[str, list[tuple[str, str, Inode | None]]] = defaultdict(list)
        self.operations = 0
        self.stop_at: int | None = None
        self.full_at: int | None = None
        self.stopped = False

    def files(self, base: str, object_store: bool) -> Folder:
        """Files below a path, with the durability of a local folder or of an object store."""
        return Folder("simulated", fs.PyFileSystem(self), base, None if object_store else self.sync)

    # --- faults ---

    def point(self) -> None:
        """A point between two operations, at which the process may stop."""
        self.operations += 1
        if self.stop_at is not None and self.operations >= self.stop_at:
            self.stopped = True
        if self.stopped:
            raise ProcessStopped

    def restart(self, power_failure: bool) -> None:
        """Start a new process. After a power failure, only durable data and random remains are left."""
        self.stopped, self.stop_at, self.full_at = False, None, None
        if not power_failure:
            return
        for folder, changes in self.pending.items():
            if folder in self.durable_folders:
                self._settle(changes[: self.random.randint(0, len(changes))])
        self.pending.clear()
        self.folders = set(self.durable_folders)
        self.names = {p: i for p, i in self.durable.items() if p.rpartition("/")[0] in self.folders}
        self.durable = dict(self.names)
        for inode in self.names.values():
            if inode.synced != inode.content:
                prefix = inode.content[: self.random.randint(0, len(inode.content))]
                inode.content = self.random.choice([prefix, inode.synced or b"", bytes(len(inode.content))])
            inode.synced = inode.content

    def sync(self, path: str) -> None:
        """fsync of a file or a folder."""
        self.point()
        if path in self.folders:
            self._settle(self.pending.pop(path, []))
        else:
            self.names[path].synced = self.names[path].content
        self.point()

    def _settle(self, changes: list[tuple[str, str, Inode | None]]) -> None:
        for kind, path, inode in changes:
            match kind, inode:
                case "folder", _:
                    self.durable_folders.add(path)
                case _, None:
                    self.durable.pop(path, None)
                case _, Inode():
                    self.durable[path] = inode

    def _change(self, kind: str, path: str, inode: Inode | None) -> None:
        self.pending[path.rpartition("/")[0] or "/"].append((kind, path, inode))

    # --- the file system ---

    def open_output_stream(self, path: str, metadata: object) -> pa.NativeFile:
        self.point()
        return pa.PythonFile(_Writing(self, path), mode="w")

    def put(self, path: str, content: bytes) -> None:
        """Create or replace a file."""
        self.names[path] = Inode(content)
        self._change("link", path, self.names[path])

    def move(self, old: str, new: str) -> None:
        self.point()
        inode = self.names.pop(old)
        self.names[new] = inode
        self._change("link", new, inode)
        self._change("unlink", old, None)
        self.point()

    def delete_file(self, path: str) -> None:
        self.point()
        del self.names[path]
        self._change("unlink", path, None)
        self.point()

    def create_dir(self, path: str, recursive: bool) -> None:
        self.point()
        if path not in self.folders:
            self.folders.add(path)
            self._change("folder", path, None)
        self.point()

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        top = selector.base_dir.rstrip("/") + "/"
        below = sorted(p for p in [*self.names, *self.folders] if p.startswith(top) and p != top)
        return [self._info(p) for p in below if selector.recursive or "/" not in p[len(top) :]]

    def _info(self, path: str) -> fs.FileInfo:
        if path in self.names:
            return fs.FileInfo(path, fs.FileType.File, size=len(self.names[path].content))
        return fs.FileInfo(path, fs.FileType.Directory if path in self.folders else fs.FileType.NotFound)

    def open_input_file(self, path: str) -> pa.NativeFile:
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return pa.BufferReader(self.names[path].content)

    open_input_stream = open_input_file

    def get_type_name(self) -> str:
        return "simulated"

    def normalize_path(self, path: str) -> str:
        return path

    def __eq__(self, other: object) -> bool:
        return self is other

    def _unused(self, *_: object) -> None:
        raise AssertionError("the store does not use this operation")

    copy_file = delete_dir = delete_dir_contents = delete_root_dir_contents = open_append_stream = _unused


class _Writing(io.RawIOBase):
    """An open file. If the process stops, any prefix of the bytes may remain."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk, self._path = disk, path
        self._atomic = path.rpartition("/")[0] not in disk.folders  # object stores have no folders
        self._parts: list[bytes] = []
        if not self._atomic:
            disk.put(path, b"")

    def writable(self) -> bool:
        return True

    def write(self, part: bytes) -> int:
        disk = self._disk
        if disk.full_at is not None and disk.operations >= disk.full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        content = bytes(part)
        try:
            disk.point()
        except ProcessStopped:
            if not self._atomic:
                disk.names[self._path].content = content[: disk.random.randint(0, len(content))]
            raise
        self._parts.append(content)
        if not self._atomic:
            disk.names[self._path].content = b"".join(self._parts)
        return len(content)

    def close(self) -> None:
        if not self.closed and not self._disk.stopped and self._atomic and self._parts:
            self._disk.point()
            self._disk.put(self._path, b"".join(self._parts))
            self._disk.point()
        super().close()
