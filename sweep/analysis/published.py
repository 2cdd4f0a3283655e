"""Published results of these networks, one seed each: `published.csv`, and users' own CSV files.

Miss counts are exact. Both public scripts print ``int(error * N)`` from a float32 error, which is one too low
in places; the error they print in % with two decimals identifies the count, because its steps are 0.0498
points (test) and 0.0137 points (train).

The digits are only partly the same as ours: LeCun used zip codes (possibly those of `usps`), Chang the MNIST rows of
`mnist`, Karpathy other MNIST rows with another resize.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal, get_args

from model.names import nearest
from model.variants import VARIANTS
from sweep.analysis.names import SplitName
from sweep.analysis.runs import CellId, Runs

SameData = Literal["yes", "maybe", "no"]

SIZES: dict[SplitName, int] = {"train": 7291, "test": 2007}  # digits, unless a row gives other numbers
COLUMNS = (
    "source",
    "variant",
    "split",
    "misses",
    "n_train",
    "epochs",
    "same_data",
)  # of a user's CSV; n_train, epochs and same_data may be empty or absent
_MORE = ("n_test", "dataset", "misses_printed", "loss", "rejection_pct", "remark")  # optional there


@dataclass(frozen=True)
class Source:
    """A publication."""

    key: str  # prefix of its columns in `summary`
    name: str  # as tables show it
    letter: str  # in plots
    reference: str
    differs: str  # what differs from the runs of every recipe but the one named `key`; "" for nothing
    users: bool = False  # whether it is from a user's file


@dataclass(frozen=True)
class PublishedNumber:
    """Misses of one published run."""

    source: Source
    variant: str
    split: SplitName
    misses: int  # exact
    n_train: int
    n_test: int
    epochs: int | None  # None: not stated
    dataset: str  # our data set with digits of the same kind; "" for any
    same_data: SameData  # whether that data set has the same digits
    misses_printed: int | None = None  # None: only an error rate is printed
    loss: float | None = None  # mean over the split: squared error, or cross-entropy in nats
    rejection_pct: float | None = None  # test digits rejected for 1 % error on the rest, in %
    remark: str = ""

    def same_digits(self, cell: CellId) -> SameData:
        """Whether the cell has the same digits."""
        return self.same_data if self.dataset in ("", cell.dataset) else "no"

    def differences(self, cell: CellId) -> list[str]:
        """What differs from the cell's runs besides the seed and the choice of digits of the same kind."""
        digits = [] if self.dataset in ("", cell.dataset.partition(",")[0]) else ["digits"]
        method = [self.source.differs] if self.source.differs and self.source.key != cell.recipe else []
        return digits + method

    def describes(self, cell: CellId) -> bool:
        """Whether the cell is the published variant; only the number of epochs may be overridden."""
        return cell.parent == self.variant and set(cell.overrides) <= {"epochs"}

    def fits(self, runs: Runs) -> bool:
        """Whether the runs are of the published variant, with its epochs and numbers of digits."""
        return (
            self.describes(runs.cell)
            and runs.complete
            and runs.sizes == {"train": self.n_train, "test": self.n_test}
            and (self.epochs == runs.epochs if self.epochs is not None else not runs.cell.overrides)
        )


@cache
def published_numbers(numbers: str | None = None) -> tuple[PublishedNumber, ...]:
    """The published numbers, then those of a user's CSV file.

    Args:
      numbers: path of a CSV file with the columns of `COLUMNS`; None for none.

    Raises:
      ValueError: the file cannot be read or has a wrong value; the message names the line.
    """
    folder = resources.files("sweep.analysis")
    sources = {
        row["key"]: Source(row["key"], row["source"], row["letter"], row["reference"], row["differs"])
        for row in csv.DictReader(folder.joinpath("published_sources.csv").read_text("utf-8").splitlines())
    }
    rows = csv.DictReader(folder.joinpath("published.csv").read_text("utf-8").splitlines())
    known = [_number(row, sources[row["source"]]) for row in rows]
    return tuple(known) + (tuple(_users(numbers)) if numbers is not None else ())


def numbers_for(
    runs: Runs, split: SplitName, numbers: Iterable[PublishedNumber] | None = None
) -> list[PublishedNumber]:
    """The numbers that fit the runs."""
    given = published_numbers() if numbers is None else numbers
    return [number for number in given if number.split == split and number.fits(runs)]


def size_notes(runs: Sequence[Runs], numbers: Iterable[PublishedNumber]) -> list[str]:
    """A warning for every data set whose published variants have other numbers of test digits."""
    sizes = sorted({number.n_test for number in numbers})
    notes = []
    for digest in dict.fromkeys(r.cell.dataset_digest for r in runs):
        r = next(r for r in runs if r.cell.dataset_digest == digest)
        if r.sizes["test"] not in sizes:
            notes.append(
                f"WARNING: {r.cell.dataset} has {r.sizes['test']:,} test digits, the published numbers are out of "
                f"{' or '.join(f'{size:,}' for size in sizes)}: misses are not comparable."
            )
    return notes


def _users(path: str) -> list[PublishedNumber]:
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ValueError(f"{path}: cannot be read: {reason}") from None
    reader = csv.DictReader(text.splitlines())
    columns = reader.fieldnames or []
    for name in columns:
        if name not in COLUMNS + _MORE:
            raise ValueError(f"{path}: unknown column {name!r}{nearest(str(name), COLUMNS + _MORE)}")
    if missing := [name for name in ("source", "variant", "split", "misses") if name not in columns]:
        raise ValueError(f"{path}: column {missing[0]!r} is missing: the columns are {', '.join(COLUMNS)}")
    found = []
    for row in reader:
        name = (row["source"] or "").strip()
        try:
            if not name:
                raise ValueError("source is empty")
            found.append(_number(row, Source(name, name, name[:1], f"from {Path(path).name}", "", True)))
        except ValueError as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    if not found:
        raise ValueError(f"{path}: has no rows")
    return found


def _number(row: Mapping[str, str | None], source: Source) -> PublishedNumber:
    n_train = _whole(row, "n_train") or SIZES["train"]
    n_test = _whole(row, "n_test") or SIZES["test"]
    split = _choice(row, "split", ("test", "train"))
    misses = _whole(row, "misses")
    size = n_test if split == "test" else n_train
    if misses is None or not 0 <= misses <= size:
        raise ValueError(f"misses = {row['misses']!r}: give a count from 0 to {size:,}")
    return PublishedNumber(
        source=source,
        variant=_choice(row, "variant", tuple(VARIANTS)),
        split="test" if split == "test" else "train",
        misses=misses,
        n_train=n_train,
        n_test=n_test,
        epochs=_whole(row, "epochs"),
        dataset=_text(row, "dataset"),
        same_data=_choice(row, "same_data", get_args(SameData), "no"),  # type: ignore[arg-type]
        misses_printed=_whole(row, "misses_printed"),
        loss=_real(row, "loss"),
        rejection_pct=_real(row, "rejection_pct"),
        remark=_text(row, "remark"),
    )


def _text(row: Mapping[str, str | None], name: str) -> str:
    return (row.get(name) or "").strip()


def _choice(row: Mapping[str, str | None], name: str, choices: Sequence[str], default: str = "") -> str:
    value = _text(row, name) or default
    if value not in choices:
        raise ValueError(f"{name} = {value!r} is unknown{nearest(value, choices)}")
    return value


def _whole(row: Mapping[str, str | None], name: str) -> int | None:
    text = _text(row, name)
    try:
        return int(text) if text else None
    except ValueError:
        raise ValueError(f"{name} = {text!r} is not a whole number") from None


def _real(row: Mapping[str, str | None], name: str) -> float | None:
    text = _text(row, name)
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"{name} = {text!r} is not a number") from None
