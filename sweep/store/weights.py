"""Kept weights: the parameters of some runs after their last epoch, one Parquet file per range of consecutive seeds.

    <root>/weights/VARIANT-DIGEST/DATASET-DIGEST/seeds-FIRST-LAST-ID.parquet    one row per seed

The files depend on no other file: the ranges need not be those of the epochs files.
"""

from collections.abc import Iterable
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell, Shard
from sweep.store import parquet
from sweep.store.errors import Damaged, NewerVersion
from sweep.store.schema import WEIGHTS, FileMetadata, conform
from sweep.store.store import READ_ERRORS, Store


def missing_weights(store: Store, cell: Cell, kept: SeedRanges) -> SeedRanges:
    """The kept seeds of a cell whose runs are finished and whose weights are not stored."""
    finished = store.completed().get(cell.key, SeedRanges())
    return (kept & finished) - store.weights.seeds().get(cell.folder, SeedRanges())


def save_weights(store: Store, shard: Shard, weights: pa.Table, metadata: FileMetadata) -> None:
    """Store the weights of some seeds of a shard.

    Args:
      store: open for writing.
      shard: the shard.
      weights: one row per kept seed, columns of `schema.WEIGHTS`.
      metadata: of the shard.

    Raises:
      StoreError: the root cannot be written.
    """
    kept = SeedRanges(range(seed, seed + 1) for seed in weights["seed"].to_pylist())
    for seeds in kept.ranges:
        inside = pc.and_(pc.greater_equal(weights["seed"], seeds.start), pc.less(weights["seed"], seeds.stop))
        rows = conform(weights.filter(inside), WEIGHTS)
        own = replace(metadata, first_seed=seeds.start, last_seed=seeds[-1])
        store.weights.save(Shard(shard.cell, seeds), parquet.encode(rows, own))


def load_weights(store: Store, path: str) -> tuple[pa.Table, FileMetadata]:
    """The rows and the metadata of one of `store.weights.paths()`, with verified digests.

    Raises:
      StoreError: the file is damaged, foreign or of a newer version.
    """
    try:
        return parquet.verify(store.folder.read(path))
    except NewerVersion as error:
        raise StoreError(f"{store.root}/{path}: {error}") from None
    except READ_ERRORS as error:
        reason = str(error) if isinstance(error, Damaged) else "is damaged or not a Parquet file"
        raise StoreError(
            f"{store.root}/{path}: {reason}; `sweep doctor --repair --root {store.root}` quarantines it, and "
            "`sweep run` with --keep-weights trains its seeds again"
        ) from None


def drop_replaced(store: Store, planned: Iterable[Shard]) -> None:
    """Delete the weights of runs that will be trained, which a killed driver or a quarantine left."""
    stored = store.weights.shards()
    for shard in planned:
        for seeds in stored.get(shard.cell.folder, ()):
            if SeedRanges([seeds]) & SeedRanges([shard.seeds]):
                store.weights.drop(Shard(shard.cell, seeds))


def differing(store: Store, shard: Shard, epochs: pa.Table, metadata: FileMetadata) -> str | None:
    """Why repeated runs are not those that the store holds; None if their last rows are equal bit for bit.

    Args:
      store: holds all seeds of the shard.
      shard: the shard.
      epochs: rows of the repeated runs, columns of `schema.EPOCHS`.
      metadata: of the repeated runs.
    """
    files = [
        f
        for f in store.files
        if f.key == shard.cell.key and SeedRanges([f.seeds]) & SeedRanges([shard.seeds])
    ]
    columns = ["seed", "train_loss", "train_misses", "test_loss", "test_misses", "status"]
    stored = store.epochs(columns, last_only=True, files=files)
    stored = stored[stored["seed"].isin(shard.seeds)].sort_values("seed")[columns]
    last = epochs.filter(pc.equal(epochs["epoch"], metadata.epochs)).select(columns)
    if pa.Table.from_pandas(stored, last.schema, preserve_index=False).equals(last):
        return None
    engines = ", ".join(sorted({f"{f.metadata.engine} on {f.metadata.device}" for f in files}))
    return (
        f"the weights are not stored: trained again with {metadata.engine} on {metadata.device}, the runs differ "
        f"from the stored rows, which were made with {engines}"
    )
