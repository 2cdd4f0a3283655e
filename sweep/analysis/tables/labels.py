"""Functions shared by the tables from predicted labels."""

import itertools
from collections.abc import Sequence

from sweep.analysis.predictions import Predictions


def label_notes(predictions: Sequence[Predictions]) -> list[str]:
    """Notes for a table of these predictions: data sets, digits, seeds."""
    sets = {p.cell.dataset_digest: p for p in predictions}
    listed = ", ".join(f"{p.cell.variant} {p.n}" for p in predictions)
    return [
        *(f"{p.cell.dataset} ({digest}): {len(p.truth):,} test digits." for digest, p in sets.items()),
        f"Seeds: {listed}.",
        "Predicted labels after the last epoch, of runs that did not diverge.",
    ]


def steps(predictions: Sequence[Predictions]) -> list[tuple[Predictions, Predictions]]:
    """Consecutive variants of one recipe on the same digits.

    Raises:
      ValueError: there are none.
    """
    found = [
        (a, b)
        for a, b in itertools.pairwise(predictions)
        if (a.cell.recipe, a.cell.dataset_digest) == (b.cell.recipe, b.cell.dataset_digest)
    ]
    if not found:
        raise ValueError("a comparison needs two variants of one recipe on the same digits")
    return found


def disagreement(a: Predictions, b: Predictions) -> float:
    """Mean share of digits that a run of a and another run of b label differently, in closed form."""
    agree = (a.votes * b.votes).sum(axis=0)
    if a.cell == b.cell:
        return float(1 - ((agree - a.n) / (a.n * (a.n - 1))).mean())
    return float(1 - (agree / (a.n * b.n)).mean())
