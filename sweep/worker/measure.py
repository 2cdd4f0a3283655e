"""Scores of a shard after each epoch, and the tables stored from them."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from model.network import Params
from model.parameters import from_tree
from model.variants import Variant
from sweep.spec.seeds import SeedRanges
from sweep.store.schema import DIVERGED, EPOCHS, LABELS, OK, WEIGHTS, conform


class Measured(NamedTuple):
    """One epoch of R replicas, in seed order."""

    train_loss: np.ndarray  # [R] float32
    train_misses: np.ndarray  # [R] int32
    test_loss: np.ndarray  # [R] float32
    test_misses: np.ndarray  # [R] int32
    finite: np.ndarray  # [R] bool: losses and all weights are finite, and always were


def epochs_table(
    variant: Variant,
    dataset: str,
    seeds: range,
    rows: list[Measured],
    rates: list[float],
    n_train: int,
    n_test: int,
) -> pa.Table:
    """Columns of `schema.EPOCHS`, one row per (seed, epoch), sorted by both.

    A diverged replica is a result, not an error: from the epoch at which a loss or a weight was no longer
    finite its status is "diverged", and its loss, error and misses are null (the argmax of NaN would count as
    plausible misses).

    Args:
      rows: of epochs 1, 2, …
      rates: learning rate of each epoch's last update.
      n_train, n_test: digits in each split.
    """
    columns = Measured(*(np.stack(column, axis=1).ravel() for column in zip(*rows, strict=True)))
    count, epochs = len(seeds), len(rows)
    diverged = ~columns.finite

    def masked(values: np.ndarray, type_: pa.DataType) -> pa.Array:
        return pa.array(values, type_, mask=diverged)

    table = pa.table(
        {
            "variant": [variant.name] * (count * epochs),
            "recipe": [variant.recipe] * (count * epochs),
            "dataset": [dataset] * (count * epochs),
            "seed": np.repeat(np.array(seeds, np.int64), epochs),
            "epoch": np.tile(np.arange(1, epochs + 1, dtype=np.int32), count),
            "learning_rate": np.tile(np.array(rates, np.float32), count),
            "train_loss": masked(columns.train_loss, pa.float32()),
            "train_error": masked((columns.train_misses / n_train).astype(np.float32), pa.float32()),
            "train_misses": masked(columns.train_misses, pa.int32()),
            "test_loss": masked(columns.test_loss, pa.float32()),
            "test_error": masked((columns.test_misses / n_test).astype(np.float32), pa.float32()),
            "test_misses": masked(columns.test_misses, pa.int32()),
            "status": np.where(diverged, DIVERGED, OK),
        }
    )
    return conform(table, EPOCHS)


def labels_table(
    variant: Variant,
    dataset: str,
    seeds: range,
    predictions: np.ndarray,
    finite: np.ndarray,
    margins: np.ndarray | None = None,
) -> pa.Table:
    """Columns of `schema.LABELS`, one row per seed.

    Args:
      predictions: [R, n_test] int8, predicted digits after the last epoch.
      finite: [R] bool; a diverged replica has neither predictions nor margins.
      margins: [R, n_test] float16, as from `model.engines.Engine.margins`; None: not measured.
    """
    count = len(seeds)
    table = pa.table(
        {
            "variant": [variant.name] * count,
            "recipe": [variant.recipe] * count,
            "dataset": [dataset] * count,
            "seed": np.array(seeds, np.int64),
            "predictions": [p.tobytes() if ok else None for p, ok in zip(predictions, finite, strict=True)],
        }
    )
    if margins is not None:
        rows = [m if ok else None for m, ok in zip(margins, finite, strict=True)]
        table = table.append_column(LABELS.field("margins"), pa.array(rows, pa.list_(pa.float16())))
    return conform(table, LABELS)


def weights_table(
    variant: Variant, dataset: str, seeds: range, kept: SeedRanges, params: Params, finite: np.ndarray
) -> pa.Table | None:
    """Columns of `schema.WEIGHTS`, one row per kept seed; None if the shard has none.

    Args:
      kept: seeds whose weights are stored, of this and other shards.
      params: leaves [R, …], after the last epoch.
      finite: [R] bool; a diverged replica has no weights.
    """
    rows = [i for i, seed in enumerate(seeds) if seed in kept]
    if not rows:
        return None
    arrays = {
        name: [array[i].ravel() if finite[i] else None for i in rows]
        for name, array in from_tree(params).items()
    }
    table = pa.table(
        {
            "variant": [variant.name] * len(rows),
            "recipe": [variant.recipe] * len(rows),
            "dataset": [dataset] * len(rows),
            "seed": np.array([seeds[i] for i in rows], np.int64),
        }
        | {name: pa.array(values, WEIGHTS.field(name).type) for name, values in arrays.items()}
    )
    return conform(table, WEIGHTS)
