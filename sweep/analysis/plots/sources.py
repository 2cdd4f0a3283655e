"""Plots of sources of variance and of scaling: sources, luck, early, classes, scaling."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from sweep.analysis.history import MISSES
from sweep.analysis.names import SplitName
from sweep.analysis.plots.common import about, about_labels, clustered, letters, marks, names, trained_runs
from sweep.analysis.plots.style import (
    GREY,
    SMALL,
    add_caption,
    label_rows,
    looks,
    new_figure,
    panels,
    plain_log,
    styled,
)
from sweep.analysis.published import published_numbers
from sweep.analysis.runs import Runs, rows_of
from sweep.analysis.selection import Selection
from sweep.analysis.tables.classes import classes as classes_table
from sweep.analysis.tables.early import early as early_table
from sweep.analysis.tables.luck import luck as luck_table
from sweep.analysis.tables.scaling import fit_power_law, size_groups
from sweep.analysis.tables.sources import ALL
from sweep.analysis.tables.sources import sources as sources_table


@styled
def sources(data: Selection, *, split: SplitName = "test") -> Figure:
    """Variance component of every source and interaction, with its interval."""
    table = sources_table(data.runs(), split=split)
    table = table[table["source"] != ALL]
    groups = [rows for _, rows in table.groupby(["variant", "dataset", "n_train", "n"], sort=False)]
    fig = new_figure(sum(0.28 * len(rows) + 0.6 for rows in groups) + 0.8)
    axes = fig.subplots(len(groups), squeeze=False, height_ratios=[len(rows) + 1 for rows in groups])[:, 0]
    for ax, rows in zip(axes, groups, strict=True):
        at, found = -np.arange(len(rows), dtype=float), rows["variance"].to_numpy()
        ax.barh(at, found, 0.6, color="#56B4E9")
        reach = np.stack([found - rows["var_lo"], rows["var_hi"] - found])
        ax.errorbar(found, at, xerr=np.maximum(reach, 0), fmt="none", ecolor="black", capsize=2, lw=1)
        ax.axvline(0, color="black", lw=0.8)
        least = float(min(rows["var_lo"].min(), found.min(), 0.0))
        ax.set_xlim(1.25 * least, 1.25 * max(rows["var_hi"].quantile(0.75), found.max()))
        label_rows(ax, [f"{row.source} ({row.levels})" for row in rows.itertuples()])
        first = rows.iloc[0]
        ax.set_title(f"{first['variant']} on {first['dataset']}, n = {first['n']:,}", loc="right")
    axes[-1].set_xlabel(f"variance of the {split} misses", loc="right")
    note = "Variance components and 95 % intervals, cut off at the right where they are wide; in brackets: levels."
    sizes = " or ".join(f"{size:,}" for size in dict.fromkeys(table["n_test"]))
    return add_caption(fig, note, f"{', '.join(dict.fromkeys(table['dataset']))}, {sizes} test digits.")


@styled
def luck(data: Selection) -> Figure:
    """Gain of the best of k seeds on the digits by which it was chosen, and on the others."""
    table = luck_table(data.predictions)
    predictions = [p for p in data.predictions if p.n >= 3]
    cells = [p.cell for p in predictions]
    fig, axes = panels(len(cells), 1.7, sharex=True, sharey=True)
    for ax, cell, name, look in zip(axes, cells, names(cells), looks(cells), strict=True):
        mine = rows_of(table, cell)
        ax.plot(
            mine["k"], mine["half_gain"], color=look.colour, marker="o", ms=4, label="chosen on these digits"
        )
        ax.plot(
            mine["k"], mine["half_left"], color=look.colour, marker="o", ms=4, mfc="white", ls="--",
            label="left on the other digits",
        )  # fmt: skip
        ax.axhline(0, color=GREY, lw=0.7)
        ax.set_title(name)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(sorted(set(table["k"]))))
        ax.xaxis.set_major_formatter(FixedFormatter([str(k) for k in sorted(set(table["k"]))]))
        ax.xaxis.set_minor_locator(FixedLocator([]))
    for ax in axes[-2:]:
        ax.set_xlabel("best of k seeds")
        ax.tick_params(labelbottom=True)
    for ax in axes[::2]:
        ax.set_ylabel("gain, misses")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    note = "The seed is chosen on half of the test digits; gains are in misses of the whole test set."
    return add_caption(fig, note, about_labels(predictions))


@styled
def early(data: Selection, *, split: SplitName = "test") -> Figure:
    """Correlation over seeds of the misses at each epoch with those at the last."""
    table = early_table(data.histories(MISSES[split]), split=split)
    runs = [r for r in trained_runs(data, 4) if len(rows_of(table, r.cell))]
    fig, axes = panels(len(runs), 1.6, sharey=True)
    cells = [r.cell for r in runs]
    for ax, cell, name, look in zip(axes, cells, names(cells), looks(cells), strict=True):
        mine = rows_of(table, cell)
        ax.fill_between(mine["epoch"], mine["r_lo"], mine["r_hi"], color=look.colour, alpha=0.25, lw=0)
        ax.plot(mine["epoch"], mine["r"], color=look.colour)
        ax.axhline(0, color=GREY, lw=0.7)
        ax.set_title(name)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes[0].set_ylim(max(-1.0, min(0.0, float(table["r_lo"].min())) - 0.05), 1)
    for ax in axes[-2:]:
        ax.set_xlabel("epoch")
    for ax in axes[::2]:
        ax.set_ylabel("correlation")
    note = f"Correlation over seeds of the {split} misses at each epoch with the final ones; bands: 95 % (Fisher)."
    return add_caption(fig, note, about(runs))


@styled
def classes(data: Selection) -> Figure:
    """Error of each true label, with its interval over seeds."""
    table = classes_table(data.predictions)
    fig = new_figure(3.2)
    ax = fig.subplots()
    cells = [p.cell for p in data.predictions]
    for i, (cell, name, look) in enumerate(zip(cells, names(cells), looks(cells), strict=True)):
        mine = rows_of(table, cell)
        share = 100 / mine["digits"]
        at = mine["true"] + 0.6 * ((i + 0.5) / len(cells) - 0.5)
        reach = np.stack([mine["mean"] - mine["ci_lo"], mine["ci_hi"] - mine["mean"]]) * share.to_numpy()
        ax.errorbar(
            at, mine["mean"] * share, yerr=reach, fmt=look.marker, ms=3.5, lw=1, color=look.colour, label=name
        )
    ax.xaxis.set_major_locator(FixedLocator(range(10)))
    ax.grid(axis="x", visible=False)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("true label")
    ax.set_ylabel("error, %")
    fig.legend(loc="outside upper center", ncols=3)
    return add_caption(
        fig, "Mean error of a run and its 95 % interval over seeds.", about_labels(data.predictions)
    )


@styled
def scaling(data: Selection, *, split: SplitName = "test", numbers: str | None = None) -> Figure:
    """Error against the number of training digits, with the fitted power law."""
    groups = size_groups(trained_runs(data), split)
    if not groups:
        raise ValueError("this plot needs a variant with runs on two numbers of training digits (n_train)")
    known = published_numbers(numbers)
    fig = new_figure(3.8)
    ax = fig.subplots()
    firsts = [group[0].cell for group in groups]
    for group, look in zip(groups, looks(firsts), strict=True):
        law = fit_power_law(group, split)
        sizes = np.array([r.sizes["train"] for r in group], float)
        ends = np.array([sizes.min(), sizes.max()])
        interval = law.exponent_interval
        reach = "" if np.isnan(interval.lo) else f" ({interval.lo:.2f}–{interval.hi:.2f})"
        label = f"{group[0].cell.variant}: exponent {law.exponent:.2f}{reach}"
        ax.plot(ends, [law(n) for n in ends], color=look.colour, ls=look.line, lw=1, label=label)
        for r in group:
            n, m = r.sizes["train"], r.sizes[split]
            errors = 100 * r.misses(split) / m
            low, high = np.quantile(errors, [0.05, 0.95])
            ax.plot([n, n], [low, high], color=look.colour, lw=3, alpha=0.3)
            ax.plot(n, errors.mean(), look.marker, color=look.colour, ms=5)
            near = 0.06 * float(np.mean(r.misses(split)))
            for text, at, group_marks in clustered(marks(r, split, known), tolerance=near):
                for mark in group_marks:
                    face = look.colour if mark.same_digits else "white"
                    ax.plot(n, 100 * mark.misses / m, "D", ms=5, mec="black", mfc=face, zorder=5)
                ax.annotate(
                    text, (n, 100 * at / m), xytext=(-6, 0), textcoords="offset points",
                    ha="right", va="center", fontsize=SMALL,
                )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_log(ax.xaxis)
    plain_log(ax.yaxis, steps=(1, 2, 3, 4, 5, 7))
    ax.set_xlabel("training digits")
    ax.set_ylabel(f"{split} error, %")
    fig.legend(loc="outside upper center", ncols=1)
    runs = [r for group in groups for r in group]
    note = "Markers: means over seeds; bars: 5–95 % of seeds; diamonds: published numbers, one seed each."
    return add_caption(
        fig, note, letters(runs, split, known, "Filled diamond: same digits."), _sizes(groups, split)
    )


def _sizes(groups: Sequence[Sequence[Runs]], split: SplitName) -> str:
    """Seeds of each number of training digits, for the caption."""
    cells = [
        f"{group[0].cell.variant} " + ", ".join(f"{r.n} × {r.sizes['train']:,}" for r in group)
        for group in groups
    ]
    tested = sorted({r.sizes[split] for group in groups for r in group})
    digits = " or ".join(f"{n:,}" for n in tested)
    return f"Seeds × training digits: {'; '.join(cells)}. {digits} {split} digits."
