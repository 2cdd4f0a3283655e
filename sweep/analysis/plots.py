"""The pictures by name. Each takes rows of the store, computes with the tables and gives a Matplotlib figure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator
from scipy import stats

from sweep.analysis import digits as dg
from sweep.analysis import statistics as st
from sweep.analysis.pairs import MARGIN, matched, pairs
from sweep.analysis.placing import comparable
from sweep.analysis.published import PUBLISHED, SOURCES
from sweep.analysis.runs import Runs, Split, all_runs, cells
from sweep.analysis.style import GREY, RC, about, add_caption, look, new_figure, panels, plain_log, save
from sweep.analysis.summary import curve, summary

__all__ = ["PLOTS", "Plot", "place_plot", "save"]

POINTS = 400  # runs drawn one by one, per variant; all of them count in boxes and curves
LETTERS = {"paper": "L", "karpathy": "K", "chang": "C"}


@dataclass(frozen=True)
class Plot:
    """One line of `PLOTS`."""

    make: Callable[..., Figure]  # (epochs, *, split); (labels, truth); or (labels, truth, images)
    about: str
    needs: Literal["last", "every_epoch", "labels", "images"]


def _styled(make: Callable[..., Figure]) -> Callable[..., Figure]:
    """Under the common style, whatever the caller's."""

    @wraps(make)
    def inner(*args: Any, **kwargs: Any) -> Figure:
        with mpl.rc_context(RC):
            return make(*args, **kwargs)

    return inner


def _trained(epochs: pd.DataFrame, least: int = 1) -> list[Runs]:
    runs = [r for r in all_runs(epochs) if r.n >= least]
    if not runs:
        raise ValueError(
            f"this picture needs {least} runs of a variant that did not diverge: train more seeds"
        )
    return runs


def _names(runs: list[Runs]) -> list[str]:
    several = len({r.cell.dataset_digest for r in runs}) > 1
    return [f"{r.cell.variant} · {r.cell.dataset}" if several else r.cell.variant for r in runs]


def _published(runs: Runs, split: Split) -> list[tuple[str, int, bool]]:
    """(letter, misses, whether on the same digits) of each source."""
    if not comparable(runs):
        return []
    return [
        (LETTERS[p.source], p.misses_exact, SOURCES[p.source].same_data.get(runs.cell.dataset) == "yes")
        for p in PUBLISHED
        if (p.variant, p.split) == (runs.cell.parent, split)
    ]


_LEGEND = "L: LeCun 1989, K: Karpathy, C: Chang; "


def _letters(runs: list[Runs], split: Split, style: str) -> str:
    return _LEGEND + style if any(_published(r, split) for r in runs) else ""


@_styled
def curves(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Misses against epoch: median, 25–75 % and 5–95 % of seeds; the other split's median dashed."""
    runs = _trained(epochs)
    other: Split = "train" if split == "test" else "test"
    shown, beside = curve(epochs, split=split), curve(epochs, split=other)
    fig, axes = panels(len(runs), 1.9, sharey=True)
    for i, (ax, r, name) in enumerate(zip(axes, runs, _names(runs), strict=True)):
        colour = look(i).colour
        c, t = _of(shown, r), _of(beside, r)
        share, share_other = 100 / r.sizes[split], 100 / r.sizes[other]
        ax.fill_between(c["epoch"], share * c["q05"], share * c["q95"], color=colour, alpha=0.18, lw=0)
        ax.fill_between(c["epoch"], share * c["q25"], share * c["q75"], color=colour, alpha=0.35, lw=0)
        ax.plot(c["epoch"], share * c["q50"], color=colour, label=f"{split}, median of seeds")
        positive = t["q50"] > 0  # no logarithm of no misses
        ax.plot(
            t["epoch"][positive],
            share_other * t["q50"][positive],
            color=colour,
            ls="--",
            lw=1,
            label=f"{other}, median",
        )
        ax.set_yscale("log")
        ax.set_title(name)
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        plain_log(ax.yaxis)
    for ax in axes[::2]:
        ax.set_ylabel("error, %")
    axes[0].legend(fontsize=7)
    return add_caption(fig, f"Bands: 25–75 % and 5–95 % of seeds at each epoch. {about(runs)}")


def _of(table: pd.DataFrame, runs: Runs) -> pd.DataFrame:
    return table[
        (table["variant_digest"] == runs.cell.variant_digest)
        & (table["dataset_digest"] == runs.cell.dataset_digest)
        & (table["variant"] == runs.cell.variant)
    ]


@_styled
def ecdf(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Share of seeds with at most so many misses; published numbers as verticals."""
    runs = _trained(epochs)
    fig = new_figure(3.6)
    ax = fig.subplots()
    for i, (r, name) in enumerate(zip(runs, _names(runs), strict=True)):
        colour, line, _ = look(i)
        values, counts = np.unique(r.misses(split), return_counts=True)
        share = np.cumsum(counts) / (r.n + len(r.diverged))  # diverged runs never arrive
        x, y = np.append(values[0], values), np.append(0, share)
        ax.step(x, y, where="post", color=colour, ls=line, label=name)
        for letter, y_misses, same in _published(r, split):
            ax.axvline(y_misses, color=colour, ls="-" if same else ":", lw=0.9, alpha=0.8)
            ax.text(
                y_misses,
                1.01,
                letter,
                color=colour,
                ha="center",
                fontsize=7,
                transform=ax.get_xaxis_transform(),
            )
    ax.set_xlabel(f"{split} misses after the last epoch")
    ax.set_ylabel("share of seeds")
    ax.set_ylim(0, 1)
    fig.legend(fontsize=7, loc="outside upper center", ncols=5)
    return add_caption(
        fig, _joined(about(runs), _letters(runs, split, "solid on the same digits, dotted on others."))
    )


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


@_styled
def raincloud(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """The misses of every seed: density, box, points; diamonds are published numbers."""
    runs = _trained(epochs)
    fig = new_figure(0.75 * len(runs) + 1.1)
    ax = fig.subplots()
    rng = np.random.default_rng(1989)
    for i, r in enumerate(runs):
        colour, at, x = look(i).colour, -float(i), r.misses(split)
        if r.n > 2 and np.ptp(x) > 0:
            grid = np.linspace(x.min() - 0.1 * np.ptp(x), x.max() + 0.1 * np.ptp(x), 200)
            density = stats.gaussian_kde(x)(grid)
            ax.fill_between(
                grid, at + 0.1, at + 0.1 + 0.4 * density / density.max(), color=colour, alpha=0.4, lw=0
            )
        points = x[:POINTS]
        ax.scatter(
            points, at - 0.3 + 0.1 * rng.uniform(-1, 1, len(points)), s=5, color=colour, lw=0, alpha=0.7
        )
        ax.boxplot(
            x,
            positions=[at - 0.06],
            widths=0.14,
            orientation="horizontal",
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": "black"},
        )
        for letter, misses, same in _published(r, split):
            ax.plot(
                misses, at + 0.22, "D", ms=5, mec="black", mfc="black" if same else "white", mew=0.9, zorder=5
            )
            ax.text(misses, at + 0.32, letter, fontsize=7, ha="center", va="bottom")
    ax.yaxis.set_major_locator(FixedLocator([-float(i) for i in range(len(runs))]))
    ax.yaxis.set_major_formatter(FixedFormatter(_names(runs)))
    ax.set_ylim(-len(runs) + 0.45, 0.65)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"{split} misses after the last epoch")
    cut = f" Points: the first {POINTS} seeds." if max(r.n for r in runs) > POINTS else ""
    letters = _letters(runs, split, "filled on the same digits, open on others.")
    return add_caption(fig, _joined(about(runs) + cut, letters))


@_styled
def histogram(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Misses of the seeds beside two laws: binomial, and half its variance."""
    runs = _trained(epochs, 2)
    fig, axes = panels(len(runs), 1.7)
    for i, (ax, r, name) in enumerate(zip(axes, runs, _names(runs), strict=True)):
        x, m = r.misses(split), r.sizes[split]
        bins = _whole_bins(x)
        step = bins[1] - bins[0]
        ax.hist(x, bins=bins, color=look(i).colour, alpha=0.55)
        grid = np.linspace(bins[0] - 5, bins[-1] + 5, 300)
        mean = float(np.mean(x))
        for sd, line, label in (
            (np.sqrt(st.binomial_variance(mean, m)), "-", "binomial"),
            (np.sqrt(mean / 2), "--", "variance = mean/2"),
        ):
            if sd > 0:
                law = stats.norm.pdf(grid, mean, sd) * r.n * step
                ax.plot(grid, law, color="black", ls=line, lw=1, label=label)
        ax.set_title(f"{name}: mean {mean:.1f}, sd {st.sd(x):.1f}")
        ax.set_xlabel(f"{split} misses")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    for ax in axes[::2]:
        ax.set_ylabel("seeds")
    axes[0].legend(fontsize=7)
    return add_caption(fig, f"Curves: normal laws with the mean of the seeds. {about(runs)}")


def _whole_bins(x: np.ndarray) -> list[float]:
    """Bin edges between whole numbers, as wide as Freedman and Diaconis would have them."""
    width = 2 * float(np.subtract(*np.quantile(x, [0.75, 0.25]))) / len(x) ** (1 / 3)
    step = max(1, round(width))
    return np.arange(x.min() - 0.5, x.max() + 0.5 + step, step).tolist()


@_styled
def heatmap(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Every seed's misses at every epoch, rows sorted by the last; diverged epochs grey."""
    from matplotlib.colors import LogNorm

    found = cells(epochs)
    runs = all_runs(epochs)
    m = runs[0].sizes[split]
    tables = [
        rows.pivot(index="seed", columns="epoch", values=f"{split}_misses").astype(np.float64)
        for _, rows in found
    ]
    known = np.concatenate([t.to_numpy().ravel() for t in tables])
    known = known[~np.isnan(known)]
    if not len(known):
        raise ValueError("every run diverged: there is nothing to draw")
    norm = LogNorm(max(known.min(), 1), max(known.max(), 2))
    colours = mpl.colormaps["cividis"].with_extremes(bad="#bbbbbb")
    fig, axes = panels(len(tables), 1.9)
    for ax, table, name in zip(axes, tables, _names(runs), strict=True):
        last = table.iloc[:, -1].to_numpy()
        order = np.argsort(np.where(np.isnan(last), np.inf, last), kind="stable")
        values = np.maximum(table.to_numpy()[order], 1)
        extent = (0.5, len(table.columns) + 0.5, len(table), 0)
        image = ax.imshow(
            values, aspect="auto", norm=norm, cmap=colours, extent=extent, interpolation="nearest"
        )
        ax.set_title(name)
        ax.set_xlabel("epoch")
        ax.grid(False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for ax in axes[::2]:
        ax.set_ylabel("seeds, sorted")
    bar = fig.colorbar(image, ax=axes, label=f"{split} misses", shrink=0.8)
    plain_log(bar.ax.yaxis)
    return add_caption(fig, f"Rows sorted by misses at the end, of {m:,}; grey: diverged. {about(runs)}")


@_styled
def running(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """The mean and its interval as seeds were added one by one."""
    runs = _trained(epochs, 3)
    fig, axes = panels(len(runs), 1.7)
    for i, (ax, r, name) in enumerate(zip(axes, runs, _names(runs), strict=True)):
        x = r.misses(split)
        n = np.arange(1, r.n + 1)
        mean = np.cumsum(x) / n
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = np.maximum(np.cumsum(x**2) - n * mean**2, 0) / (n - 1)
            half = stats.t.ppf(1 - st.ALPHA / 2, n - 1) * np.sqrt(variance / n)
        colour = look(i).colour
        ax.fill_between(n[2:], (mean - half)[2:], (mean + half)[2:], color=colour, alpha=0.25, lw=0)
        ax.plot(n, mean, color=colour)
        ax.axhline(mean[-1], color=GREY, lw=0.7, ls="--")
        ax.set_xscale("log")
        plain_log(ax.xaxis)
        ax.set_title(name)
        ax.set_xlabel("seeds, in order")
    for ax in axes[::2]:
        ax.set_ylabel(f"mean {split} misses")
    return add_caption(fig, f"Band: 95 % t interval of the mean, from the third seed. {about(runs)}")


@_styled
def scatter(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Misses of the same seed before and after each step of the story."""
    table = pairs(epochs, split=split)
    runs = {(r.cell.variant, r.cell.dataset_digest): r for r in all_runs(epochs)}
    steps = [
        (runs[row["a"], row["dataset_digest"]], runs[row["b"], row["dataset_digest"]], row["r"])
        for row in table.to_dict("records")
        if row["design"] == "paired"
    ]
    if not steps:
        raise ValueError("no two variants share seeds: there are no pairs to draw")
    fig, axes = panels(len(steps), 2.6)
    for i, (ax, (a, b, r)) in enumerate(zip(axes, steps, strict=True)):
        x, y = matched(a, b, split)
        ax.scatter(x, y, s=9, color=look(i).colour, alpha=0.6, lw=0, rasterized=len(x) > 2000)
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        ax.plot(ends, ends, color=GREY, lw=0.8, ls="--")
        ax.set_title(f"{len(x)} pairs, r = {r:.2f}" if not np.isnan(r) else f"{len(x)} pairs")
        ax.set_xlabel(f"{a.cell.variant}, {split} misses")
        ax.set_ylabel(f"{b.cell.variant}, {split} misses")
    shown = {r.cell: r for a, b, _ in steps for r in (a, b)}
    note = "One point a seed; below the dashed line the step helped."
    return add_caption(fig, f"{note} {about(list(shown.values()))}")


@_styled
def forest(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """The difference each step makes, with its interval."""
    table = pairs(epochs, split=split)
    fig = new_figure(0.42 * len(table) + 1.3)
    ax = fig.subplots()
    ax.axvspan(-MARGIN, MARGIN, color="#eeeeee", lw=0)
    ax.axvline(0, color=GREY, lw=0.8)
    for i, row in enumerate(table.to_dict("records")):
        sure = row["p_holm"] < st.ALPHA
        ax.plot([row["ci_lo"], row["ci_hi"]], [-i, -i], color="black", lw=1.2)
        ax.plot(row["diff"], -i, "o", color="black", mfc="black" if sure else "white", ms=6)
    ax.yaxis.set_major_locator(FixedLocator([-i for i in range(len(table))]))
    ax.yaxis.set_major_formatter(
        FixedFormatter([f"{a} → {b}" for a, b in zip(table["a"], table["b"], strict=True)])
    )
    ax.set_ylim(-len(table) + 0.4, 0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"change in {split} misses (95 % interval); left is better")
    return add_caption(
        fig,
        f"Filled: p < {st.ALPHA} after Holm over {len(table)} steps. Shaded: within ±{MARGIN:g} misses.\n"
        + about(all_runs(epochs)),
    )


@_styled
def best_epoch(epochs: pd.DataFrame, *, split: Split = "test") -> Figure:
    """Misses at the last epoch and at each run's own best: what choosing the epoch by the test digits hides."""
    table = summary(epochs, split=split).dropna(subset=["own_best_mean"])
    if table.empty:
        raise ValueError("this picture needs every epoch of the runs")
    fig = new_figure(0.42 * len(table) + 1.3)
    ax = fig.subplots()
    for i, row in enumerate(table.to_dict("records")):
        colour = look(i).colour
        ax.plot([row["own_best_mean"], row["mean"]], [-i, -i], color=colour, lw=2, zorder=1)
        ax.plot(row["own_best_mean"], -i, "o", mfc="white", color=colour, ms=6)
        ax.plot(row["mean"], -i, "o", color=colour, ms=6)
        ax.text(row["mean"], -i + 0.16, f"{row['optimism_mean']:.1f}", fontsize=7, ha="center")
    ax.yaxis.set_major_locator(FixedLocator([-i for i in range(len(table))]))
    ax.yaxis.set_major_formatter(FixedFormatter([str(v) for v in table["variant"]]))
    ax.set_ylim(-len(table) + 0.4, 0.7)
    ax.margins(x=0.08)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(f"mean {split} misses")
    handles = [
        Line2D([], [], marker="o", ls="", color="black", label="last epoch"),
        Line2D([], [], marker="o", ls="", color="black", mfc="white", label="each run's best epoch"),
    ]
    ax.legend(handles=handles, fontsize=7)
    return add_caption(fig, f"Numbers: the difference, an optimism of selection. {about(all_runs(epochs))}")


@_styled
def ensemble(labels: pd.DataFrame, truth: np.ndarray) -> Figure:
    """Misses of a vote of k seeds against k."""
    table = dg.ensemble(labels, truth)
    fig = new_figure(3.4)
    ax = fig.subplots()
    for i, (name, rows) in enumerate(table.groupby("variant", sort=False, observed=True)):
        colour, line, marker = look(i)
        ax.fill_between(rows["size"], rows["q05"], rows["q95"], color=colour, alpha=0.15, lw=0)
        ax.plot(rows["size"], rows["mean"], color=colour, ls=line, marker=marker, ms=4, label=name)
    ax.set_xscale("log")
    plain_log(ax.xaxis)
    ax.set_xlabel("seeds that vote")
    ax.set_ylabel("misses of the vote")
    ax.legend(fontsize=7)
    notes = " ".join(table.attrs["notes"][:1])
    return add_caption(fig, f"Mean and 5–95 % of random committees; ties go to the smallest label.\n{notes}")


@_styled
def variance(labels: pd.DataFrame, truth: np.ndarray) -> Figure:
    """The variance of the misses over seeds, split; beside it that of the choice of test digits."""
    table = dg.noise(labels, truth)
    fig = new_figure(0.55 * len(table) + 1.5)
    ax = fig.subplots()
    at = -np.arange(len(table), dtype=float)
    independent, real = table["indep_sd"] ** 2, table["sigma_dist_squared"].clip(lower=0)
    ax.barh(at + 0.17, independent, 0.3, color="#56B4E9", label="over seeds: independent errors")
    ax.barh(
        at + 0.17,
        real,
        0.3,
        left=independent,
        color="#0072B2",
        hatch="///",
        edgecolor="white",
        label="over seeds: real differences",
    )
    ax.barh(
        at - 0.17, table["floor"].clip(lower=0), 0.3, color="#D55E00", label="over test sets of this size"
    )
    ax.yaxis.set_major_locator(FixedLocator(list(at)))
    ax.yaxis.set_major_formatter(FixedFormatter([str(v) for v in table["variant"]]))
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("variance of the misses of one run")
    fig.legend(fontsize=7, loc="outside upper center", ncols=3)
    return add_caption(fig, " ".join(table.attrs["notes"][:1]))


@_styled
def gallery(labels: pd.DataFrame, truth: np.ndarray, images: np.ndarray, *, count: int = 40) -> Figure:
    """The test digits that most seeds get wrong: what they are, and what they are taken for."""
    table = dg.digits(labels, truth)
    hardest = (
        table.groupby("index")
        .agg(wrong=("wrong", "sum"), n=("n", "sum"), true=("true", "first"))
        .sort_values(["wrong"], ascending=False, kind="stable")
        .head(count)
    )
    hardest = hardest[hardest["wrong"] > 0]
    if hardest.empty:
        raise ValueError("no seed gets any test digit wrong: there is nothing to show")
    predicted = np.concatenate([a.predicted for a in dg.answers(labels, truth)])
    columns = 8
    rows = -(-len(hardest) // columns)
    fig = new_figure(1.05 * rows + 0.6)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (index, row) in zip(axes, hardest.iterrows(), strict=False):
        position = int(str(index))
        said = np.bincount(predicted[:, position], minlength=10)
        said[int(row["true"])] = 0
        ax.imshow(np.asarray(images[position]).reshape(16, 16), cmap="gray_r", vmin=-1, vmax=1)
        ax.set_title(f"{row['true']} → {said.argmax()}  {row['wrong'] / row['n']:.0%}", fontsize=7.5, pad=2)
    names = " ".join(table.attrs["notes"][:1])
    return add_caption(fig, f"True label → commonest wrong one, share of runs that are wrong.\n{names}")


@_styled
def place_plot(runs: Runs, split: Split, misses: int) -> Figure:
    """One number among the seeds of a variant."""
    fig = new_figure(2.6)
    ax = fig.subplots()
    x = runs.misses(split)
    placed = st.place(x, misses, runs.sizes[split], len(runs.diverged))
    ax.hist(
        x,
        bins=_whole_bins(x),
        color=look(0).colour,
        alpha=0.55,
        label="seeds",
    )
    if not np.isnan(placed.predicted_lo):
        ax.axvspan(
            max(0, placed.predicted_lo),
            placed.predicted_hi,
            color="#eeeeee",
            zorder=0,
            label="one more seed, 95 %",
        )
    ax.axvline(misses, color=look(1).colour, lw=2, label=f"this run: {misses}")
    ax.set_xlabel(f"{split} misses")
    ax.set_ylabel("seeds")
    ax.set_title(runs.cell.variant)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=7)
    return add_caption(fig, about([runs]))


PLOTS: dict[str, Plot] = {
    "curves": Plot(curves, "error against epoch, median and bands over seeds", "every_epoch"),
    "ecdf": Plot(ecdf, "share of seeds with at most so many misses, beside the published numbers", "last"),
    "raincloud": Plot(raincloud, "density, box and points of every variant's misses", "last"),
    "histogram": Plot(histogram, "misses of the seeds beside the binomial law", "last"),
    "heatmap": Plot(heatmap, "every seed at every epoch", "every_epoch"),
    "running": Plot(running, "the mean and its interval as seeds are added", "last"),
    "scatter": Plot(scatter, "the same seed under two variants", "last"),
    "forest": Plot(forest, "the difference each step makes", "last"),
    "best-epoch": Plot(best_epoch, "last epoch against each run's best epoch", "every_epoch"),
    "ensemble": Plot(ensemble, "misses of a vote of k seeds", "labels"),
    "variance": Plot(variance, "where the variance comes from", "labels"),
    "gallery": Plot(gallery, "the hardest test digits", "images"),
}
