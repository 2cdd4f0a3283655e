"""Stored rows as one pandas frame, at the speed of the disk: every table and plot starts here.

What is constant in a file (variant, engine, …) is taken from its metadata and never read or built row by row.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
      files: what each file says of itself.
      open_file: opens the i-th of them.
      kind: which columns they have.
      columns: of them, those wanted.
      last_only: only each run's last epoch.
      starts: first seed to return of each file; None: `first_new_seeds` of these files.

    Returns:
      The columns, and those of `CONSTANTS` that the files do not hold; constant texts are categoricals. A
      (variant, data set, seed) that is stored twice counts once.
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
    frame = table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get, self_destruct=True)
    lengths = [len(t) for t in tables]
    constants = [name for name in CONSTANTS if name in columns or name in _ALWAYS]
    for name in constants:
        frame[name] = _repeated([CONSTANTS[name](file) for file in files], lengths)
    return frame[[*columns, *_ALWAYS]]


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


def _repeated(values: list[Any], lengths: list[int]) -> Any:
    """Each value as often as its file has rows: texts as a categorical, numbers as an array."""
    if values and not isinstance(values[0], str):
        return np.repeat(np.array(values, np.int32), lengths)
    codes, categories = pd.factorize(np.array(values, object))
    return pd.Categorical.from_codes(np.repeat(codes, lengths), pd.Index(categories))
