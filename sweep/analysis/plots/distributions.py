"""Plots of the misses after the last epoch: raincloud, ecdf, histogram, running."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.names import SplitName
from sweep.analysis.plots.common import (
    Mark,
    about,
    clustered,
    letter_width,
    letters,
    marks,
    names,
    trained_runs,
)
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
from sweep.analysis.selection import Selection

POINTS = 400  # runs drawn one by one, per variant; all of them count in boxes, densities and curves
DENSITY_MINIMUM = 20  # runs below which a density would show its kernel, not the data
LEGEND = 60  # letters that fit across a figure beside the lines of a legend
KERNEL_TAIL = 3  # kernel widths that a density extends beyond the data


@styled
def raincloud(data: Selection, *, split: SplitName = "test", numbers: str | None = None) -> Figure:
    """The misses of every seed: density, box, points; diamonds are published numbers."""
    runs, known = trained_runs(data), published_numbers(numbers)
    dense = any(r.n >= DENSITY_MINIMUM for r in runs)
    fig = new_figure((0.8 if dense else 0.6) * len(runs) + 1.1)
    ax = fig.subplots()
    rng, width = np.random.default_rng(1989), letter_width(runs, split, known)
    for i, (r, look) in enumerate(zip(runs, looks([r.cell for r in runs]), strict=True)):
        at, x = -float(i), r.misses(split)
        _density(ax, x, at + 0.08, look.colour)
        ax.boxplot(
            x,
            positions=[at - 0.04],
            widths=0.13,
            whis=(0, 100),  # from the smallest to the largest, so that no point lies beyond
            orientation="horizontal",
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black"},
        )
        points = x[:POINTS]
        heights = at - 0.23 + 0.07 * rng.uniform(-1, 1, len(points))
        ax.scatter(points, heights, s=6, color=look.colour, lw=0, alpha=0.7)
        _diamonds(ax, marks(r, split, known), at + 0.22, width)
    label_rows(ax, names([r.cell for r in runs]), below=0.45, above=0.75 if dense else 0.6)
    ax.set_xlabel(f"{split} misses after the last epoch")
    cut = f"Points: the first {POINTS} seeds." if max(r.n for r in runs) > POINTS else ""
    style = "Filled diamond: same digits."
    box = "Box: quartiles; whiskers: smallest and largest."
    if any(r.n < DENSITY_MINIMUM for r in runs):
        box += f" A density is drawn from {DENSITY_MINIMUM} seeds on."
    return add_caption(fig, f"{about(runs)} {box} {cut}", letters(runs, split, known, style))


def _density(ax: Axes, x: np.ndarray, base: float, colour: str) -> None:
    if len(x) < DENSITY_MINIMUM or np.ptp(x) == 0:
        return
    kernel = stats.gaussian_kde(x)
    tail = KERNEL_TAIL * float(np.sqrt(kernel.covariance[0, 0]))
    grid = np.linspace(x.min() - tail, x.max() + tail, 300)
    density = kernel(grid)
    ax.fill_between(grid, base, base + 0.4 * density / density.max(), color=colour, alpha=0.4, lw=0)


def _diamonds(ax: Axes, published: list[Mark], height: float, width: float) -> None:
    """Published numbers as diamonds with their letters above; `width` of a letter in misses."""
    for text, at, group in clustered(published, tolerance=width):
        for mark in group:
            face = "black" if mark.same_digits else "white"
            ax.plot(mark.misses, height, "D", ms=5, mec="black", mfc=face, mew=0.9, zorder=5)
        ax.text(at, height + 0.1, text, fontsize=SMALL, ha="center", va="bottom")


@styled
def ecdf(data: Selection, *, split: SplitName = "test", numbers: str | None = None) -> Figure:
    """Cumulative share of seeds by misses; diamonds are published numbers on their variant's line."""
    runs, known = trained_runs(data), published_numbers(numbers)
    cells, width = [r.cell for r in runs], letter_width(runs, split, known)
    labels = names(cells)
    columns = max(1, LEGEND // max(map(len, labels)))
    fig = new_figure(3.5 + 0.23 * math.ceil(len(labels) / columns))
    ax = fig.subplots()
    for r, name, look in zip(runs, labels, looks(cells), strict=True):
        values, counts = np.unique(r.misses(split), return_counts=True)
        share = np.cumsum(counts) / r.total  # diverged runs have no finite number of misses
        x, y = np.append(values[0], values), np.append(0, share)
        ax.step(x, y, where="post", color=look.colour, ls=look.line, label=name)
        for text, at, group in clustered(marks(r, split, known), tolerance=width):
            heights = [float(np.mean(r.all_misses(split) <= mark.misses)) for mark in group]
            for mark, height in zip(group, heights, strict=True):
                face = look.colour if mark.same_digits else "white"
                ax.plot(mark.misses, height, "D", ms=5, mec=look.colour, mfc=face, mew=1.1, zorder=5)
            ax.annotate(
                text,
                (at, max(heights)),
                xytext=(-3, 4),
                textcoords="offset points",
                color=look.colour,
                ha="right" if max(heights) < 1 else "center",
                fontsize=SMALL,
                path_effects=[withStroke(linewidth=2, foreground="white")],
                zorder=6,
            )
    ax.set_xlabel(f"{split} misses after the last epoch")
    ax.set_ylabel("cumulative share of seeds")
    ax.set_ylim(0, 1.08)
    fig.legend(loc="outside upper center", ncols=columns)
    style = "Filled diamond: same digits."
    return add_caption(fig, about(runs), letters(runs, split, known, style))


@styled
def histogram(data: Selection, *, split: SplitName = "test") -> Figure:
    """Misses of the seeds and two normal distributions with their mean."""
    runs = trained_runs(data, 2)
    fig, axes = panels(len(runs), 1.75, sharex=True, sharey=True)
    cells = [r.cell for r in runs]
    bins = whole_bins([r.misses(split) for r in runs])
    for ax, r, name, look in zip(axes, runs, names(cells), looks(cells), strict=True):
        x, mean = r.misses(split), float(np.mean(r.misses(split)))
        ax.hist(x, bins=bins, weights=np.full(len(x), 1 / len(x)), color=look.colour, alpha=0.55)
        grid = np.linspace(bins[0], bins[-1], 400)
        binomial = np.sqrt(st.binomial_variance(mean, r.sizes[split]))
        for spread, line, label in ((binomial, "-", "binomial sd"), (st.sd(x), "--", "sd of the seeds")):
            if spread > 0:
                curve = stats.norm.pdf(grid, mean, spread) * (bins[1] - bins[0])
                ax.plot(grid, curve, color="black", ls=line, lw=1, label=label)
        ax.set_title(f"{name}\nmean {mean:.1f}, sd {st.sd(x):.1f}")
    for ax in axes[-2:]:
        ax.set_xlabel(f"{split} misses")
        ax.tick_params(labelbottom=True)
    for ax in axes[::2]:
        ax.set_ylabel("share of seeds")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return add_caption(fig, f"Curves: normal distributions with the mean of the seeds. {about(runs)}")


def whole_bins(samples: list[np.ndarray]) -> list[float]:
    """Common bin edges between whole numbers; the width is the smallest that Freedman and Diaconis give."""
    widths = [2 * float(np.subtract(*np.quantile(x, [0.75, 0.25]))) / len(x) ** (1 / 3) for x in samples]
    step = max(1, round(min(widths)))
    low, high = min(x.min() for x in samples), max(x.max() for x in samples)
    return [float(edge) for edge in np.arange(low - 0.5, high + 0.5 + step, step)]


@styled
def running(data: Selection, *, split: SplitName = "test") -> Figure:
    """Mean and interval of the first n seeds, less the mean of all."""
    runs = trained_runs(data, 3)
    fig, axes = panels(len(runs), 1.75, sharex=True, sharey=True)
    cells = [r.cell for r in runs]
    for ax, r, name, look in zip(axes, runs, names(cells), looks(cells), strict=True):
        x = r.misses(split)
        n = np.arange(1, r.n + 1)
        mean = np.cumsum(x) / n
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.maximum(np.cumsum(x**2) - n * mean**2, 0) / (n - 1)
            half = stats.t.ppf(1 - st.ALPHA / 2, n - 1) * np.sqrt(variance / n)
        centred, from_third = mean - mean[-1], slice(2, None)
        ax.fill_between(
            n[from_third],
            (centred - half)[from_third],
            (centred + half)[from_third],
            color=look.colour,
            alpha=0.25,
            lw=0,
        )
        ax.plot(n, centred, color=look.colour)
        ax.axhline(0, color=GREY, lw=0.7, ls="--")
        ax.set_title(f"{name}\nmean {mean[-1]:.1f}")
    limit = 3 * max(st.sd(r.misses(split)) for r in runs)
    axes[0].set_ylim(-limit or -1, limit or 1)
    axes[0].set_xscale("log")
    plain_log(axes[0].xaxis, steps=(1, 3) if max(r.n for r in runs) >= 100 else (1, 2, 5))
    for ax in axes[-2:]:
        ax.set_xlabel("number of seeds")
        ax.tick_params(labelbottom=True)
    for ax in axes[::2]:
        ax.set_ylabel("difference, misses")
    note = f"Mean {split} misses of the first n seeds less the mean of all; band: 95 % t interval from n = 3."
    return add_caption(fig, note, about(runs))


def integer_axis(ax: Axes) -> None:
    """Whole numbers on the vertical axis."""
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
