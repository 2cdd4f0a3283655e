"""Parts that `test_registries.py` adds through the registries only."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from data.dataset import Dataset, Examples
from model.engines import vmap
from sweep.analysis.tables.table import Table

# A toy engine: the functions of `model.engines.Engine`.
init, evaluate, margins, unsupported = vmap.init, vmap.evaluate, vmap.margins, vmap.unsupported


def train_epoch(variant, states, images, labels, epoch):
    """Learn nothing."""
    return states


def make(data):
    """A toy table: the number of runs."""
    return pd.DataFrame([{"runs": sum(runs.n for runs in data.runs())}])


TABLE = Table(make, None)


def plot(data):
    """A toy plot."""
    figure = Figure()
    figure.subplots().plot([runs.n for runs in data.runs()])
    return figure


def load(options, manual_dir=None):
    """A toy data set: each digit in turn, filled with its label."""
    train, test = (
        Examples(np.full((n, 16, 16), np.arange(n)[:, None, None] % 10 / 10), np.arange(n) % 10)
        for n in options.sizes
    )
    return Dataset("toy", train, test, {"options": options.description})


def describe(manual_dir=None):
    return "in the tests"


def sources(manual_dir=None):
    """No file: the toy data set is made, and not cached."""
    return []
