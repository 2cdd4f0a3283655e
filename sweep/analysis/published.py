"""What others published about these networks: one seed each, with exact counts and their sources.

Both public scripts print ``int(error * N)`` from a float32 error, which is one too low in places. The
printed error in % has two decimals and the steps are 0.0498 (test) and 0.0137 (train) points, so it gives
the exact count.

Their digits are ours only sometimes: LeCun used zip codes (our `usps` is of that kind, perhaps the very
digits), Chang the MNIST rows of our `mnist`, Karpathy other MNIST rows (one of two possible sets: his draw
depends on the order of a Python set) resized otherwise.
"""

from dataclasses import dataclass
from typing import Literal

SameData = Literal["yes", "maybe", "no"]

SIZES: dict[Literal["train", "test"], int] = {"train": 7291, "test": 2007}  # digits, in all three sources


@dataclass(frozen=True)
class Source:
    """Who published, and where."""

    name: str  # in tables
    reference: str
    same_data: dict[str, SameData]  # by our data set's name in tables; others: "no"
    descriptive: bool  # too many differences besides the seed to attach a p value


SOURCES: dict[str, Source] = {
    "paper": Source(
        "LeCun 1989",
        "LeCun et al., Backpropagation Applied to Handwritten Zip Code Recognition, Neural Computation 1989",
        {"usps": "maybe"},
        True,
    ),
    "karpathy": Source(
        "Karpathy", "A. Karpathy, github.com/karpathy/lecun1989-repro, repro.py and modern.py", {}, False
    ),
    "chang": Source(
        "Chang",
        "P. G. Chang, github.com/peterchang0414/lecun1989-flax, both notebooks",
        {"mnist": "yes"},
        False,
    ),
}


@dataclass(frozen=True)
class PublishedNumber:
    """Misses of one published run."""

    source: str  # key of SOURCES
    variant: str
    split: Literal["train", "test"]
    misses_printed: int
    misses_exact: int
    loss: float | None = None  # mean over the split: squared error, or cross-entropy in nats
    remark: str = ""


_ROUNDED = "printed one too low"

PUBLISHED: tuple[PublishedNumber, ...] = (
    PublishedNumber(
        "paper", "base", "test", 102, 102, 1.8e-2, "5.0 % printed, 102/2007 is 5.08 %: 100 to 102"
    ),
    PublishedNumber("paper", "base", "train", 10, 10, 2.5e-3, "0.14 % printed"),
    PublishedNumber("karpathy", "base", "test", 82, 82, 2.838382e-2),
    PublishedNumber("karpathy", "base", "train", 45, 45, 4.073383e-3),
    # modern.py prints the loss of a single example: not kept
    PublishedNumber("karpathy", "softmax", "test", 87, 88, None, _ROUNDED),
    PublishedNumber("karpathy", "softmax", "train", 0, 0),
    PublishedNumber("karpathy", "adamw", "test", 72, 72),
    PublishedNumber("karpathy", "adamw", "train", 0, 0),
    PublishedNumber("karpathy", "augment", "test", 43, 44, None, _ROUNDED),
    PublishedNumber("karpathy", "augment", "train", 123, 124, None, _ROUNDED),
    PublishedNumber("karpathy", "dropout", "test", 32, 32),
    PublishedNumber("karpathy", "dropout", "train", 106, 107, None, _ROUNDED),
    PublishedNumber("chang", "base", "test", 74, 74, 2.467080e-2),
    PublishedNumber("chang", "base", "train", 60, 60, 5.265484e-3),
    PublishedNumber("chang", "softmax", "test", 83, 83, 1.687743e-1),
    PublishedNumber("chang", "softmax", "train", 4, 4, 7.162272e-3),
    PublishedNumber("chang", "adamw", "test", 81, 81, 1.953933e-1),
    PublishedNumber("chang", "adamw", "train", 2, 3, None, _ROUNDED),
    PublishedNumber("chang", "augment", "test", 52, 52, 9.166716e-2),
    PublishedNumber("chang", "augment", "train", 120, 120),
    PublishedNumber("chang", "dropout", "test", 35, 35, 4.969697e-2),
    PublishedNumber("chang", "dropout", "train", 77, 77),
)
