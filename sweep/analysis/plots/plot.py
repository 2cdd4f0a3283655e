"""Plots by name: for the command line and notebooks.

A plot is a function from a `Selection` and keyword options to a Matplotlib figure. Its keyword parameters are
the options that it accepts.
"""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from model.names import nearest
from sweep.analysis.names import check_options
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.plots.style import add_caption
from sweep.analysis.selection import Filters, Selection
from sweep.store.reference import Reference
from sweep.store.store import Store


def load_plot(name: str) -> Callable[..., Figure]:
    """A plot of the registry by name.

    Raises:
      ValueError: unknown plot, with the nearest name.
    """
    if name not in PLOTS:
        raise ValueError(f"unknown plot {name!r}{nearest(name, PLOTS)}")
    draw: Callable[..., Figure] = PLOTS[name].load()
    return draw


def make_plot(
    store: Store | Reference, name: str, *, manual_dir: str | None = None, **options: Any
) -> Figure:
    """A plot of `registry.PLOTS` over the finished runs of a store.

    Args:
      store: a root, or a reference distribution.
      name: of the plot.
      manual_dir: folder of original data files, for plots that need true labels or images.
      options: filters (`selection.Filters`) and options of the plot, such as split.

    Raises:
      ValueError: unknown plot, option or name (with the nearest), or too few runs.
      StoreError, data.DataUnavailable: the plot needs digits that are not available here.
    """
    filters, mine = Filters.split(options)
    draw = load_plot(name)
    check_options("plot", name, draw, mine)
    figure = draw(Selection(store, filters, manual_dir), **mine)
    return add_caption(figure, figure.get_supxlabel(), store.note) if isinstance(store, Reference) else figure
