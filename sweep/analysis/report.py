"""The report: one HTML file with every table and figure, the provenance of the runs, and the limitations.

It needs no network and no other file. For a table or figure that cannot be made yet (one seed, no second variant) it
gives the reason instead.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from inspect import signature
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from data import DataUnavailable
from sweep.analysis.names import SECTIONS
from sweep.analysis.planned import provisional_note
from sweep.analysis.plots.plot import load_plot
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.plots.style import to_bytes
from sweep.analysis.report_text import answer, definitions, limitations
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import BLANK, Column, is_numeric, main_columns
from sweep.analysis.tables.noise import make as noise_table
from sweep.analysis.tables.registry import TABLES
from sweep.analysis.tables.table import load_table
from sweep.errors import StoreError
from sweep.store.status import provenance

LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "matplotlib")
ROWS = 40  # of a table; the caption gives the total
OPEN_ROWS = 12  # rows up to which a table is shown without a click
HISTORY_SEEDS = 4096  # seeds of a cell in plots and tables over epochs: memory stays bounded
LEAD_FIGURES = (
    "reproductions",
    "raincloud",
    "sources",
    "scaling",
)  # the first that can be drawn opens the report
MOST_CELLS = 24  # with more, only the tables and figures of grids are made: the others take minutes
OF_GRIDS = {"summary", "published", "sources", "scaling"}  # tables and figures that remain
UNAVAILABLE = (ValueError, StoreError, DataUnavailable)


class Cell(NamedTuple):
    """A cell of an HTML table."""

    text: str
    sort: str | None  # number that the column is sorted by; None for text


@dataclass(frozen=True)
class TableView:
    """A table as the template shows it."""

    name: str
    title: str
    head: list[tuple[str, bool]]  # title, whether numeric
    rows: list[list[Cell]]
    notes: list[str]
    is_open: bool


@dataclass(frozen=True)
class FigureView:
    """A figure as the template shows it."""

    name: str
    title: str
    source: str  # data URL
    caption: list[str]


@dataclass(frozen=True)
class Missing:
    """A table or figure that the store does not support."""

    name: str
    reason: str


@dataclass(frozen=True)
class Section:
    """A heading with its figures and tables, and those that are missing."""

    heading: str
    figures: list[FigureView]
    tables: list[TableView]
    missing: list[Missing]

    @property
    def anchor(self) -> str:
        """Its address in the page."""
        return self.heading.lower().replace(" ", "-")


@dataclass(frozen=True)
class Report:
    """The finished page, and the tables and figures that it lacks."""

    html: str
    missing: list[Missing]


@dataclass(frozen=True)
class Running:
    """A sweep that runs while the page is made, so that the page is provisional."""

    reload: int  # seconds after which the page reloads itself
    progress: str  # such as "3 of 8 runs finished"

    def warning(self) -> str:
        """The banner of the page."""
        return (
            f"PROVISIONAL: a sweep is running, {self.progress} at {_now('seconds')}. "
            f"This page reloads itself every {self.reload} s."
        )


def make_report(
    data: Selection,
    *,
    numbers: str | None = None,
    against: str | None = None,
    running: Running | None = None,
) -> Report:
    """The report of a selection.

    Args:
      data: the finished runs.
      numbers: CSV file of further published numbers.
      against: a second root for the table `tooling`.
      running: the sweep that runs, if one does.

    Raises:
      ValueError: no finished runs, or a wrong `numbers` file.
    """
    data = replace(data, history_seeds=HISTORY_SEEDS)
    runs = data.runs()
    too_many = _too_many(len(runs))
    noise = ValueError(too_many) if too_many else _attempt(lambda: noise_table(data))
    options = {
        "noise": not isinstance(noise, Exception),
        "numbers": numbers,
        "against": against,
        "too_many": too_many,
    }
    lead = next(
        (figure for name in LEAD_FIGURES if isinstance(figure := _figure(name, data, options), FigureView)),
        None,
    )
    sections = [_section(heading, data, options, lead) for heading in SECTIONS]
    known_noise = None if isinstance(noise, Exception) else noise
    made = list(provenance(data.files))
    html = _template().render(
        reload=running.reload if running else None,
        title=f"Error versus seed: {', '.join(dict.fromkeys(r.cell.dataset for r in runs))}",
        warnings=[*([running.warning()] if running else []), *provisional_note(data.planned, runs)],
        answer=answer(runs, numbers),
        lead=lead,
        sections=[s for s in sections if s.figures or s.tables or s.missing],
        provenance=_provenance(made),
        versions=sorted({f"{k} {v}" for entry in made for k, v in entry.get("versions", {}).items()}),
        libraries=[f"{name} {version(name)}" for name in LIBRARIES],
        now=_now("minutes"),
        definitions=definitions(),
        limitations=limitations(runs, known_noise, data.planned),
    )
    return Report(html, [missing for section in sections for missing in section.missing])


def waiting_page(running: Running) -> str:
    """The page of a sweep without a finished run."""
    return _template().render(
        reload=running.reload,
        title="Error versus seed",
        warnings=[running.warning()],
        answer="No run has finished yet.",
        lead=None,
        sections=(),
        provenance=None,
        now=_now("minutes"),
    )


def _template() -> Template:
    return Environment(
        loader=PackageLoader("sweep.analysis", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("report.html")


def _now(timespec: str) -> str:
    return datetime.now(UTC).isoformat(timespec=timespec)


def _section(heading: str, data: Selection, options: dict[str, Any], lead: FigureView | None) -> Section:
    figures = [
        _figure(name, data, options)
        for name, entry in PLOTS.items()
        if entry.section == heading and not (lead and lead.name == name)
    ]
    tables = [_table(name, data, options) for name, entry in TABLES.items() if entry.section == heading]
    return Section(
        heading,
        [f for f in figures if isinstance(f, FigureView)],
        [t for t in tables if isinstance(t, TableView)],
        list({m.name: m for m in (*figures, *tables) if isinstance(m, Missing)}.values()),
    )


def _too_many(cells: int) -> str:
    """The reason to leave out the tables and figures that are not of grids; "" if there is none."""
    if cells <= MOST_CELLS:
        return ""
    return f"{cells} combinations of variant and data set, at most {MOST_CELLS}: choose with --variants or --dataset"


def _attempt(make: Callable[[], Any]) -> Any:
    """The result, or the error if there is none."""
    try:
        return make()
    except UNAVAILABLE as reason:
        return reason


def _accepted(make: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key in signature(make).parameters}


def _table(name: str, data: Selection, options: dict[str, Any]) -> TableView | Missing:
    if options["too_many"] and name not in OF_GRIDS:
        return Missing(name, options["too_many"])
    table = load_table(name)
    frame = _attempt(partial(table.make, data, **_accepted(table.make, options)))
    if isinstance(frame, Exception):
        return Missing(name, str(frame))
    notes = list(frame.attrs.get("notes", []))
    total = len(frame)
    if total > ROWS:
        notes.insert(0, f"The first {ROWS} of {total:,} rows.")
        frame = frame.head(ROWS)
    head, rows = _cells(frame, table.columns)
    notes.append(f"All columns and rows: sweep table {name} --format csv")
    return TableView(name, _sentence(TABLES[name].about), head, rows, notes, len(rows) <= OPEN_ROWS)


def _cells(
    frame: pd.DataFrame, columns: Sequence[Column | str] | None
) -> tuple[list[tuple[str, bool]], list[list[Cell]]]:
    """Head and rows of a table, without the columns that have no value in any row."""
    chosen = [c for c in main_columns(frame, columns) if frame[c.fields].notna().any(axis=None)]
    numeric = [is_numeric(frame, column) for column in chosen]
    rows = [
        [
            Cell(column.text(row), _sort_key(row[column.fields[0]]) if right else None)
            for column, right in zip(chosen, numeric, strict=True)
        ]
        for row in ({str(k): v for k, v in record.items()} for record in frame.to_dict("records"))
    ]
    return [(c.title, right) for c, right in zip(chosen, numeric, strict=True)], rows


def _sort_key(value: Any) -> str:
    return "" if pd.isna(value) else str(float(value))


def _figure(name: str, data: Selection, options: dict[str, Any]) -> FigureView | Missing:
    if options["too_many"] and name not in OF_GRIDS:
        return Missing(name, options["too_many"])
    draw = load_plot(name)
    figure = _attempt(partial(draw, data, **_accepted(draw, options)))
    if isinstance(figure, Exception):
        return Missing(name, str(figure))
    caption = figure.get_supxlabel().splitlines()
    figure.supxlabel("")  # the page shows it as text, legible at any width
    source = base64.b64encode(to_bytes(figure, "svg")).decode()
    return FigureView(name, _sentence(PLOTS[name].about), f"data:image/svg+xml;base64,{source}", caption)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _provenance(entries: list[dict[str, Any]]) -> tuple[list[tuple[str, bool]], list[list[Cell]]]:
    names = ("variant", "dataset", "runs", "engine", "device", "code", "seconds", "first", "last")
    return _cells(pd.DataFrame([{name: entry.get(name, BLANK) for name in names} for entry in entries]), None)
