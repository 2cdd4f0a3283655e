"""Small roots with chosen results for the tests of the exports."""

import numpy as np

from sweep.analysis.selection import Filters, Selection
from sweep.store.store import Store
from tests.sweep.analysis.stored import stored

EPOCHS = 5
WRONG = np.random.default_rng(3).random((8, 60)) < 0.2
DIVERGED = {"dropout": {3}}


def small_root(folder, seeds: int = 6) -> str:
    """Two variants with `seeds` seeds and five epochs; seed 3 of `dropout` diverges in the last epoch."""
    wrong = {"base": WRONG[:seeds], "dropout": ~WRONG[:seeds]}
    return stored(folder, wrong, epochs=EPOCHS, diverged=DIVERGED, width=4).root


def more_seeds(root: str, first: int, stop: int) -> None:
    """Store further seeds of `base`."""
    stored(root, {"base": WRONG[first:stop]}, epochs=EPOCHS, first_seed=first, width=4)


def select(root: str, **filters: str) -> Selection:
    return Selection(Store(root), Filters(**filters))


def misses(variant: str, seed: int) -> list[float]:
    """Test misses of a run after every epoch."""
    wrong = WRONG if variant == "base" else ~WRONG
    found = [min(wrong[seed].sum() + 3 * (EPOCHS - epoch), 60) for epoch in range(1, EPOCHS + 1)]
    return found[:-1] if seed in DIVERGED.get(variant, ()) else found
