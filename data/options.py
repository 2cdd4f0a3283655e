"""Which data sets there are and what may be asked of them. Standard library only."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Literal, get_args

Era = Literal["notebook", "today"]

DEFAULT_DRAW = 42


@dataclass(frozen=True)
class DatasetEntry:
    """One line of :data:`DATASETS`."""

    summary: str
    loader: str  # module whose `load` makes the arrays
    rows: tuple[int, int]  # digits there are to take train and test from
    shared: bool  # train and test are cut from the same rows, so together they cannot exceed them
    sizes: tuple[int, int]  # default train and test sizes
    drawn: bool  # rows are drawn at random unless told otherwise; else taken in file order


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
    """Everything that decides the arrays of a data set.

    Raises:
      ValueError: an unknown name or era, a size below 1 or above what there is, a draw out of range.
    """

    name: str = "mnist5k"
    n_train: int | None = None  # None: the data set's own default, see `sizes`
    n_test: int | None = None
    draw: int | None = None  # seed of the random draw; None: 42, or for usps every row in file order
    era: Era = "notebook"  # which of JAX's two random-number schemes made the draw, see data/draw.py
    antialias: bool = True  # of the resize; usps digits are 16x16 already

    def __post_init__(self) -> None:
        if self.name not in DATASETS:
            raise ValueError(f"unknown data set {self.name!r}{_nearest(self.name, DATASETS)}")
        if self.era not in get_args(Era):
            raise ValueError(f"unknown era {self.era!r}{_nearest(self.era, get_args(Era))}")
        if self.draw is not None and not 0 <= self.draw < 2**32:
            raise ValueError(f"draw = {self.draw} is out of range: give a seed from 0 to {2**32 - 1}")
        if self.name == "usps" and not self.antialias:
            raise ValueError("antialias = False: usps digits are 16x16 already, nothing is resized")
        entry = DATASETS[self.name]
        n_train, n_test = self.sizes
        for field, size, available in ("n_train", n_train, entry.rows[0]), ("n_test", n_test, entry.rows[1]):
            if not 1 <= size <= available:
                raise ValueError(f"{field} = {size}: {self.name} has {available} digits to take it from")
        if entry.shared and n_train + n_test > entry.rows[0]:
            raise ValueError(
                f"n_train + n_test = {n_train} + {n_test}: "
                f"{self.name} has {entry.rows[0]} digits for both together"
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
        """Seed of the draw, default filled in; None means file order."""
        return DEFAULT_DRAW if self.draw is None and DATASETS[self.name].drawn else self.draw

    @property
    def description(self) -> dict[str, Any]:
        """The options as JSON values, defaults filled in."""
        n_train, n_test = self.sizes
        return asdict(self) | {"n_train": n_train, "n_test": n_test, "draw": self.seed}


def _nearest(word: str, choices: Iterable[str]) -> str:
    names = list(choices)
    close = get_close_matches(word, names, n=1)
    return f": did you mean {close[0]!r}?" if close else f": choose from {', '.join(names)}"
