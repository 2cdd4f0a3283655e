"""How every picture looks: colours the colour-blind can tell apart, line styles for print, a caption below."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sweep.analysis.runs import Runs

WIDTH = 6.4  # inches, of every figure
SUFFIXES = (".png", ".svg")

RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "lecun1989-sweep",  # the same figure gives the same file
}

# Okabe and Ito's palette, its yellow left out: too pale on paper.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#888888"


class Look(NamedTuple):
    """One variant's colour, line and marker; any one of them tells it from its neighbours."""

    colour: str
    line: Any
    marker: str


def look(position: int) -> Look:
    """Of the variant at a position of the figure."""
    return Look(
        _COLOURS[position % len(_COLOURS)],
        _LINES[position % len(_LINES)],
        _MARKERS[position % len(_MARKERS)],
    )


def new_figure(height: float) -> Figure:
    """An empty figure of the common width. height: inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def panels(count: int, height: float, columns: int = 2, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of small panels, row by row. height: inches of a row."""
    columns = min(columns, count)
    rows = -(-count // columns)
    fig = new_figure(height * rows + 0.5)
    axes = fig.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    return fig, list(axes[:count])


def plain_log(axis: Axis) -> None:
    """1, 2, 5, 10 … instead of powers on a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def add_caption(fig: Figure, text: str) -> Figure:
    """Below everything, at the left."""
    fig.supxlabel(text, x=0.01, ha="left", fontsize=7.5, color="#444444")
    return fig


def about(runs: Sequence[Runs]) -> str:
    """Seeds and digits of a figure, for its caption."""
    counts = {r.n for r in runs}
    if len(counts) == 1:
        seeds = f"n = {counts.pop()} seeds" + (" each" if len(runs) > 1 else "")
    else:
        seeds = "n = " + ", ".join(f"{r.n} {r.cell.variant}" for r in runs)
    lost = sum(len(r.diverged) for r in runs)
    sets = ", ".join(
        dict.fromkeys(
            f"{r.cell.dataset} ({r.cell.dataset_digest}), {r.sizes['test']:,} test digits" for r in runs
        )
    )
    return f"{seeds}{f', {lost} diverged not shown' if lost else ''}. {sets}."


def save(fig: Figure, path: str | Path) -> None:
    """Write a figure as PNG (200 dots per inch) or SVG, by the ending of its name.

    Raises:
      ValueError: another ending.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: a figure is written as {' or '.join(SUFFIXES)}")
    Path(path).write_bytes(to_bytes(fig, suffix[1:]))


def to_bytes(fig: Figure, format: str) -> bytes:
    """A figure as "png" or "svg", without the date, so that the same figure gives the same bytes."""
    buffer = io.BytesIO()
    with mpl.rc_context(RC):
        metadata = {"Date": None} if format == "svg" else {"Software": None}
        fig.savefig(buffer, format=format, dpi=200, metadata=metadata)
    return buffer.getvalue()
