"""Plots from predicted labels: ensemble, variance, gallery."""

import numpy as np
from matplotlib.figure import Figure

from sweep.analysis.plots.common import about_labels, names
from sweep.analysis.plots.style import (
    SMALL,
    add_caption,
    label_rows,
    looks,
    new_figure,
    plain_log,
    styled,
)
from sweep.analysis.runs import rows_of
from sweep.analysis.selection import Selection
from sweep.analysis.tables.ensemble import ensemble as ensemble_table
from sweep.analysis.tables.noise import make as noise_table

COLUMNS = 8  # of the gallery
COUNT = 40  # digits in it


@styled
def ensemble(data: Selection) -> Figure:
    """Misses of a plurality vote of k seeds against k; a vote of two is a tie wherever they differ."""
    table = ensemble_table(data.predictions)
    table = table[table["size"] != 2]
    fig = new_figure(3.6)
    ax = fig.subplots()
    cells = [p.cell for p in data.predictions]
    for cell, name, look in zip(cells, names(cells), looks(cells), strict=True):
        rows = rows_of(table, cell)
        ax.fill_between(rows["size"], rows["q05"], rows["q95"], color=look.colour, alpha=0.15, lw=0)
        ax.plot(
            rows["size"], rows["mean"], color=look.colour, ls=look.line, marker=look.marker, ms=4, label=name
        )
    ax.set_xscale("log")
    plain_log(ax.xaxis)
    ax.set_xlabel("seeds that vote")
    ax.set_ylabel("test misses of the vote")
    fig.legend(loc="outside upper center", ncols=3)
    note = "Mean and 5–95 % of random ensembles. Size 2 is left out: its votes are ties."
    return add_caption(fig, note, about_labels(data.predictions))


@styled
def variance(data: Selection) -> Figure:
    """Variance of the misses over seeds and over test sets; that between runs with its interval."""
    table = noise_table(data)
    fig = new_figure(0.75 * len(table) + 1.5)
    ax = fig.subplots()
    at = -np.arange(len(table), dtype=float)
    ax.barh(at + 0.25, table["indep_sd"] ** 2, 0.22, color="#56B4E9", label="seeds: independent errors")
    between = table["sigma_dist_squared"].to_numpy()
    reach = np.stack([between - table["sigma_dist_lo"], table["sigma_dist_hi"] - between])
    ax.barh(at, between, 0.22, color="#0072B2", label="seeds: differences between runs")
    ax.errorbar(
        between,
        at,
        xerr=np.maximum(reach, 0),
        fmt="none",
        ecolor="black",
        capsize=3,
        lw=1,
        label="95 % interval",
    )
    ax.barh(at - 0.25, table["floor"], 0.22, color="#D55E00", label="test sets of this size")
    ax.axvline(0, color="black", lw=0.8)
    cells = [p.cell for p in data.predictions if p.n > 1]
    label_rows(ax, names(cells))
    ax.set_xlabel("variance of the misses of one run")
    fig.legend(loc="outside upper center", ncols=2)
    note = "The variance between runs is an unbiased estimate: it may be negative."
    return add_caption(fig, note, about_labels([p for p in data.predictions if p.n > 1]))


@styled
def gallery(data: Selection) -> Figure:
    """The test digits that most seeds misclassify, with their most common wrong label."""
    digests = {p.cell.dataset_digest for p in data.predictions}
    if len(digests) > 1:
        sets = ", ".join(dict.fromkeys(p.cell.dataset for p in data.predictions))
        raise ValueError(f"the gallery shows one data set: choose --dataset from {sets}")
    images = data.dataset(digests.pop()).test.images
    truth = data.predictions[0].truth
    wrong = np.sum([p.wrong_votes for p in data.predictions], axis=0) / sum(p.n for p in data.predictions)
    votes = np.sum([p.votes for p in data.predictions], axis=0)
    votes[truth, np.arange(len(truth))] = 0
    hardest = [i for i in np.argsort(-wrong, kind="stable")[:COUNT] if wrong[i] > 0]
    if not hardest:
        raise ValueError("no seed misclassifies a test digit: there is nothing to show")
    columns = min(COLUMNS, len(hardest))
    rows = -(-len(hardest) // columns)
    fig = new_figure(1.0 * rows + 0.45)
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, i in zip(axes, hardest, strict=False):
        ax.imshow(images[i].reshape(16, 16), cmap="gray_r", vmin=-1, vmax=1)
        title = f"#{i}\n{truth[i]} → {votes[:, i].argmax()}\n{wrong[i]:.0%}"
        ax.set_title(title, fontsize=SMALL - 1, pad=2, linespacing=1.0)
    note = (
        "#: position in the test split. True label → most common wrong label, share of runs that are wrong."
    )
    return add_caption(fig, note, about_labels(data.predictions))
