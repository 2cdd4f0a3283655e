"""The data sets and their options. Imports the standard library, `model.identity` and `model.names`."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from model.identity import Identity, digest
from model.names import nearest

PrngLayout = Literal["notebook", "today"]

DEFAULT_SUBSET_SEED = 42
IDENTITY = Identity(
    version_1=frozenset(("name", "n_train", "n_test", "subset_seed", "prng_layout", "antialias")),
    stored_names={"subset_seed": "draw", "prng_layout": "era"},
)


@dataclass(frozen=True)
class DatasetEntry:
    """An entry of :data:`DATASETS`."""

    summary: str
    module: str  # with `load` and `describe` as in `data`, and `sources`: the files that `load` reads
    rows: tuple[int, int]  # available digits for train and for test
    shared: bool  # train and test are disjoint subsets of the same rows
    sizes: tuple[int, int]  # default train and test sizes
    permuted: bool  # rows are in random order by default; else in file order
    resized: bool  # images are resized to 16x16, with or without antialiasing


DATASETS: dict[str, DatasetEntry] = {
    "mnist": DatasetEntry(
        summary="MNIST, subsampled and resized to the sizes of 1989 as in the published reproductions",
        module="data.mnist",
        rows=(60000, 10000),
        shared=False,
        sizes=(7291, 2007),
        permuted=True,
        resized=True,
    ),
    "usps": DatasetEntry(
        summary="USPS zip-code digits with the split sizes of the paper",
        module="data.usps",
        rows=(7291, 2007),
        shared=False,
        sizes=(7291, 2007),
        permuted=False,
        resized=False,
    ),
    "mnist5k": DatasetEntry(
        summary="5,000 MNIST digits that ship with a dependency; needs no files and no network",
        module="data.mnist5k",
        rows=(5000, 5000),
        shared=True,
        sizes=(3920, 1080),
        permuted=True,
        resized=True,
    ),
}


@dataclass(frozen=True)
class DatasetOptions:
    """Options that determine the arrays of a data set.

    A new field needs a default under which the arrays are unchanged (see `model.identity`).

    Raises:
      ValueError: unknown name or PRNG layout, or a size or subset seed out of range.
    """

    name: str = "mnist5k"
    n_train: int | None = None  # None: the data set's default, see `sizes`
    n_test: int | None = None
    subset_seed: int | None = None  # seed of the row order; None: 42, or file order if not `permuted`
    prng_layout: PrngLayout = "notebook"  # counter layout of the row order, see data/sampling.py
    antialias: bool = True  # of the resize

    def __post_init__(self) -> None:
        if self.name not in DATASETS:
            raise ValueError(f"unknown data set {self.name!r}{nearest(self.name, DATASETS)}")
        if self.prng_layout not in get_args(PrngLayout):
            layouts = get_args(PrngLayout)
            raise ValueError(f"unknown prng_layout {self.prng_layout!r}{nearest(self.prng_layout, layouts)}")
        if self.subset_seed is not None and not 0 <= self.subset_seed < 2**32:
            raise ValueError(
                f"subset_seed = {self.subset_seed} is out of range: give a seed from 0 to {2**32 - 1}"
            )
        entry = DATASETS[self.name]
        if not entry.resized and not self.antialias:
            raise ValueError(f"antialias = False: {self.name} digits are 16x16 already and not resized")
        n_train, n_test = self.sizes
        for field, size, available in ("n_train", n_train, entry.rows[0]), ("n_test", n_test, entry.rows[1]):
            if not 1 <= size <= available:
                raise ValueError(f"{field} = {size} is out of range: {self.name} has {available} digits")
        if entry.shared and n_train + n_test > entry.rows[0]:
            raise ValueError(
                f"n_train + n_test = {n_train} + {n_test}: "
                f"{self.name} has {entry.rows[0]} digits for train and test together"
            )

    @property
    def sizes(self) -> tuple[int, int]:
        """Train and test sizes, defaults filled in."""
        n_train, n_test = DATASETS[self.name].sizes
        return (
            n_train if self.n_train is None else self.n_train,
            n_test if self.n_test is None else self.n_test,
        )

    @property
    def seed(self) -> int | None:
        """Seed of the random subset, default filled in; None means file order."""
        if self.subset_seed is None and DATASETS[self.name].permuted:
            return DEFAULT_SUBSET_SEED
        return self.subset_seed

    @property
    def key(self) -> str:
        """SHA-256 (64 hex digits) over the options as given: identifies a data set before it is loaded."""
        return digest(self.to_stored())

    def to_stored(self) -> dict[str, Any]:
        """Field values as JSON values by stored name."""
        return IDENTITY.to_stored(self)

    @property
    def description(self) -> dict[str, Any]:
        """JSON values by stored name, defaults filled in."""
        n_train, n_test = self.sizes
        return self.to_stored() | {"n_train": n_train, "n_test": n_test, "draw": self.seed}
