"""A store with chosen results, written through the store's own code. No network is trained."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data import load
from data.options import DatasetOptions
from model.variants import variant
from sweep.spec.shard import Cell, Shard
from sweep.spec.spec import dataset_label, parse
from sweep.store.records import dataset_entry, record_sweep
from sweep.store.schema import FileMetadata
from sweep.store.store import Store
from sweep.worker.measure import Measured, epochs_table, labels_table

DIGITS = {"name": "mnist5k", "n_train": 120, "n_test": 60}


def stored(
    root: Path,
    wrong: Mapping[str, np.ndarray],
    *,
    epochs: int = 5,
    first_seed: int = 0,
    engine: str = "vmap",
    diverged: Mapping[str, set[int]] | None = None,
    width: int = 16,
    margins: bool = True,
    digits: Mapping[str, str | int] | None = None,
) -> Store:
    """A store with one run per row of `wrong`.

    Args:
      root: folder of the store.
      wrong: of each variant: [n, n_test] bool, whether a run misclassifies each test digit after the last epoch.
      epochs: of each run; earlier epochs have more misses.
      first_seed: seed of the first row.
      engine: recorded in the files.
      diverged: seeds of each variant that diverge in the last epoch.
      width: seeds in a file.
      margins: whether they are stored: 0.5 where wrong, else 1.
      digits: changes of `DIGITS`.
    """
    chosen = DIGITS | dict(digits or {})
    options = DatasetOptions(**chosen)
    dataset = load(options)
    names = ",".join(wrong)
    spec = parse(
        {
            "variants": names,
            "seeds": f"{first_seed}:{first_seed + max(map(len, wrong.values()))}",
            "set": {"epochs": epochs},
            "dataset": chosen,
        }
    )
    store = Store(str(root))
    store.open_for_writing()
    label = dataset_label(options)
    record_sweep(store, spec, {options.key: dataset_entry(options, dataset)})
    for name, table in wrong.items():
        cell = Cell(variant(name, epochs=epochs), label, dataset.digest, len(dataset.train))
        lost = (diverged or {}).get(name, set())
        for start in range(0, len(table), width):
            part = table[start : start + width]
            seeds = range(first_seed + start, first_seed + start + len(part))
            _append(store, Shard(cell, seeds), part, dataset.test.labels, engine, lost, margins)
    return store


def _append(
    store: Store,
    shard: Shard,
    wrong: np.ndarray,
    truth: np.ndarray,
    engine: str,
    lost: set[int],
    margins: bool,
) -> None:
    cell, epochs = shard.cell, shard.cell.variant.epochs
    finite = np.array([seed not in lost for seed in shard.seeds])
    rows = []
    for epoch in range(1, epochs + 1):
        misses = np.minimum(wrong.sum(axis=1) + (epochs - epoch) * 3, wrong.shape[1]).astype(np.int32)
        loss = (misses / wrong.shape[1]).astype(np.float32)
        trained = finite if epoch == epochs else np.ones_like(finite)
        rows.append(Measured(loss, misses, loss, misses, trained))
    predicted = np.where(wrong, (truth + 1) % 10, truth).astype(np.int8)
    sizes = np.where(wrong, 0.5, 1).astype(np.float16) if margins else None
    metadata = FileMetadata(
        variant=cell.variant.to_stored(),
        variant_digest=cell.variant.digest,
        dataset={"name": cell.dataset, "n_train": cell.n_train, "n_test": wrong.shape[1]},
        dataset_digest=cell.dataset_digest,
        first_seed=shard.seeds.start,
        last_seed=shard.seeds[-1],
        epochs=epochs,
        engine=engine,
        device="cpu",
        code="0.1.0+00000000",
        versions={"jax": "0.0"},
        started="2026-01-01T00:00:00+00:00",
        seconds=10.0,
    )
    store.append(
        shard,
        epochs_table(
            cell.variant, cell.dataset, shard.seeds, rows, [0.03] * epochs, cell.n_train, wrong.shape[1]
        ),
        labels_table(cell.variant, cell.dataset, shard.seeds, predicted, finite, sizes),
        metadata,
    )
