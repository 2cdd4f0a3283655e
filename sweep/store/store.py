"""A root: one immutable Parquet file per finished shard. Only the store decides which runs exist.

    <root>/lecun1989-sweep.json      marks the folder as a root
    <root>/sweeps/NAME-DIGEST.json   records of the sweeps (`sweep.store.records`)
    <root>/epochs/VARIANT-DIGEST/DATASET-DIGEST/seeds-FIRST-LAST-ID.parquet    one row per (seed, epoch)
    <root>/labels/…/same name        one row per seed: predicted test labels after the last epoch
    <root>/weights/…/same form       one row per kept seed: the network's parameters after the last epoch
    <root>/checkpoints/…/same name   .npz, of shards in progress
    <root>/failures/…/same name      .txt, tracebacks of failed shards
    <root>/quarantine/…/same name    files that `sweep doctor` found damaged
    <root>/driver.json               the driver that holds the root (`sweep.store.lease`)
    <root>/queue/ID.json             the drivers that wait for it (`sweep.store.queue`)

`docs/storage-format.md` specifies the format.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sweep.errors import StoreError, one_line
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard, shard_name
from sweep.store import parquet
from sweep.store.address import folder_at
from sweep.store.errors import Damaged, NewerVersion
from sweep.store.folder import Folder
from sweep.store.reader import batches, first_new_seeds, read_rows
from sweep.store.schema import EPOCHS, LABELS, FileMetadata, Kind, conform
from sweep.store.shard_files import ShardFiles

MARKER = "lecun1989-sweep.json"
LAYOUT_VERSION = 1  # of the folders; each file has its own schema version
QUARANTINE = "quarantine"
QUARANTINES = (QUARANTINE, "set-aside")  # the second was used by version 0.1
# Errors of readers on damaged files.
READ_ERRORS = (
    pa.ArrowException, OSError, TypeError, ValueError, LookupError, MemoryError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class StoredFile:
    """One finished shard on disk."""

    path: str  # below `epochs/`, without ending
    metadata: FileMetadata

    @property
    def seeds(self) -> range:
        """Seeds of its runs."""
        return self.metadata.seeds

    @property
    def key(self) -> tuple[str, str]:
        """Cell key: digests of the variant and of the data set."""
        return self.metadata.key


class Store:
    """A root and its finished shards.

    Attributes:
      root: the address as given.
      exists: whether the root has been created.
      folder: its files.
      weights: final weights of the seeds that sweeps keep (`sweep.store.weights`).
      checkpoints: checkpoints of shards in progress.
      failures: tracebacks of failed shards; the first line of each is the shard's title.
    """

    def __init__(self, root: str, folder: Folder | None = None) -> None:
        """Open a root for reading. Nothing is written.

        Args:
          root: a local path, ``gs://…`` or ``s3://…``.
          folder: its files; None for those at the address.

        Raises:
          StoreError: a file, a folder of other files, an unreachable address, or a newer version.
        """
        self.root = root
        self.folder = folder or folder_at(root)
        self.weights = ShardFiles(self.folder, "weights", ".parquet")
        self.checkpoints = ShardFiles(self.folder, "checkpoints", ".npz")
        self.failures = ShardFiles(self.folder, "failures", ".txt")
        kind = self.folder.kind()
        if kind == fs.FileType.File:
            raise StoreError(f"{root}: is a file, not a folder")
        self.exists = self.folder.kind(MARKER) == fs.FileType.File
        if not self.exists and kind == fs.FileType.Directory and self.folder.names("", recursive=False):
            raise StoreError(
                f"{root}: contains files but no {MARKER}, so it is not a root: name an empty or a new folder"
            )
        if self.exists:
            self._check_marker()

    def __repr__(self) -> str:
        return f"Store({self.root!r})"

    def _check_marker(self) -> None:
        try:
            version = self.folder.read_json(MARKER).get("schema_version", 0)
        except StoreError:  # damaged: `sweep doctor` reports it; every file has its own version
            return
        if isinstance(version, int) and version > LAYOUT_VERSION:
            raise StoreError(f"{self.root}: {NewerVersion.of(version, LAYOUT_VERSION)}")

    @property
    def local(self) -> bool:
        """Whether the root is a folder of this machine, which has file locks."""
        return isinstance(self.folder.system, fs.LocalFileSystem)

    def open_for_writing(self) -> None:
        """Create the root if it does not exist.

        Raises:
          StoreError: it cannot be written.
        """
        if not self.exists:
            self.folder.write(MARKER, marker())
            self.exists = True

    def refresh(self) -> None:
        """List the files again at the next access."""
        self.__dict__.pop("files", None)

    # --- finished shards ---

    @cached_property
    def files(self) -> list[StoredFile]:
        """Every finished shard, by path.

        Raises:
          StoreError: a file is damaged, foreign or of a newer version.
        """
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(self._read_metadata, self.folder.names("epochs", ".parquet")))

    def _read_metadata(self, path: str) -> StoredFile:
        name = f"epochs/{path}.parquet"
        try:
            file = StoredFile(path, FileMetadata.decode(self._footer(name).metadata))
            if path.rpartition("/")[2] != shard_name(file.key, file.seeds):
                raise Damaged("has the name of another shard")
        except NewerVersion as error:
            raise StoreError(f"{self.root}/{name}: {error}") from None
        except READ_ERRORS as error:
            reason = str(error) if isinstance(error, Damaged) else "is damaged or not a Parquet file"
            raise StoreError(
                f"{self.root}/{name}: {reason}; `sweep doctor --repair --root {self.root}` quarantines it, and the "
                "next run trains its seeds again"
            ) from None
        return file

    def _footer(self, name: str) -> pq.FileMetaData:
        try:
            with self.folder.open(name) as source:
                return pq.read_metadata(source)
        except OSError:  # damage or a lost connection: only the latter fails again without Parquet
            return pq.read_metadata(pa.BufferReader(self.folder.read(name)))

    def completed(self) -> dict[tuple[str, str], SeedRanges]:
        """Stored seeds, by cell key."""
        done: dict[tuple[str, str], list[range]] = defaultdict(list)
        for file in self.files:
            done[file.key].append(file.seeds)
        return {key: SeedRanges(ranges) for key, ranges in done.items()}

    def append(self, shard: Shard, epochs: pa.Table, labels: pa.Table, metadata: FileMetadata) -> None:
        """Store a finished shard, then delete its checkpoint and failure.

        The labels file is written first. A shard is finished once its epochs file exists.

        Args:
          shard: the shard.
          epochs: one row per (seed, epoch), columns of `schema.EPOCHS`.
          labels: one row per seed, columns of `schema.LABELS`.
          metadata: written into both files.

        Raises:
          StoreError: the root cannot be written (disk full, read-only, unreachable).
        """
        for kind, table, wanted in (("labels", labels, LABELS), ("epochs", epochs, EPOCHS)):
            content = parquet.encode(conform(table, wanted), metadata)
            self.folder.write(f"{kind}/{shard.path}.parquet", content)
        self.refresh()
        self.checkpoints.drop(shard)
        self.failures.drop(shard)

    # --- rows ---

    def epochs(
        self,
        columns: list[str] | None = None,
        last_only: bool = False,
        files: Sequence[StoredFile] | None = None,
    ) -> pd.DataFrame:
        """Rows of finished shards, with constants from the metadata of their files.

        Args:
          columns: of `schema.EPOCHS`; None for all.
          last_only: only the last epoch of each run.
          files: which of `files`; None for all.

        Returns:
          The chosen columns, and variant_digest, dataset_digest (8 hex digits), engine, device, code, epochs,
          n_train, n_test. Text columns are categorical. A (variant, data set, seed) that is stored twice is
          returned once.
        """
        chosen = self.files if files is None else files
        return self._rows("epochs", columns or EPOCHS.names, chosen, last_only)

    def labels(self) -> pd.DataFrame:
        """Predicted test labels of every finished seed: `schema.LABELS` and the constants of `epochs`."""
        return self._rows("labels", LABELS.names, self.files)

    def batches(
        self, kind: Kind, columns: list[str], files: Sequence[StoredFile], runs: int = 1024
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
        for part in batches([len(file.seeds) for file in ordered], runs):
            rows = self._rows(kind, columns, ordered[part], starts=starts[part])
            if len(rows):  # none, if earlier files hold all of these runs
                yield rows

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
                lambda i: self.folder.open(f"{kind}/{files[i].path}.parquet"),
                kind,
                columns,
                last_only,
                starts,
            )
        except READ_ERRORS as error:
            raise StoreError(
                f"{self.root}/{kind}: cannot be read: {one_line(error)}; `sweep doctor --root {self.root}` names "
                "the file"
            ) from None

    # --- damaged files ---

    def quarantine(self, path: str) -> str:
        """Move a file below `quarantine/`, keeping its path; returns the new path.

        Raises:
          StoreError: the root cannot be written.
        """
        target = f"{QUARANTINE}/{path}"
        while self.folder.kind(target) != fs.FileType.NotFound:
            target += ".again"
        self.folder.move(path, target)
        self.refresh()
        if path == MARKER:
            self.exists = False
            self.open_for_writing()
        return target

    def quarantined(self) -> list[str]:
        """Paths of the files in quarantine."""
        return [f"{top}/{name}" for top in QUARANTINES for name in self.folder.names(top)]


def marker() -> bytes:
    """The content of the marker file."""
    return json.dumps({"schema_version": LAYOUT_VERSION}).encode()


def existing(root: str) -> Store:
    """The store of a root that has been created.

    Raises:
      StoreError: it has not, or as for `Store`.
    """
    store = Store(root)
    if not store.exists:
        raise StoreError(f"{root}: there are no results here; `sweep run` creates them")
    return store
