"""From a store to a table in one call: what the command line prints, and what notebooks start from."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from model.names import nearest
from sweep.analysis.format import Column
from sweep.analysis.tables import COLUMNS, TABLES, select
from sweep.driver import cells, recorded_sweeps
from sweep.spec import as_list, parse_seeds
from sweep.store import Store


def make_table(
    store: Store, name: str, *, for_people: bool = False, epoch: int | None = None, **filters: str | None
) -> tuple[pd.DataFrame, Sequence[Column] | None]:
    """One of `tables.TABLES` over the finished runs of a store.

    Args:
      store: where the runs are.
      name: of the table.
      for_people: read no more than the table's narrow columns need.
      epoch: at this epoch instead of each run's last.
      filters: variants, recipes, datasets, engines: names, several with commas; seeds: "0:16".

    Returns:
      The table with every column, and the narrow choice of them for people (None: all).

    Raises:
      ValueError: unknown table or name (with the nearest), or nothing is left.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}{nearest(name, TABLES)}")
    table = TABLES[name]
    if table.needs_labels:
        raise ValueError(
            f"table {name!r} needs the true test labels: from Python, "
            f"sweep.analysis.tables.TABLES[{name!r}].make(store.labels(), truth)"
        )
    if not store.files:
        raise ValueError(f"{store.root}: no run is finished yet; `sweep status` says how far it is")
    every_epoch = table.needs_every_epoch or (table.more_from_every_epoch and not for_people)
    seeds = filters.pop("seeds", None)
    rows = select(
        store.epochs(COLUMNS, last_only=epoch is None and not every_epoch),
        seeds=parse_seeds(seeds) if seeds is not None else None,
        epoch=epoch if not table.needs_every_epoch else None,
        **{key: as_list(value) for key, value in filters.items() if value is not None},
    )
    narrowed = seeds is not None or epoch is not None or any(filters.values())
    made = table.make(rows, planned=None if narrowed else planned(store))
    return made, table.narrow


def planned(store: Store) -> pd.DataFrame:
    """Seeds asked for by the recorded sweeps: a row per cell and sweep, for n_requested and n_pending."""
    rows: list[dict[str, Any]] = []
    for spec, datasets in recorded_sweeps(store).values():
        for cell in cells(spec, datasets):
            rows.append(
                {
                    "variant": cell.variant.name,
                    "variant_digest": cell.variant.digest[:8],
                    "dataset": cell.dataset,
                    "dataset_digest": cell.dataset_digest[:8],
                    "n_requested": sum(map(len, spec.seed_ranges)),
                }
            )
    return pd.DataFrame(rows)
