"""Plot `overview`: effects of seed, order and digits beside those of the changes, and the published numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.plots.common import Mark, about, clustered, letters, marks, trained_runs
from sweep.analysis.plots.style import GREY, SMALL, add_caption, label_rows, looks, new_figure, styled
from sweep.analysis.published import PublishedNumber, published_numbers
from sweep.analysis.runs import Runs
from sweep.analysis.selection import Selection
from sweep.analysis.tables.pairs import pairs
from sweep.analysis.tables.placement import placement_columns
from sweep.analysis.tables.sources import ALL
from sweep.analysis.tables.sources import sources as sources_table

LABELS = {"init": "other initial weights", "order": "other order", "draw": "other digits", ALL: "all three"}
ROW = 0.27  # inches


class Spread(NamedTuple):
    """A standard deviation with its interval."""

    label: str
    sd: float
    low: float
    high: float


@styled
def overview(data: Selection, *, split: SplitName = "test", numbers: str | None = None) -> Figure:
    """Spread of the misses by source and effect of each change; below, published numbers beside the seeds.

    The changes are those of the first data set and recipe. The recipe `paper` is added to the published numbers.
    """
    known = published_numbers(numbers)
    runs = trained_runs(data, 2)
    plain = [r for r in runs if not r.cell.overrides and "," not in r.cell.dataset]
    if not plain:
        raise ValueError("overview needs two runs of a variant without overrides")
    first = plain[0].cell
    main = [r for r in plain if (r.cell.recipe, r.cell.dataset) == (first.recipe, first.dataset)]
    paper = [r for r in plain if r.cell.recipe == "paper" and r not in main]
    placed = [(r, found) for r in [*main, *paper] if (found := _marks(r, split, known))]
    spreads = _spreads(runs, main[0], split)
    steps = pairs(main, split=split).to_dict("records") if len(main) > 1 else []
    if not placed:
        raise ValueError("no published number fits these runs")
    heights = [len(spreads) + len(steps) + 0.5, len(placed) + 0.8]
    fig = new_figure(ROW * sum(heights) + 1.75)
    top, bottom = fig.subplots(2, height_ratios=heights, sharex=True)
    _effects(top, spreads, steps)
    _published(bottom, placed, split)
    bottom.set_xlabel(f"{split} misses, difference")
    handles = [
        Patch(color="#56B4E9", alpha=0.6, lw=0, label="±1 sd"),
        Line2D([], [], color="black", marker="o", ms=4, lw=1.2, label="change of the mean, 95 % interval"),
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=2)
    note = (
        "Top: bars are ±1 standard deviation over one source, the others fixed; the lines at their ends are its "
        "95 % interval. Bottom: published numbers less the mean of our seeds; bars: 95 % prediction interval for a "
        "new seed (dark), and for a new seed and test set (light). Filled diamond: same digits."
    )
    shown = [r for r, _ in placed]
    drawn = {mark.letter for _, found in placed for mark in found}
    drawn_numbers = [number for number in known if number.source.letter in drawn]
    return add_caption(fig, note, letters(shown, split, drawn_numbers, ""), about(shown))


def _marks(r: Runs, split: SplitName, known: Sequence[PublishedNumber]) -> list[Mark]:
    """Published numbers from digits of the same kind."""
    return marks(r, split, [number for number in known if number.dataset in ("", r.cell.dataset)])


def _spreads(runs: Sequence[Runs], base: Runs, split: SplitName) -> list[Spread]:
    """Sd of the seeds, and of the sources of a crossed design of the same variant if there is one."""
    x = base.misses(split)
    interval = st.sd_interval(x)
    seeds = Spread(f"other seed ({base.n} seeds)", st.sd(x), interval.lo, interval.hi)
    same = [r for r in runs if r.cell.parent == base.cell.parent and r.cell.recipe == base.cell.recipe]
    try:
        table = sources_table(same, split=split)
    except ValueError:  # no sources are crossed
        return [seeds]
    wanted = table[table["source"].isin(list(LABELS))]
    return [
        seeds,
        *(
            Spread(LABELS[row["source"]], row["total_sd"], row["total_lo"], row["total_hi"])
            for row in wanted.to_dict("records")
        ),
    ]


def _effects(ax: Axes, spreads: Sequence[Spread], steps: Sequence[Mapping[Any, Any]]) -> None:
    ax.axvspan(-spreads[0].sd, spreads[0].sd, color="#eeeeee", lw=0, zorder=0)
    for i, spread in enumerate(spreads):
        ax.barh(-i, 2 * spread.sd, 0.55, left=-spread.sd, color="#56B4E9", alpha=0.6)
        for sign in (-1, 1):
            ax.plot([sign * spread.low, sign * spread.high], [-i, -i], color="black", lw=1)
        ax.text(spread.high + 1, -i, f"{spread.sd:.1f}", va="center", fontsize=SMALL)
    for i, row in enumerate(steps, start=len(spreads)):
        ax.plot([row["ci_lo"], row["ci_hi"]], [-i, -i], color="black", lw=1.2)
        ax.plot(row["diff"], -i, "o", color="black", ms=4)
        ax.text(float(row["ci_hi"]) + 1, -i, f"{row['diff']:+.1f}", va="center", fontsize=SMALL)
    ax.axvline(0, color=GREY, lw=0.8)
    label_rows(ax, [*(s.label for s in spreads), *(f"{row['a']} → {row['b']}" for row in steps)])
    ax.tick_params(labelbottom=True)


def _published(ax: Axes, placed: Sequence[tuple[Runs, list[Mark]]], split: SplitName) -> None:
    runs = [r for r, _ in placed]
    for i, ((r, found), look) in enumerate(zip(placed, looks([r.cell for r in runs]), strict=True)):
        mean = float(np.mean(r.misses(split)))
        row = placement_columns(r, split, mean)
        for low, high, alpha in (("newdata_lo", "newdata_hi", 0.2), ("pred_lo", "pred_hi", 0.35)):
            ax.barh(-i, row[high] - row[low], 0.6, left=row[low] - mean, color=look.colour, alpha=alpha, lw=0)
        for text, at, group in clustered(found, tolerance=2.5):
            for mark in group:
                face = "black" if mark.same_digits else "white"
                ax.plot(mark.misses - mean, -i, "D", ms=4.5, mec="black", mfc=face, mew=0.9)
            ax.text(at - mean, -i + 0.28, text, ha="center", va="bottom", fontsize=SMALL)
    ax.axvline(0, color=GREY, lw=0.8)
    label_rows(ax, [f"{r.cell.variant}, mean {np.mean(r.misses(split)):.1f}" for r in runs], above=0.9)
