"""Plots of differences between variants (forest, scatter) and of one number among the seeds (place)."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sweep.analysis import statistics as st
from sweep.analysis.names import Family, SplitName
from sweep.analysis.plots.common import about
from sweep.analysis.plots.distributions import integer_axis, whole_bins
from sweep.analysis.plots.style import GREY, PALE, add_caption, label_rows, looks, new_figure, panels, styled
from sweep.analysis.runs import Runs
from sweep.analysis.selection import Selection
from sweep.analysis.tables.pairs import MARGIN, matched, pairs


@styled
def forest(
    data: Selection, *, split: SplitName = "test", family: Family = "steps", margin: float = MARGIN
) -> Figure:
    """The difference of every pair with its interval."""
    table = pairs(data.runs(), split=split, family=family, margin=margin)
    fig = new_figure(0.42 * len(table) + 1.2)
    ax = fig.subplots()
    ax.axvspan(-margin, margin, color="#e8e8e8", lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    for i, row in enumerate(table.to_dict("records")):
        significant = row["p_holm"] < st.ALPHA
        ax.plot([row["ci_lo"], row["ci_hi"]], [-i, -i], color="black", lw=1.2)
        ax.plot(row["diff"], -i, "o", color="black", mfc="black" if significant else "white", ms=6)
    several = table["dataset"].nunique() > 1
    label_rows(
        ax,
        [
            f"{row['a']} → {row['b']}" + (f"\n{row['dataset']}" if several else "")
            for row in table.to_dict("records")
        ],
    )
    ax.set_xlabel(f"change in {split} misses (95 % interval)")
    note = (
        f"Below 0: the change reduces misses. Filled: p < {st.ALPHA} after Holm over {len(table)} comparisons. "
        f"Shaded: within ±{margin:g} misses."
    )
    return add_caption(fig, note, about(data.runs()))


@styled
def scatter(data: Selection, *, split: SplitName = "test") -> Figure:
    """Misses of the same seed before and after each change."""
    runs = {r.cell.key: r for r in data.runs()}
    table = pairs(list(runs.values()), split=split)
    by_name = {(r.cell.variant, r.cell.dataset_digest): r for r in runs.values()}
    steps = [
        (by_name[row["a"], row["dataset_digest"]], by_name[row["b"], row["dataset_digest"]], row["r"])
        for row in table.to_dict("records")
        if row["design"] == "paired"
    ]
    if not steps:
        raise ValueError("no two variants share seeds: there are no pairs to plot")
    fig, axes = panels(len(steps), 2.7)
    for ax, (a, b, r) in zip(axes, steps, strict=True):
        x, y = matched(a, b, split)
        colour = looks([a.cell, b.cell])[1].colour
        ax.scatter(x, y, s=9, color=colour, alpha=0.6, lw=0, rasterized=len(x) > 2000)
        ends = np.array([min(x.min(), y.min()) - 2, max(x.max(), y.max()) + 2])
        ax.plot(ends, ends, color=GREY, lw=0.8, ls="--")
        ax.set(xlim=ends, ylim=ends, aspect="equal")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.set_title(f"{len(x)} pairs, r = {r:.2f}" if not np.isnan(r) else f"{len(x)} pairs")
        ax.set_xlabel(a.cell.variant)
        ax.set_ylabel(b.cell.variant)
    shown = {r.cell: r for a, b, _ in steps for r in (a, b)}
    note = (
        f"{split.capitalize()} misses, one point per seed; below the dashed line the change reduces misses."
    )
    return add_caption(fig, note, about(list(shown.values())))


@styled
def place(runs: Runs, split: SplitName, misses: int) -> Figure:
    """One number among the seeds of a variant."""
    fig = new_figure(2.9)
    ax = fig.subplots()
    x = runs.misses(split)
    placed = st.place(x, misses, runs.sizes[split], len(runs.diverged))
    colour = looks([runs.cell])[0].colour
    ax.hist(x, bins=whole_bins([x]), color=colour, alpha=0.55, label=f"{runs.n} seeds of {runs.cell.variant}")
    if not np.isnan(placed.predicted_lo):
        low = max(0.0, placed.predicted_lo)
        ax.axvspan(low, placed.predicted_hi, color=PALE, alpha=0.5, lw=0, zorder=0)
        ax.axvspan(
            low, placed.predicted_hi, fill=False, ec=GREY, ls="--", lw=0.8, label="new seed, 95 % interval"
        )
    ax.axvline(misses, color="black", lw=2, label=f"this run: {misses}")
    ax.set_xlabel(f"{split} misses")
    ax.set_ylabel("seeds")
    integer_axis(ax)
    fig.legend(loc="outside upper center", ncols=3)
    return add_caption(fig, about([runs]))
