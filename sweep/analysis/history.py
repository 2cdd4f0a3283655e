"""Misses and loss of the runs of one cell after every epoch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sweep.analysis.names import SplitName
from sweep.analysis.runs import CellId

Quantity = Literal["test_misses", "train_misses", "test_loss", "train_loss"]

MISSES: dict[SplitName, Quantity] = {"test": "test_misses", "train": "train_misses"}
LOSS: dict[SplitName, Quantity] = {"test": "test_loss", "train": "train_loss"}


@dataclass(frozen=True)
class History:
    """One row per run, one column per epoch; NaN from the epoch at which a run diverged."""

    cell: CellId
    sizes: dict[SplitName, int]  # digits in each split
    seeds: np.ndarray  # [n] int64, ascending, diverged runs included
    values: dict[Quantity, np.ndarray]  # each [n, epochs] float32, exact for counts

    def misses(self, split: SplitName) -> np.ndarray:
        """[n, epochs] float32."""
        return self.values[MISSES[split]]

    def loss(self, split: SplitName) -> np.ndarray:
        """[n, epochs] float32."""
        return self.values[LOSS[split]]

    @property
    def epochs(self) -> int:
        """Epochs of the training."""
        return len(self._any[0])

    @property
    def finished(self) -> np.ndarray:
        """[n] bool, runs that reached the last epoch without diverging."""
        ended: np.ndarray = ~np.isnan(self._any[:, -1])
        return ended

    @property
    def _any(self) -> np.ndarray:
        return next(iter(self.values.values()))


def history(cell: CellId, batches: Iterable[pd.DataFrame], quantities: Iterable[Quantity]) -> History:
    """Assemble the rows of one cell; each run's rows are all in the same batch.

    Args:
      cell: the cell.
      batches: frames with seed, epoch, epochs, n_train, n_test and the quantities, at least one row in all.
      quantities: which to keep.
    """
    names = list(quantities)
    seeds: list[np.ndarray] = []
    blocks: dict[Quantity, list[np.ndarray]] = {name: [] for name in names}
    sizes: dict[SplitName, int] = {}
    for batch in batches:
        first = batch.iloc[0]
        sizes = {"train": int(first["n_train"]), "test": int(first["n_test"])}
        found, position = np.unique(batch["seed"].to_numpy(), return_inverse=True)
        at = position, batch["epoch"].to_numpy(np.int64) - 1
        for name in names:
            block = np.full((len(found), int(first["epochs"])), np.nan, np.float32)
            block[at] = batch[name].to_numpy(np.float32, na_value=np.nan)
            blocks[name].append(block)
        seeds.append(found)
    everything = np.concatenate(seeds)
    order = np.argsort(everything, kind="stable")
    values = {name: np.concatenate(blocks[name])[order] for name in names}
    return History(cell, sizes, everything[order].astype(np.int64), values)
