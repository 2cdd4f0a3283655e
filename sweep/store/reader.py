"""Stored rows as one pandas frame. Every table and plot starts here.

Values that are constant in a file (variant, engine, …) come from its metadata and are never read or built by row.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sweep.spec.shard import Cell
from sweep.store.schema import EPOCHS, FileMetadata, Kind, schema

CONSTANTS: dict[str, Callable[[FileMetadata], Any]] = {
    "variant": lambda m: m.variant["name"],
    "recipe": lambda m: m.variant["recipe"],
    "dataset": lambda m: m.dataset["name"],
    "variant_digest": lambda m: m.variant_digest[:8],
    "dataset_digest": lambda m: m.dataset_digest[:8],
    "engine": lambda m: m.engine,
    "device": lambda m: m.device,
    "code": lambda m: m.code,
    "epochs": lambda m: m.epochs,
    "n_train": lambda m: m.dataset["n_train"],
    "n_test": lambda m: m.dataset["n_test"],
}
_ALWAYS = [name for name in CONSTANTS if name not in EPOCHS.names]


def read_rows(
    files: Sequence[FileMetadata],
    open_file: Callable[[int], pa.NativeFile],
    kind: Kind,
    columns: Sequence[str],
    last_only: bool = False,
    starts: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Rows of many files.

    Args:
      files: metadata of each file.
      open_file: opens the i-th file.
      kind: which schema they have.
      columns: which of its columns to return. A column added after a file's schema version is null.
      last_only: only the last epoch of each run.
      starts: first seed to return of each file; None: `first_new_seeds` of these files.

    Returns:
      The columns, and those of `CONSTANTS` that are not columns; constant text is categorical. A (variant, data
      set, seed) that is stored twice is returned once.
    """
    known = schema(kind)
    own = [name for name in columns if name not in CONSTANTS]
    texts = [name for name in own if pa.types.is_string(known.field(name).type)]
    first_new = first_new_seeds(files) if starts is None else starts

    def read(i: int) -> pa.Table:
        doubles = first_new[i] > files[i].first_seed
        needed = {*own, *(["epoch"] if last_only else []), *(["seed"] if doubles else [])}
        stored = schema(kind, files[i].schema_version).names
        with open_file(i) as source:
            whole = pq.ParquetFile(source, read_dictionary=texts, page_checksum_verification=True)
            table = whole.read(sorted(needed.intersection(stored)))
        for name in needed.difference(stored):
            table = table.append_column(known.field(name), pa.nulls(len(table), known.field(name).type))
        if last_only:
            table = table.filter(pc.equal(table["epoch"], files[i].epochs))
        if doubles:
            table = table.filter(pc.greater_equal(table["seed"], first_new[i]))
        return table.select(own).replace_schema_metadata()

    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(read, range(len(files))))
    empty = pa.schema([known.field(name) for name in own]).empty_table()
    table = pa.concat_tables(tables).unify_dictionaries() if tables else empty
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get, self_destruct=True)
    lengths = [len(t) for t in tables]
    constants = [name for name in CONSTANTS if name in columns or name in _ALWAYS]
    for name in constants:
        frame[name] = _repeated([CONSTANTS[name](file) for file in files], lengths)
    return frame[[*columns, *_ALWAYS]]


def of_cell(frame: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The rows of one variant on one data set."""
    variant, dataset = cell.variant.digest[:8], cell.dataset_digest[:8]
    return frame[(frame["variant_digest"] == variant) & (frame["dataset_digest"] == dataset)]


def first_new_seeds(files: Sequence[FileMetadata]) -> list[int]:
    """First seed of each file that no earlier file holds.

    Two drivers on a root without locks may store a run twice; each run then counts once.
    """
    stop: dict[tuple[str, str], int] = defaultdict(int)
    first = [0] * len(files)
    for i, file in sorted(enumerate(files), key=lambda pair: pair[1].first_seed):
        key = file.variant_digest, file.dataset_digest
        first[i] = max(stop[key], file.first_seed)
        stop[key] = max(stop[key], file.last_seed + 1)
    return first


def batches(sizes: Sequence[int], most: int) -> Iterator[slice]:
    """Slices of consecutive items whose sizes sum to at most `most`, or of one larger item."""
    start = held = 0
    for i, size in enumerate(sizes):
        if held and held + size > most:
            yield slice(start, i)
            start, held = i, 0
        held += size
    if held:
        yield slice(start, len(sizes))


def _repeated(values: list[Any], lengths: list[int]) -> Any:
    """Each value repeated for the rows of its file: text as a categorical, numbers as an array."""
    if values and not isinstance(values[0], str):
        return np.repeat(np.array(values, np.int32), lengths)
    codes, categories = pd.factorize(np.array(values, object))
    return pd.Categorical.from_codes(np.repeat(codes, lengths), pd.Index(categories))
