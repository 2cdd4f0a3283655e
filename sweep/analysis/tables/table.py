"""The class `Table`, and tables by name: for the command line, the report and notebooks."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any

import pandas as pd

from model.names import nearest
from sweep.analysis.names import check_options
from sweep.analysis.selection import Filters, Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.registry import TABLES
from sweep.store.reference import Reference
from sweep.store.store import Store


@dataclass(frozen=True)
class Table:
    """A table of the registry.

    Attributes:
      make: takes a `Selection` and keyword options, returns the rows with all columns; `attrs["notes"]` are
        the lines of the caption. Its keyword parameters are the options that the table accepts.
      columns: the main columns, for text, Markdown, LaTeX and the report; None for all.
      limit: maximum number of rows shown as text; None for all.
    """

    make: Callable[..., pd.DataFrame]
    columns: tuple[Column, ...] | None
    limit: int | None = None


VARIANT = Column("variant", "{variant}")
DATASET = Column("data set", "{dataset}", "if_mixed")
STEP = (Column("a", "{a}"), Column("b", "{b}"))


def load_table(name: str) -> Table:
    """A table of the registry by name.

    Raises:
      ValueError: unknown table, with the nearest name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown table {name!r}{nearest(name, TABLES)}")
    table: Table = TABLES[name].load()
    return table


def make_table(
    store: Store | Reference,
    name: str,
    *,
    manual_dir: str | None = None,
    main_only: bool = False,
    **options: Any,
) -> tuple[pd.DataFrame, tuple[Column, ...] | None]:
    """A table of `registry.TABLES` over the finished runs of a store.

    Args:
      store: a root, or a reference distribution.
      name: of the table.
      manual_dir: folder of original data files, for tables that need true labels.
      main_only: leave columns outside the main ones empty where that saves reading.
      options: filters (`selection.Filters`), and options of the table such as epoch, split, noise, delta.

    Returns:
      The table with every column, and its main columns (None: all).

    Raises:
      ValueError: unknown table, option or name (with the nearest), or no run is left.
      StoreError, data.DataUnavailable: the table needs digits that are not available here.
    """
    filters, mine = Filters.split(options)
    table = load_table(name)
    check_options("table", name, table.make, mine)
    if main_only and "full" in signature(table.make).parameters:
        mine["full"] = False
    frame = table.make(Selection(store, filters, manual_dir), **mine)
    if isinstance(store, Reference):
        frame.attrs["notes"] = [store.note, *frame.attrs.get("notes", [])]
    return frame, table.columns
