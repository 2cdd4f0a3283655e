"""Parts that `test_registries.py` adds through the registries only."""

import numpy as np

from data.dataset import Dataset, Examples


def load(options, manual_dir=None):
    """A toy data set: each digit in turn, filled with its label."""
    train, test = (
        Examples(np.full((n, 16, 16), np.arange(n)[:, None, None] % 10 / 10), np.arange(n) % 10)
        for n in options.sizes
    )
    return Dataset("toy", train, test, {"options": options.description})


def describe(manual_dir=None):
    return "in the tests"
