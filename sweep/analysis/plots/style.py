"""Style of every figure: a colour-blind-safe palette, line styles for print, a caption below."""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullFormatter

from model.variants import VARIANTS
from sweep.analysis.names import FIGURE_SUFFIXES
from sweep.analysis.runs import CellId

WIDTH = 4.8  # inches, of every figure: text stays legible when a phone scales it to 400 pixels
TALLEST = 30.0  # inches

RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "lecun1989-sweep",  # the same figure gives the same file
    "pdf.fonttype": 42,  # TrueType: text stays text
}

# Okabe and Ito's palette without its yellow, which is too pale on paper.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#777777"
PALE = "#cccccc"
SMALL = 8.0  # points, of annotations


class Look(NamedTuple):
    """Colour, line and marker of one variant; each of them suffices to distinguish variants."""

    colour: str
    line: Any
    marker: str


def looks(cells: Sequence[CellId]) -> list[Look]:
    """The look of each cell: a variant has the same one in every figure, if each variant occurs once."""
    parents = [cell.parent for cell in cells]
    order = list(VARIANTS)
    if len(set(parents)) == len(parents) and set(parents) <= set(order):
        return [_look(order.index(parent)) for parent in parents]
    return [_look(position) for position in range(len(cells))]


def _look(position: int) -> Look:
    return Look(
        _COLOURS[position % len(_COLOURS)],
        _LINES[position % len(_LINES)],
        _MARKERS[position % len(_MARKERS)],
    )


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw with the common style instead of the caller's."""

    @wraps(draw)
    def inner(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context(RC):
            return draw(*args, **kwargs)

    return inner


class NotebookFigure(Figure):
    """A figure that a notebook shows without pyplot and its settings."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """PNG, and the width in pixels at which a notebook shows it."""
        return to_bytes(self, "png"), {"width": round(self.get_figwidth() * 120)}


def new_figure(height: float) -> Figure:
    """An empty figure of the common width.

    Args:
      height: in inches.

    Raises:
      ValueError: it exceeds `TALLEST`.
    """
    if height > TALLEST:
        raise ValueError("too many variants for one figure: select some by --variants, --recipe or --dataset")
    return NotebookFigure(figsize=(WIDTH, height), layout="constrained")


def panels(count: int, height: float, columns: int = 2, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of small panels, row by row. height: inches of a row."""
    columns = min(columns, count)
    rows = -(-count // columns)
    fig = new_figure(height * rows + 0.5)
    axes = fig.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[count:]:
        spare.remove()
    return fig, list(axes[:count])


def plain_log(axis: Axis, steps: Sequence[int] = (1, 2, 5)) -> None:
    """Plain tick labels instead of powers on a logarithmic axis; steps: labels of each decade."""
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_rows(ax: Axes, names: Sequence[str], below: float = 0.6, above: float = 0.6) -> None:
    """Name the rows of a chart whose i-th row is at y = -i."""
    ax.yaxis.set_major_locator(FixedLocator([-float(i) for i in range(len(names))]))
    ax.yaxis.set_major_formatter(FixedFormatter(list(names)))
    ax.set_ylim(-len(names) + 1 - below, above)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def add_caption(fig: Figure, *lines: str) -> Figure:
    """Text below the figure, at the left; empty lines are left out."""
    fig.supxlabel("\n".join(filter(None, lines)), x=0.01, ha="left", fontsize=7, color="#444444", wrap=True)
    return fig


def figure_format(path: str | Path) -> str:
    """The format given by the suffix of a file name: "png", "svg" or "pdf".

    Raises:
      ValueError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FIGURE_SUFFIXES:
        raise ValueError(f"{path}: the name of a figure ends in {', '.join(FIGURE_SUFFIXES)}")
    return suffix[1:]


def to_bytes(fig: Figure, format: str) -> bytes:
    """A figure as "png" (200 dots per inch), "svg" or "pdf"; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[format]
    with mpl.rc_context(RC):
        fig.savefig(buffer, format=format, dpi=200, metadata=undated)
    return buffer.getvalue()
