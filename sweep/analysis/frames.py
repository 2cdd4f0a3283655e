"""From a store to tables, pictures and digits in one call: for the command line, and for notebooks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Any

import pandas as pd

from data.dataset import Dataset
from model.names import nearest
from sweep.analysis.format import Column
from sweep.analysis.runs import COLUMNS, Split, select
from sweep.analysis.tables import TABLES
from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell
from sweep.spec.spec import as_list
from sweep.store.records import cells, recorded_sweeps
from sweep.store.store import Store


@dataclass(frozen=True)
class Selection:
    """Finished runs of a store, narrowed by filters, each read when first asked for.

    Args:
      store: where the runs are.
      filters: variants, recipes, datasets, engines: names, several with commas; seeds: "0:16". None: all.
      manual_dir: folder of data files placed by hand, for what needs the digits themselves.

    Raises (from every property):
      ValueError: unknown name (with the nearest), or nothing is left.
    """

    store: Store
    filters: dict[str, str | None] = field(default_factory=dict)
    manual_dir: str | None = None

    def epochs(self, last_only: bool) -> pd.DataFrame:
        """Rows of the runs: `tables.COLUMNS` and what is constant in a file."""
        return self._select(self._finished.epochs(COLUMNS, last_only))

    @cached_property
    def labels(self) -> pd.DataFrame:
        """Predicted test labels of one data set.

        Raises:
          ValueError: also, when the runs left are of several data sets.
        """
        labels = self._select(self._finished.labels())
        if labels["dataset_digest"].nunique() > 1:
            names = ", ".join(sorted(set(map(str, labels["dataset"]))))
            raise ValueError(f"digits are looked at one data set at a time: choose --dataset from {names}")
        return labels

    @cached_property
    def digits(self) -> Dataset:
        """The data set of `labels`, loaded again and checked by its digest.

        Raises:
          StoreError: no sweep recorded it, or what is prepared here has another digest.
          data.DataUnavailable: it cannot be had here.
        """
        from data import load

        digest = str(self.labels["dataset_digest"].iloc[0])
        for spec, datasets in recorded_sweeps(self.store).values():
            for _, options in spec.cells():
                if datasets[options.key]["digest"].startswith(digest):
                    dataset = load(options, self.manual_dir)
                    if not dataset.digest.startswith(digest):
                        raise StoreError(
                            f"the digits prepared here (digest {dataset.digest[:8]}) are not those the runs saw "
                            f"({digest}): look at them where they were trained"
                        )
                    return dataset
        raise StoreError(f"{self.store.root}: no recorded sweep has the data set {digest}")

    @property
    def planned(self) -> pd.DataFrame | None:
        """What the recorded sweeps asked for, a row per cell, see `planned.asked`; None when filters narrow."""
        if any(self.filters.values()):
            return None
        wanted: dict[Cell, list[SeedRanges]] = {}
        for spec, datasets in recorded_sweeps(self.store).values():
            for cell in cells(spec, datasets):
                wanted.setdefault(cell, []).append(spec.seed_ranges)
        failed = self.store.failed_seeds()
        rows = []
        for cell, sweeps in wanted.items():
            rows.append(
                {
                    "variant": cell.variant.name,
                    "variant_digest": cell.variant.digest[:8],
                    "dataset": cell.dataset,
                    "dataset_digest": cell.dataset_digest[:8],
                    "n_requested": len(reduce(or_, sweeps)),
                    "n_failed": len(failed.get(cell.folder, SeedRanges())),
                    "look_no": len(sweeps),
                }
            )
        return pd.DataFrame(rows)

    @property
    def _finished(self) -> Store:
        if not self.store.files:
            raise ValueError(f"{self.store.root}: no run is finished yet; `sweep status` says how far it is")
        return self.store

    def _select(self, frame: pd.DataFrame) -> pd.DataFrame:
        given = {key: value for key, value in self.filters.items() if value is not None}
        seeds = given.pop("seeds", None)
        names: dict[str, Any] = {
            key: _variants(value) if key == "variants" else as_list(value) for key, value in given.items()
        }
        return select(frame, seeds=SeedRanges.parse(seeds) if seeds is not None else None, **names)


def _variants(text: str) -> list[str]:
    """The names in "base,softmax,learning_rate=0.1": base, and softmax with an override; "base,*" is one name."""
    return [name.strip() for name in re.split(r",(?!\*|[^,]*=)", text)]


def make_table(
    store: Store,
    name: str,
    *,
    for_people: bool = False,
    epoch: int | None = None,
    split: Split = "test",
    noise: bool = False,
    manual_dir: str | None = None,
    **filters: str | None,
) -> tuple[pd.DataFrame, Sequence[Column] | None]:
    """One of `tables.TABLES` over the finished runs of a store.

    Args:
      store, manual_dir, filters: see `Selection`.
      name: of the table.
      for_people: read no more than the table's narrow columns need.
      epoch: at this epoch instead of each run's last.
      split: whose misses.
      noise: fill in what needs predicted labels: indep_sd, sigma_dist, and the test-set floor from them.

    Returns:
      The table with every column, and the narrow choice of them for people (None: all).

    Raises:
      ValueError: unknown table or name (with the nearest), or nothing is left.
      StoreError, data.DataUnavailable: the table needs digits that cannot be had here.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}{nearest(name, TABLES)}")
    table, selection = TABLES[name], Selection(store, filters, manual_dir)
    if noise and name not in ("summary", "published"):
        raise ValueError(f"table {name!r} has no columns that --noise would fill: summary and published have")
    if table.needs_labels:
        if epoch is not None or split != "test":
            raise ValueError(
                f"table {name!r} is of the test digits after the last epoch: leave out --epoch, --split"
            )
        return table.make(selection.labels, selection.digits.test.labels), table.narrow
    every_epoch = table.needs_every_epoch or (table.more_from_every_epoch and not for_people)
    rows = selection.epochs(last_only=epoch is None and not every_epoch)
    more = {"noise": TABLES["noise"].make(selection.labels, selection.digits.test.labels)} if noise else {}
    return table.make(rows, planned=selection.planned, split=split, epoch=epoch, **more), table.narrow
