"""Functions shared by several plots: runs, names, published numbers, captions."""

from collections.abc import Sequence
from typing import NamedTuple

from sweep.analysis.names import SplitName
from sweep.analysis.predictions import Predictions
from sweep.analysis.published import PublishedNumber, numbers_for
from sweep.analysis.runs import CellId, Runs
from sweep.analysis.selection import Selection


def trained_runs(data: Selection, least: int = 1) -> list[Runs]:
    """Runs after the last epoch, of the cells with at least `least` runs that did not diverge.

    Raises:
      ValueError: there are none.
    """
    runs = [r for r in data.runs() if r.n >= least]
    if not runs:
        counted = "a run" if least == 1 else f"{least} runs"
        raise ValueError(f"this plot needs {counted} of a variant that did not diverge: train more seeds")
    return runs


def names(cells: Sequence[CellId]) -> list[str]:
    """Names for legends and axes, with the data set if there are several."""
    several = len({cell.dataset_digest for cell in cells}) > 1
    return [f"{cell.variant} · {cell.dataset}" if several else cell.variant for cell in cells]


class Mark(NamedTuple):
    """A published number in a plot."""

    letter: str  # of its source
    misses: int
    same_digits: bool


def marks(runs: Runs, split: SplitName, numbers: Sequence[PublishedNumber]) -> list[Mark]:
    """The published numbers that fit the runs, in ascending order."""
    found = [
        Mark(n.source.letter, n.misses, n.same_digits(runs.cell) == "yes")
        for n in numbers_for(runs, split, numbers)
    ]
    return sorted(found, key=lambda mark: mark.misses)


def letter_width(runs: Sequence[Runs], split: SplitName, numbers: Sequence[PublishedNumber]) -> float:
    """Width of a letter on a horizontal axis of misses that shows the runs and the numbers that fit them."""
    values = [
        float(x) for r in runs for x in (*r.misses(split), *(m.misses for m in marks(r, split, numbers)))
    ]
    return 0.03 * (max(values) - min(values))


def clustered(ascending: Sequence[Mark], tolerance: float) -> list[tuple[str, float, list[Mark]]]:
    """Numbers too close for separate labels: their letters together, their mean, and the numbers."""
    groups: list[list[Mark]] = []
    for mark in ascending:
        if groups and mark.misses - groups[-1][-1].misses <= tolerance:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return [("".join(m.letter for m in g), sum(m.misses for m in g) / len(g), g) for g in groups]


def letters(runs: Sequence[Runs], split: SplitName, numbers: Sequence[PublishedNumber], style: str) -> str:
    """Legend of the letters in `marks`, for a caption; "" if there are none."""
    sources = {n.source.letter: n.source.name for r in runs for n in numbers_for(r, split, numbers)}
    listed = ", ".join(f"{letter}: {name}" for letter, name in sources.items())
    return f"Published: {listed}. {style}" if sources else ""


def about(runs: Sequence[Runs]) -> str:
    """Seeds and digits of a figure, for its caption."""
    lost = sum(len(r.diverged) for r in runs)
    sets = dict.fromkeys(
        f"{r.cell.dataset} ({r.cell.dataset_digest}), {r.sizes['test']:,} test digits" for r in runs
    )
    dropped = f", {lost} diverged not shown" if lost else ""
    return f"{_counts([(r.cell, r.n) for r in runs])}{dropped}. {'; '.join(sets)}."


def about_labels(predictions: Sequence[Predictions]) -> str:
    """The same for predicted labels."""
    sets = dict.fromkeys(
        f"{p.cell.dataset} ({p.cell.dataset_digest}), {len(p.truth):,} test digits" for p in predictions
    )
    return f"{_counts([(p.cell, p.n) for p in predictions])}. {'; '.join(sets)}."


def _counts(found: Sequence[tuple[CellId, int]]) -> str:
    counts = {n for _, n in found}
    if len(counts) == 1:
        return f"n = {counts.pop()} seeds" + (" each" if len(found) > 1 else "")
    return "n = " + ", ".join(f"{n} {cell.variant}" for cell, n in found)
