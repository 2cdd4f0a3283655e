"""Plot `reproductions`: every published number against the distribution over seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sweep.analysis.names import SplitName
from sweep.analysis.plots.common import about, trained_runs
from sweep.analysis.plots.common import names as cell_names
from sweep.analysis.plots.style import GREY, SMALL, Look, add_caption, label_rows, looks, new_figure, styled
from sweep.analysis.published import PublishedNumber, numbers_for, published_numbers
from sweep.analysis.runs import Runs
from sweep.analysis.selection import Selection
from sweep.analysis.tables.placement import placement_columns

POINTS = 400  # seeds drawn one by one, per variant
ROW = 0.205  # inches


@styled
def reproductions(data: Selection, *, split: SplitName = "test", numbers: str | None = None) -> Figure:
    """One block per variant: its seeds, their prediction interval, and one row per published number."""
    known = published_numbers(numbers)
    blocks = [(r, numbers_for(r, split, known)) for r in trained_runs(data)]
    blocks = [(r, fitting) for r, fitting in blocks if fitting]
    if not blocks:
        raise ValueError("no published number fits these runs")
    rows = sum(1 + len(fitting) for _, fitting in blocks)
    fig = new_figure(ROW * rows + 1.3)
    ax = fig.subplots()
    at, labels = 0, []
    cells = [r.cell for r, _ in blocks]
    for (r, fitting), name, look in zip(blocks, cell_names(cells), looks(cells), strict=True):
        _block(ax, r, fitting, split, at, look)
        labels += [f"{name}, {r.n} seeds", *(n.source.name for n in fitting)]
        at += 1 + len(fitting)
    label_rows(ax, labels)
    ax.set_xlabel(f"{split} misses after the last epoch")
    handles = [
        Line2D([], [], marker="o", ls="", ms=3, color=GREY, label="one seed"),
        Patch(color=GREY, alpha=0.25, lw=0, label="95 % interval, new seed"),
        Line2D([], [], marker="D", ls="", ms=5, color="black", label="same digits"),
        Line2D([], [], marker="D", ls="", ms=5, color="black", mfc="white", label="other digits"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=1, handletextpad=0.4)
    note = "Diamonds: published numbers, one seed each; in brackets the share of our seeds that miss fewer."
    return add_caption(fig, note, about([r for r, _ in blocks]))


def _block(
    ax: Axes, runs: Runs, numbers: Sequence[PublishedNumber], split: SplitName, at: int, look: Look
) -> None:
    """Rows at to at + len(numbers): the seeds, then the numbers."""
    x = runs.misses(split)
    row = placement_columns(runs, split, float(np.mean(x)))
    bottom = -(at + len(numbers)) - 0.4
    if not np.isnan(row["pred_lo"]):
        span = [max(0.0, row["pred_lo"]), row["pred_hi"]]
        ax.fill_between(span, bottom, -at + 0.4, color=look.colour, alpha=0.16, lw=0)
    ax.plot([row["mean"], row["mean"]], [bottom, -at + 0.4], color=look.colour, lw=1)
    jitter = np.random.default_rng(1989).uniform(-0.25, 0.25, min(len(x), POINTS))
    ax.scatter(x[:POINTS], -at + jitter, s=5, color=look.colour, lw=0, alpha=0.7)
    for i, number in enumerate(numbers, start=at + 1):
        same = number.same_digits(runs.cell) == "yes"
        ax.plot(number.misses, -i, "D", ms=4.5, mec="black", mfc="black" if same else "white", mew=0.9)
        below = placement_columns(runs, split, number.misses)["percentile"]
        share = "" if np.isnan(below) else f" ({below:.0f} %)"
        text = f"{number.misses}{share}"
        ax.text(1.02, -i, text, transform=ax.get_yaxis_transform(), va="center", fontsize=SMALL)
