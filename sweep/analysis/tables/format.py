"""Rendering of tables: text, Markdown and LaTeX with the main columns; CSV, JSON and Parquet with all."""

import io
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from model.names import nearest
from sweep.analysis.names import FORMATS, Format

BLANK = "–"
NOTE_WIDTH = 100


@dataclass(frozen=True)
class Column:
    """A main column, made of one or more columns of the table.

    The pattern is a format string over the table's columns, such as "{ci_lo:.1f}–{ci_hi:.1f}". A part in
    square brackets is left out if one of its columns is missing: "{chang:.0f}[ ({chang_percentile:.0f} %)]".
    """

    title: str
    pattern: str
    shown: Literal["always", "if_mixed", "if_known"] = (
        "always"  # if_mixed: rows differ; if_known: some is set
    )

    @property
    def fields(self) -> list[str]:
        """The table's columns in the pattern."""
        return [name for _, name, _, _ in Formatter().parse(self.pattern) if name]

    def text(self, row: dict[str, Any]) -> str:
        """The cell of one row."""

        def optional(match: re.Match[str]) -> str:
            names = [name for _, name, _, _ in Formatter().parse(match[1]) if name]
            return "" if any(pd.isna(row[name]) for name in names) else match[1]

        pattern = re.sub(r"\[(.*?)\]", optional, self.pattern)
        needed = [name for _, name, _, _ in Formatter().parse(pattern) if name]
        return BLANK if any(pd.isna(row[name]) for name in needed) else pattern.format_map(row)

    def visible(self, frame: pd.DataFrame) -> bool:
        """Whether the column is shown for these rows."""
        values = frame[self.fields]
        if self.shown == "if_mixed":
            return len(values.drop_duplicates()) > 1
        if self.shown == "if_known":
            return bool((values.notna() & (values != "")).any(axis=None))
        return True


def main_columns(frame: pd.DataFrame, columns: Sequence[Column | str] | None) -> list[Column]:
    """The columns to show: those named, or all; without those that do not apply to these rows.

    Raises:
      ValueError: unknown column, with the nearest name.
    """
    chosen = [as_column(frame, c) for c in (columns if columns is not None else list(frame.columns))]
    return [column for column in chosen if column.visible(frame)]


def is_numeric(frame: pd.DataFrame, column: Column) -> bool:
    """Whether a column holds numbers only, and so is aligned right."""
    return all(pd.api.types.is_numeric_dtype(frame[name]) for name in column.fields)


def render(
    frame: pd.DataFrame,
    format: Format,
    columns: Sequence[Column | str] | None = None,
    limit: int | None = None,
) -> str | bytes:
    """A table as text or bytes.

    Args:
      frame: rows; `attrs["notes"]` are the lines of the caption, left out in CSV and Parquet.
      format: "parquet" gives bytes, the others text.
      columns: which, in order; None: all. In CSV, JSON and Parquet a `Column` stands for its fields.
      limit: maximum number of rows, for text only; the caption then gives the total.

    Raises:
      ValueError: unknown format or column, with the nearest name.
    """
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}{nearest(format, FORMATS)}")
    if format in ("csv", "json", "parquet"):
        chosen = [as_column(frame, c) for c in (columns if columns is not None else list(frame.columns))]
        names = dict.fromkeys(name for column in chosen for name in column.fields)
        return _for_programs(frame[list(names)], format, frame.attrs.get("notes", []))
    notes = list(frame.attrs.get("notes", []))
    if format == "text" and limit is not None and len(frame) > limit:
        notes.insert(0, f"The first {limit} of {len(frame):,} rows; csv, json and parquet have all.")
        frame = frame.head(limit)
    chosen = main_columns(frame, columns)
    cells = [
        [column.text({str(k): v for k, v in row.items()}) for column in chosen]
        for row in frame.to_dict("records")
    ]
    numeric = [is_numeric(frame, column) for column in chosen]
    titles = [column.title for column in chosen]
    if format == "latex":
        return _latex(titles, cells, numeric, notes)
    return _drawn(titles, cells, numeric, notes, markdown=format == "markdown")


def as_column(frame: pd.DataFrame, column: Column | str) -> Column:
    """A column of the table by name, floats with four significant digits.

    Raises:
      ValueError: no such column, with the nearest name.
    """
    names = column.fields if isinstance(column, Column) else [column]
    for name in names:
        if name not in frame.columns:
            raise ValueError(f"unknown column {name!r}{nearest(name, map(str, frame.columns))}")
    if isinstance(column, Column):
        return column
    return Column(
        column, f"{{{column}:.4g}}" if pd.api.types.is_float_dtype(frame[column]) else f"{{{column}}}"
    )


def _for_programs(frame: pd.DataFrame, format: str, notes: list[str]) -> str | bytes:
    if format == "csv":
        return frame.to_csv(index=False, lineterminator="\n")
    if format == "json":
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        return json.dumps({"notes": notes, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
    buffer = io.BytesIO()
    plain = frame.copy()
    for name in [n for n in plain if pd.api.types.is_object_dtype(plain[n])]:
        plain[name] = plain[name].convert_dtypes()
    plain.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _drawn(
    titles: list[str], cells: list[list[str]], numeric: list[bool], notes: list[str], markdown: bool
) -> str:
    table = RichTable(box=box.MARKDOWN if markdown else box.SIMPLE_HEAD, pad_edge=markdown, padding=(0, 1))
    if not markdown:
        table.padding = (0, 1, 0, 0)
    for title, right in zip(titles, numeric, strict=True):
        table.add_column(Text(title), justify="right" if right else "left", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row))
    out = io.StringIO()
    Console(file=out, width=10_000, color_system=None, legacy_windows=False).print(table)
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    if markdown:
        return "\n".join([*lines, "", *(f"{note}  " for note in notes)]).rstrip() + "\n"
    wrapped = [
        textwrap.fill(note, NOTE_WIDTH, subsequent_indent="  ", break_on_hyphens=False) for note in notes
    ]
    return "\n".join([*lines, "", *wrapped]).rstrip() + "\n"


_LATEX = (
    {
        "σ": r"$\sigma$",
        "²": r"$^2$",
        "→": r"$\to$",
        ">": r"$>$",
        "<": r"$<$",
    }
    | {c: f"\\{c}" for c in "&%$#_{}"}
    | {
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "–": "--",
        "±": r"$\pm$",
    }
)


def _latex(titles: list[str], cells: list[list[str]], numeric: list[bool], notes: list[str]) -> str:
    """A booktabs tabular; the notes are comments above it."""

    def line(texts: list[str]) -> str:
        return " & ".join("".join(_LATEX.get(c, c) for c in text) for text in texts) + r" \\"

    head = [f"% {note}" for note in notes]
    head.append(r"% needs \usepackage{booktabs}")
    head.append(rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}")
    body = [r"\toprule", line(titles), r"\midrule", *map(line, cells), r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*head, *body]) + "\n"
