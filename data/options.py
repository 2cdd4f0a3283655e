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
    loader: str  # module whose `load` makes the arrays
    rows: tuple[int, int]  # available digits for train and for test
    shared: bool  # train and test are disjoint subsets of the same rows
    sizes: tuple[int, int]  # default train and test sizes
    drawn: bool  # rows are a random subset by default; else they are taken in file order


DATASETS: dict[str, DatasetEntry] = {
    "mnist": DatasetEntry(
        summary="MNIST drawn and resized to the sizes of 1989, as in the published reproductions",
        loader="data.mnist",
        rows=(60000, 10000),
        shared=False,
        sizes=(7291, 2007),
        drawn=True,
    ),
    "usps": DatasetEntry(
        summary="the zip-code digits of the paper's own kind, its split sizes exactly",
        loader="data.usps",
        rows=(7291, 2007),
        shared=False,
        sizes=(7291, 2007),
        drawn=False,
    ),
    "mnist5k": DatasetEntry(
        summary="5,000 MNIST digits inside an installed package: needs no files and no network",
        loader="data.mnist5k",
        rows=(5000, 5000),
        shared=True,
        sizes=(3920, 1080),
        drawn=True,
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
    subset_seed: int | None = None  # seed of the random subset; None: 42, or for usps all rows in file order
    prng_layout: PrngLayout = (
        "notebook"  # which of JAX's two counter layouts orders the rows, see data/draw.py
    )
    antialias: bool = True  # of the resize; usps digits are 16x16 already

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
        if self.name == "usps" and not self.antialias:
            raise ValueError("antialias = False: usps digits are 16x16 already, nothing is resized")
        entry = DATASETS[self.name]
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
        if self.subset_seed is None and DATASETS[self.name].drawn:
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
