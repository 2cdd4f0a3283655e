"""The root folder: one immutable Parquet file a shard. The store alone says which runs exist.

    <root>/lecun1989-sweep.json      marks the folder as ours
    <root>/sweeps/NAME-DIGEST.json   what was asked for, for `status` and `resume`
    <root>/epochs/VARIANT-DIGEST/DATASET-DIGEST/seeds-FIRST-LAST-ID.parquet    one row per (seed, epoch)
    <root>/labels/…/same name        one row per seed: predicted test labels at the last epoch
    <root>/checkpoints/…/same name   .npz, while a shard is under way
    <root>/failures/…/same name      .txt, why a shard failed
    <root>/set-aside/…/same name     what `sweep doctor` found damaged
    <root>/driver.json               who is at work here

A file is there whole or not at all (`sweep.store.files`). Only the driver writes. The root may be a local path,
``gs://…`` or ``s3://…``.
"""

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sweep.errors import StoreError, one_line
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard, shard_name
from sweep.store.files import Files, files_at
from sweep.store.reader import first_new_seeds, read_rows
from sweep.store.schema import EPOCHS, LABELS, FileMetadata, Kind, NewerVersion, conform

MARKER = "lecun1989-sweep.json"
LAYOUT_VERSION = 1  # of the folders; each file has its own schema version
SET_ASIDE = "set-aside"
_DAMAGE = (pa.ArrowException, OSError, TypeError, ValueError, LookupError, MemoryError)  # as readers tell it
_SHARD_FILE = re.compile(r"seeds-(\d{1,10})-(\d{1,10})-[0-9a-f]{8}")


@dataclass(frozen=True)
class StoredFile:
    """One finished shard on disk."""

    path: str  # below `epochs/`, without ending
    metadata: FileMetadata

    @property
    def seeds(self) -> range:
        """Seeds whose runs it holds."""
        return range(self.metadata.first_seed, self.metadata.last_seed + 1)

    @property
    def key(self) -> tuple[str, str]:
        """Cell key: digests of the variant and of the data set."""
        return self.metadata.variant_digest, self.metadata.dataset_digest


class Store:
    """Reads a root; `open_for_writing` readies it for a driver."""

    def __init__(self, root: str, files: Files | None = None) -> None:
        """Look at a root, without touching it.

        Args:
          root: a local path, ``gs://…`` or ``s3://…``.
          files: where it lies; None for what the address says.

        Raises:
          StoreError: a file in its place, a folder of other things, or an unreachable address.
        """
        self.root = root
        try:
            self._files = files or files_at(root)
        except (pa.ArrowInvalid, ValueError) as error:
            raise StoreError(f"{root}: not a usable address: {error}") from None
        except OSError as error:
            raise StoreError(f"{root}: cannot be reached: {one_line(error)}") from None
        self._fs, self.base = self._files.system, self._files.base
        kind = self._info("").type
        if kind == fs.FileType.File:
            raise StoreError(f"{root}: is a file, a root is a folder")
        self.exists = self._info(MARKER).type == fs.FileType.File
        if not self.exists and kind == fs.FileType.Directory and self._list("", recursive=False):
            raise StoreError(
                f"{root}: holds files that are not a sweep's (no {MARKER}): name an empty or a new folder"
            )
        if self.exists:
            self._check_marker()

    @property
    def local(self) -> bool:
        """Whether the root is a folder of this machine, which has locks."""
        return isinstance(self._fs, fs.LocalFileSystem)

    def open_for_writing(self) -> None:
        """Create the root and its marker where they are missing.

        Raises:
          StoreError: the root cannot be written.
        """
        if not self.exists:
            self.write(MARKER, json.dumps({"schema_version": LAYOUT_VERSION}).encode())
            self.exists = True

    def look_again(self) -> None:
        """Forget which files were seen: another driver may have added some since."""
        self.__dict__.pop("files", None)

    # --- finished shards ---

    @cached_property
    def files(self) -> list[StoredFile]:
        """Every finished shard, by path.

        Raises:
          StoreError: a file that is damaged, foreign or of a newer version.
        """
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(self._read_metadata, self.names("epochs", ".parquet")))

    def completed(self) -> dict[tuple[str, str], SeedRanges]:
        """Seeds stored, by cell key."""
        done: dict[tuple[str, str], list[range]] = defaultdict(list)
        for file in self.files:
            done[file.key].append(file.seeds)
        return {key: SeedRanges(ranges) for key, ranges in done.items()}

    def append(self, shard: Shard, epochs: pa.Table, labels: pa.Table, metadata: FileMetadata) -> None:
        """Store a finished shard and drop its checkpoint.

        Labels go first: a shard is finished when its file is below `epochs/`, and labels are only read then.

        Args:
          shard: what the rows are of.
          epochs: one row per (seed, epoch), columns of `schema.EPOCHS`.
          labels: one row per seed, columns of `schema.LABELS`.
          metadata: written into both files.

        Raises:
          StoreError: the root cannot be written (disk full, read-only, unreachable).
        """
        for kind, table, wanted in (("labels", labels, LABELS), ("epochs", epochs, EPOCHS)):
            buffer = pa.BufferOutputStream()
            rows = conform(table, wanted)
            described = rows.replace_schema_metadata(metadata.encode(rows))
            pq.write_table(described, buffer, compression="zstd", write_page_checksum=True)
            self.write(f"{kind}/{shard.path}.parquet", buffer.getvalue())
        self.look_again()
        self.drop_checkpoint(shard)
        self.drop_failure(shard)

    def epochs(
        self,
        columns: list[str] | None = None,
        last_only: bool = False,
        files: Sequence[StoredFile] | None = None,
    ) -> pd.DataFrame:
        """Rows of finished shards, with constants from the files' metadata beside them.

        Args:
          columns: of `schema.EPOCHS`; None for all.
          last_only: only each run's last epoch.
          files: which of `files`; None for all.

        Returns:
          The chosen columns, and variant_digest, dataset_digest (8 hex digits), engine, device, code, epochs,
          n_train, n_test, as categoricals where text. A (variant, data set, seed) stored twice counts once.
        """
        chosen = self.files if files is None else files
        return self._rows("epochs", columns or EPOCHS.names, chosen, last_only)

    def labels(self) -> pd.DataFrame:
        """Predicted test labels of every finished seed: `schema.LABELS` and the constants of `epochs`."""
        return self._rows("labels", LABELS.names, self.files)

    def batches(
        self,
        kind: Kind,
        columns: list[str],
        files: Sequence[StoredFile],
        runs: int = 1024,
    ) -> Iterator[pd.DataFrame]:
        """The rows of `epochs` or `labels` a few files at a time, by first seed, for bounded memory.

        Args:
          kind: which rows.
          columns: of `schema.EPOCHS` or `schema.LABELS`.
          files: which of `files`.
          runs: runs in a batch, or one file if it has more.
        """
        ordered = sorted(files, key=lambda file: file.metadata.first_seed)
        starts = first_new_seeds([file.metadata for file in ordered])
        at = 0
        while at < len(ordered):
            stop, held = at + 1, len(ordered[at].seeds)
            while stop < len(ordered) and held + len(ordered[stop].seeds) <= runs:
                held += len(ordered[stop].seeds)
                stop += 1
            rows = self._rows(kind, columns, ordered[at:stop], starts=starts[at:stop])
            if len(rows):  # none, if earlier files hold all of these runs
                yield rows
            at = stop

    def _rows(
        self,
        kind: Kind,
        columns: list[str],
        files: Sequence[StoredFile],
        last_only: bool = False,
        starts: Sequence[int] | None = None,
    ) -> pd.DataFrame:
        try:
            return read_rows(
                [file.metadata for file in files],
                lambda i: self._open(f"{kind}/{files[i].path}.parquet"),
                kind,
                columns,
                last_only,
                starts,
            )
        except _DAMAGE as error:
            raise StoreError(
                f"{self.root}/{kind}: cannot be read whole: {str(error).strip().partition(chr(10))[0]}; "
                f"`sweep doctor --root {self.root}` names the file"
            ) from None

    def _read_metadata(self, path: str) -> StoredFile:
        name = f"epochs/{path}.parquet"
        try:
            with self._open(name) as source:
                metadata = FileMetadata.decode(pq.read_metadata(source).metadata)
            file = StoredFile(path, metadata)
            if path.rpartition("/")[2] != shard_name(file.key, file.seeds):
                raise ValueError("holds other runs than its name says")
        except NewerVersion as error:
            raise StoreError(f"{self.root}/{name}: {error}") from None
        except _DAMAGE as error:
            reason = str(error) if type(error) is ValueError else "is damaged or no Parquet file"
            raise StoreError(
                f"{self.root}/{name}: {reason}; `sweep doctor --repair --root {self.root}` sets it aside, its "
                "seeds will be trained again"
            ) from None
        return file

    # --- shards under way ---

    def save_checkpoint(self, shard: Shard, content: bytes) -> None:
        """Keep a shard's state: a cache, deletable at any time."""
        self.write(f"checkpoints/{shard.path}.npz", content)

    def load_checkpoint(self, shard: Shard) -> bytes | None:
        """The shard's last checkpoint, or None."""
        try:
            with self._open(f"checkpoints/{shard.path}.npz") as source:
                return source.read()
        except FileNotFoundError:
            return None

    def drop_checkpoint(self, shard: Shard) -> None:
        """Forget a shard's state."""
        self._drop(f"checkpoints/{shard.path}.npz")

    def checkpoints(self) -> dict[str, list[range]]:
        """Seeds of shards with a checkpoint, by cell folder."""
        return self._shards("checkpoints", ".npz")

    def tidy(self, folders: Iterable[str], planned: Iterable[Shard]) -> None:
        """Forget, in these cells' folders, states and failures of shards that are not to be run as cut then."""
        kept = {shard.path for shard in planned}
        for top in (f"{kind}/{folder}" for kind in ("checkpoints", "failures") for folder in folders):
            for name in self._list(top):
                path = f"{top}/{name}"
                if path.partition("/")[2].rpartition(".")[0] not in kept:
                    self._drop(path)

    def checkpoint_epochs(self, folder: str) -> list[int]:
        """Epoch of each checkpoint of a cell; one that cannot be read is passed over."""
        epochs = []
        for path in self._list(f"checkpoints/{folder}"):
            try:
                with (
                    self._open(f"checkpoints/{folder}/{path}") as source,
                    np.load(source, allow_pickle=False) as npz,
                ):
                    epochs.append(int(npz["epoch"]))
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue
        return epochs

    # --- shards that failed by their own fault ---

    def save_failure(self, shard: Shard, traceback: str) -> None:
        """Keep why a shard failed, for `status`."""
        self.write(f"failures/{shard.path}.txt", f"{shard.title}\n{traceback}\n".encode())

    def drop_failure(self, shard: Shard) -> None:
        """Forget that a shard failed."""
        self._drop(f"failures/{shard.path}.txt")

    def failures(self) -> dict[str, str]:
        """Title of every failed shard, by the path of its traceback below the root."""
        paths = [f"failures/{p}" for p in self._list("failures")]
        return {path: self._open(path).read().decode().splitlines()[0] for path in sorted(paths)}

    def failed_seeds(self) -> dict[str, SeedRanges]:
        """Seeds of every failed shard, by cell folder."""
        return {folder: SeedRanges(seeds) for folder, seeds in self._shards("failures", ".txt").items()}

    # --- files ---

    def everything(self) -> list[str]:
        """Paths of all files below the root, hidden and temporary ones too, by name."""
        found = self._fs.get_file_info(fs.FileSelector(self.base, recursive=True, allow_not_found=True))
        return sorted(i.path[len(self.base) + 1 :] for i in found if i.type == fs.FileType.File)

    def read(self, path: str) -> bytes:
        """A file below the root.

        Raises:
          OSError: it is not there, or cannot be read.
        """
        with self._open(path) as source:
            return source.read()

    def set_aside(self, path: str) -> str:
        """Move a file below `set-aside/`, under its own path; returns where it went.

        Raises:
          StoreError: the root cannot be written.
        """
        target = f"{SET_ASIDE}/{path}"
        while self._info(target).type != fs.FileType.NotFound:
            target += ".again"
        try:
            self._files.move(path, target)
        except OSError as error:
            raise StoreError(f"{self.root}/{path}: cannot be moved: {one_line(error)}") from None
        self.look_again()
        if path == MARKER:
            self.exists = False
            self.open_for_writing()
        return target

    def _shards(self, kind: str, ending: str) -> dict[str, list[range]]:
        """Seeds of the shards that have a file of a kind, by cell folder."""
        found: dict[str, list[range]] = defaultdict(list)
        for path in self._list(kind):
            folder, _, name = path.rpartition("/")
            if match := _SHARD_FILE.fullmatch(name.removesuffix(ending)):
                found[folder].append(range(int(match[1]), int(match[2]) + 1))
        return found

    def write_json(self, path: str, content: dict[str, Any]) -> None:
        """A small file below the root, whole or not at all."""
        self.write(path, json.dumps(content).encode())

    def _check_marker(self) -> None:
        try:
            version = self.read_json(MARKER).get("schema_version", 0)
        except StoreError:  # damaged: `sweep doctor` reports it; every file has its own version
            return
        if version > LAYOUT_VERSION:
            raise StoreError(f"{self.root}: {NewerVersion.of(version, LAYOUT_VERSION)}")

    def read_json(self, path: str) -> dict[str, Any]:
        """A small file below the root; {} when it is not there.

        Raises:
          StoreError: it is damaged.
        """
        try:
            with self._open(path) as source:
                return json.loads(source.read())
        except FileNotFoundError:
            return {}
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StoreError(
                f"{self.root}/{path}: is damaged; `sweep doctor --repair` sets it aside"
            ) from None

    def names(self, folder: str, ending: str) -> list[str]:
        """Paths below a folder of the files with an ending, without it, sorted."""
        return sorted(name.removesuffix(ending) for name in self._list(folder) if name.endswith(ending))

    def write(self, path: str, content: Any) -> None:
        """A file below the root, written atomically.

        Raises:
          StoreError: it cannot be written.
        """
        try:
            self._files.write(path, content)
        except OSError as error:
            raise StoreError(f"{self.root}/{path}: cannot be written: {one_line(error)}") from None

    def _drop(self, path: str) -> None:
        try:
            self._files.drop(f"{self.base}/{path}")
        except OSError as error:
            raise StoreError(f"{self.root}/{path}: cannot be deleted: {one_line(error)}") from None

    def _open(self, path: str) -> pa.NativeFile:
        return self._fs.open_input_file(f"{self.base}/{path}")

    def _info(self, path: str) -> fs.FileInfo:
        try:
            return self._fs.get_file_info(f"{self.base}/{path}".rstrip("/"))
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be reached: {one_line(error)}") from None

    def _list(self, folder: str, recursive: bool = True) -> list[str]:
        """Paths of the files (and at the top, folders) below a folder, hidden and temporary ones left out."""
        top = f"{self.base}/{folder}".rstrip("/")
        try:
            found = self._fs.get_file_info(fs.FileSelector(top, recursive=recursive, allow_not_found=True))
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be read: {one_line(error)}") from None
        # Left-over temporary files ("_…") are no files of ours yet.
        return [
            info.path[len(top) + 1 :]
            for info in found
            if (not recursive or info.type == fs.FileType.File) and not info.base_name.startswith(("_", "."))
        ]


def existing(root: str) -> Store:
    """The store of a root where a sweep was run.

    Raises:
      StoreError: no sweep was ever run there, or as for `Store`.
    """
    store = Store(root)
    if not store.exists:
        raise StoreError(f"{root}: no sweep was ever run here; `sweep run` makes one")
    return store


def provenance(files: list[StoredFile]) -> Iterator[dict[str, Any]]:
    """How the stored runs were made: one entry for each (variant, data set, engine, device, code)."""
    groups: dict[tuple[str, ...], list[StoredFile]] = defaultdict(list)
    for file in files:
        m = file.metadata
        groups[(m.variant["name"], m.dataset_digest[:8], m.engine, m.device, m.code)].append(file)
    for (variant, dataset, engine, device, code), members in sorted(groups.items()):
        yield {
            "variant": variant,
            "dataset": f"{members[0].metadata.dataset['name']}-{dataset}",
            "engine": engine,
            "device": device,
            "code": code,
            "runs": sum(len(f.seeds) for f in members),
            "seconds": round(sum(f.metadata.seconds for f in members), 1),
            "first": min(f.metadata.started for f in members),
            "last": max(f.metadata.started for f in members),
            "versions": members[0].metadata.versions,
        }
