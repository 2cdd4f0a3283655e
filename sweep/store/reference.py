"""The reference distribution: misses after the last epoch of many seeds, in one small file.

The package contains one (`reference`), so that a result can be compared without training. Each row of the Parquet
file holds consecutive seeds of one cell, trained by one engine on one device with one version of the code:

    the fields of `schema.FileMetadata`; dictionaries as JSON text
    train_misses, test_misses   list of uint16, one item per seed from first_seed to last_seed; null if diverged
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.store.errors import NewerVersion
from sweep.store.reader import CONSTANTS
from sweep.store.schema import DIVERGED, OK, FileMetadata
from sweep.store.store import READ_ERRORS, Store, StoredFile

FILE = "reference.parquet"
VERSION_KEY, VERSION = b"lecun1989_sweep_reference", 1
_MISSES = ("train_misses", "test_misses")
_JSON = ("variant", "dataset", "versions", "environment")  # fields of the metadata that are dictionaries


Misses = Mapping[str, Sequence[int | None]]
"""Misses of one row by column name, one item per seed; None if diverged."""


@dataclass(frozen=True)
class Reference:
    """A reference distribution. A selection reads it like a `Store`.

    Attributes:
      root: its name in messages.
      files: cell, seeds and provenance of each row.
      misses: of each row, by split.
    """

    root: str
    files: list[StoredFile]
    misses: list[Misses]

    @property
    def note(self) -> str:
        """The source of the runs, for captions."""
        dates = sorted({file.metadata.started[:10] for file in self.files})
        return f"Source: {self.root}, trained {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}."

    def epochs(
        self,
        columns: Sequence[str],
        last_only: bool = True,
        files: Sequence[StoredFile] | None = None,
    ) -> pd.DataFrame:
        """Rows of the last epoch, as `Store.epochs` returns them; losses are NaN.

        Raises:
          ValueError: other epochs are wanted.
        """
        if not last_only:
            self._refuse()
        chosen = set(range(len(self.files)))
        if files is not None:
            chosen = {self._position[file.path] for file in files}
        rows = pd.concat([self._rows(i) for i in sorted(chosen)], ignore_index=True)
        return rows[list(dict.fromkeys([*columns, *CONSTANTS]))]

    def batches(self, *_: Any, **__: Any) -> Iterator[pd.DataFrame]:
        """Always raises ValueError: there are neither other epochs nor predicted labels."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(
            f"{self.root} has only the misses after the last epoch: use a root with finished runs instead"
        )

    @cached_property
    def _position(self) -> dict[str, int]:
        return {file.path: i for i, file in enumerate(self.files)}

    def _rows(self, i: int) -> pd.DataFrame:
        file = self.files[i]
        rows = pd.DataFrame({name: pd.array(self.misses[i][name], "Int32") for name in _MISSES})
        rows["seed"], rows["epoch"] = file.seeds, file.metadata.epochs
        rows["status"] = rows["test_misses"].isna().map({True: DIVERGED, False: OK})
        rows[["train_loss", "test_loss"]] = float("nan")
        return rows.assign(**{name: value(file.metadata) for name, value in CONSTANTS.items()})


@cache
def reference() -> Reference:
    """The reference distribution of this package."""
    return decode(resources.files("sweep.store").joinpath(FILE).read_bytes())


def decode(content: bytes, root: str = "the reference distribution") -> Reference:
    """Read a reference distribution from the bytes of its file.

    Raises:
      StoreError: not such a file, or written by a newer version.
    """
    try:
        table = pq.read_table(pa.BufferReader(content))
        version = int((table.schema.metadata or {}).get(VERSION_KEY, 0))
        rows = table.to_pylist() if version == VERSION else []
        misses: list[Misses] = [{name: row.pop(name) for name in _MISSES} for row in rows]
        files = [StoredFile(str(i), _metadata(row)) for i, row in enumerate(rows)]
    except READ_ERRORS:
        raise StoreError(f"{root}: is damaged or not a reference distribution") from None
    if version > VERSION:
        raise StoreError(f"{root}: {NewerVersion.of(version, VERSION)}")
    if not files:
        raise StoreError(f"{root}: is not a reference distribution")
    return Reference(root, files, misses)


def _metadata(row: Mapping[str, Any]) -> FileMetadata:
    return FileMetadata(
        **{name: json.loads(value) if name in _JSON else value for name, value in row.items()}
    )


def encode(stores: Sequence[Store]) -> bytes:
    """The file of every finished run of some roots. Of a run in several roots, the first root counts.

    Raises:
      ValueError: there are no finished runs.
      StoreError: a root is damaged.
    """
    taken: dict[tuple[str, str], SeedRanges] = defaultdict(SeedRanges)
    rows = [row for store in stores for row in _new_rows(store, taken)]
    if not rows:
        raise ValueError("no finished runs: run a sweep first, or choose other roots")
    table = pa.Table.from_pylist(rows)
    for name in _MISSES:
        at = table.column_names.index(name)
        table = table.set_column(at, name, table[name].cast(pa.list_(pa.uint16())))
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: str(VERSION)}), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _new_rows(store: Store, taken: dict[tuple[str, str], SeedRanges]) -> Iterator[dict[str, Any]]:
    """Rows of the runs of a store that are not in `taken`, which is updated."""
    groups: dict[tuple[str, ...], list[StoredFile]] = defaultdict(list)
    for file in store.files:
        groups[_origin(file)].append(file)
    for _, files in sorted(groups.items()):
        key = files[0].key
        stored = SeedRanges([file.seeds for file in files])
        runs = store.epochs(["seed", *_MISSES], last_only=True, files=files).set_index("seed")
        seconds = sum(file.metadata.seconds for file in files) / len(stored)
        for seeds in (stored - taken[key]).ranges:
            metadata = replace(
                files[0].metadata,
                first_seed=seeds.start,
                last_seed=seeds[-1],
                started=min(file.metadata.started for file in files),
                seconds=round(seconds * len(seeds), 3),
                environment={},
            )
            fields = {
                n: json.dumps(v, sort_keys=True) if n in _JSON else v for n, v in vars(metadata).items()
            }
            mine = runs.loc[list(seeds)].astype(object)
            yield fields | {n: [None if pd.isna(v) else int(v) for v in mine[n]] for n in _MISSES}
        taken[key] |= stored


def _origin(file: StoredFile) -> tuple[str, ...]:
    """What the runs of a row share, in the order of the rows."""
    m = file.metadata
    versions = json.dumps(m.versions, sort_keys=True)
    return (
        m.dataset["name"],
        m.variant["recipe"],
        m.variant["name"],
        *file.key,
        m.engine,
        m.device,
        m.code,
        versions,
    )
