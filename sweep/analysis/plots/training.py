"""Plots over epochs: curves, heatmap, best-epoch."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from sweep.analysis.history import MISSES, History
from sweep.analysis.names import SplitName
from sweep.analysis.plots.common import about, names, trained_runs
from sweep.analysis.plots.style import (
    GREY,
    PALE,
    SMALL,
    add_caption,
    label_rows,
    looks,
    new_figure,
    panels,
    plain_log,
    styled,
)
from sweep.analysis.runs import rows_of
from sweep.analysis.selection import Selection
from sweep.analysis.tables.curve import curve
from sweep.analysis.tables.summary import summary

ROWS = 400  # seeds of a heat map


@styled
def curves(data: Selection, *, split: SplitName = "test") -> Figure:
    """Error after every epoch: median and bands over seeds; the other split's median dashed."""
    runs = trained_runs(data)
    other: SplitName = "train" if split == "test" else "test"
    histories = list(data.histories("test_misses", "train_misses", "test_loss", "train_loss"))
    shown, beside = (curve(histories, runs, split=s) for s in (split, other))
    fig, axes = panels(len(runs), 1.75, sharey=True)
    cells = [r.cell for r in runs]
    for ax, r, name, look in zip(axes, runs, names(cells), looks(cells), strict=True):
        c, t = rows_of(shown, r.cell), rows_of(beside, r.cell)
        share, share_other = 100 / r.sizes[split], 100 / r.sizes[other]
        ax.fill_between(c["epoch"], share * c["q05"], share * c["q95"], color=look.colour, alpha=0.18, lw=0)
        ax.fill_between(c["epoch"], share * c["q25"], share * c["q75"], color=look.colour, alpha=0.4, lw=0)
        ax.plot(c["epoch"], share * c["q50"], color=look.colour)
        positive = t["q50"] > 0  # zero misses have no logarithm
        ax.plot(t["epoch"][positive], share_other * t["q50"][positive], color=look.colour, ls="--", lw=1)
        ax.set_yscale("log")
        ax.set_title(name)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        plain_log(ax.yaxis)
    lowest = min(100 / r.sizes[split] * float(rows_of(shown, r.cell)["q05"].min()) for r in runs)
    if lowest > 0:
        axes[0].set_ylim(bottom=0.7 * lowest)
    for ax in axes[-2:]:
        ax.set_xlabel("epoch")
    for ax in axes[::2]:
        ax.set_ylabel("error, %")
    handles = [
        Line2D([], [], color=GREY, label=f"{split}: median"),
        Patch(color=GREY, alpha=0.5, lw=0, label="25–75 % of seeds"),
        Patch(color=GREY, alpha=0.2, lw=0, label="5–95 %"),
        Line2D([], [], color=GREY, ls="--", lw=1, label=f"{other}: median"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=1.6)
    note = f"The axis fits the {split} error; the {other} error may fall below it."
    return add_caption(fig, f"{note} {about(runs)}")


@styled
def heatmap(data: Selection, *, split: SplitName = "test") -> Figure:
    """Misses of every seed at every epoch, one row per seed in the order of the final misses."""
    histories = list(data.histories(MISSES[split]))
    histories = [h for h in histories if h.finished.any()]
    if not histories:
        raise ValueError("every run diverged: there is nothing to plot")
    colours = mpl.colormaps["viridis"].with_extremes(bad=PALE)
    fig, axes = panels(len(histories), 2.0)
    cells = [h.cell for h in histories]
    for ax, h, name in zip(axes, histories, names(cells), strict=True):
        values = _sorted_rows(h.misses(split)[:ROWS])
        image = ax.imshow(
            values,
            aspect="auto",
            norm=_scale(values),
            cmap=colours,
            extent=(0.5, h.epochs + 0.5, len(values), 0),
            interpolation="nearest",
        )
        bar = fig.colorbar(image, ax=ax, extend="max", pad=0.02)
        bar.ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        _label_by_misses(ax, values[:, -1])
        ax.set_title(name)
        ax.grid(False)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for ax in axes[-2:]:
        ax.set_xlabel("epoch")
    for ax in axes[::2]:
        ax.set_ylabel("final misses of the seed")
    if any(not h.finished.all() for h in histories):
        fig.legend(handles=[Patch(color=PALE, label="diverged")], loc="outside upper right")
    scale = f"Colour: {split} misses; each panel's scale fits the second half of its epochs."
    cut = f" The first {ROWS} seeds." if max(len(h.seeds) for h in histories) > ROWS else ""
    return add_caption(
        fig, f"One row per seed, sorted by final misses.{cut}", f"{scale} {about(data.runs())}"
    )


def _sorted_rows(misses: np.ndarray) -> np.ndarray:
    """Rows by their last value; diverged ones last."""
    last = np.where(np.isnan(misses[:, -1]), np.inf, misses[:, -1])
    return misses[np.argsort(last, kind="stable")]


def _scale(values: np.ndarray) -> Normalize:
    """Colours from the smallest value to the 98 % quantile of the second half of the epochs."""
    late = values[:, values.shape[1] // 2 :]
    low, high = float(np.nanmin(values)), float(np.nanquantile(late, 0.98))
    return Normalize(low, max(high, low + 1))


def _label_by_misses(ax: Axes, final: np.ndarray) -> None:
    """Vertical ticks at a few seeds, labelled with their final misses."""
    at = np.unique(np.linspace(0, len(final) - 1, 5).round().astype(int))
    ax.yaxis.set_major_locator(FixedLocator([float(i) + 0.5 for i in at]))
    ax.yaxis.set_major_formatter(
        FixedFormatter(["diverged" if np.isnan(final[i]) else f"{final[i]:.0f}" for i in at])
    )


@styled
def best_epoch(data: Selection, *, split: SplitName = "test") -> Figure:
    """Mean misses at the last epoch and at each run's best epoch: the bias of choosing it on the test digits."""
    histories: list[History] = list(data.histories(MISSES[split]))
    runs = trained_runs(data)
    table = summary(runs, histories=histories, split=split).dropna(subset=["own_best_mean"])
    if table.empty:
        raise ValueError("this plot needs runs of two epochs or more")
    fig = new_figure(0.42 * len(table) + 1.3)
    ax = fig.subplots()
    cells = [r.cell for r in runs if len(rows_of(table, r.cell))]
    for i, (row, look) in enumerate(zip(table.to_dict("records"), looks(cells), strict=True)):
        ax.plot([row["own_best_mean"], row["mean"]], [-i, -i], color=look.colour, lw=2, zorder=1)
        ax.plot(row["own_best_mean"], -i, "o", mfc="white", color=look.colour, ms=6)
        ax.plot(row["mean"], -i, "o", color=look.colour, ms=6)
        ax.text(row["mean"], -i + 0.16, f"{row['optimism_mean']:.1f}", fontsize=SMALL, ha="center")
    label_rows(ax, names(cells), above=0.7)
    ax.margins(x=0.08)
    ax.set_xlabel(f"mean {split} misses")
    handles = [
        Line2D([], [], marker="o", ls="", color="black", label="last epoch"),
        Line2D([], [], marker="o", ls="", color="black", mfc="white", label="each run's best epoch"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=2)
    return add_caption(fig, f"Numbers: the difference, a selection bias. {about(runs)}")
