"""The notebooks' printed lines, and their agreement with ours. Standard library only."""

import csv
import math
from dataclasses import dataclass, field
from importlib import resources

REPLAYABLE = {"base": "flax", "softmax": "notebook", "dropout": "flax"}
"""Recipe under which a notebook trained each variant."""

LOSS_DIGITS = 7  # significant digits of a printed loss


@dataclass(frozen=True)
class Line:
    """One printed line, in the notebooks' rounding."""

    epoch: int
    split: str
    loss: str  # "5.576071e-02"
    error: str  # percent, "8.11"
    misses: int  # as printed: one below the true count in places

    def __str__(self) -> str:
        """The notebooks' format."""
        return f"eval: split {self.split:5s}. loss {self.loss}. error {self.error}%. misses: {self.misses}"

    @property
    def key(self) -> tuple[int, str]:
        """Epoch and split."""
        return self.epoch, self.split


@dataclass
class Agreement:
    """Counts of agreeing quantities over the compared lines."""

    lines: int = 0
    errors: int = 0
    misses: int = 0
    loss_digits: list[int] = field(default_factory=list)  # agreeing significant digits of each loss

    def add(self, ours: Line, theirs: Line) -> str:
        """Compare two lines and describe the agreement."""
        digits = agreeing_digits(ours.loss, theirs.loss)
        self.lines += 1
        self.errors += ours.error == theirs.error
        self.misses += ours.misses == theirs.misses
        self.loss_digits.append(digits)
        if ours == theirs:
            return "identical"
        same = [name for name in ("error", "misses") if getattr(ours, name) == getattr(theirs, name)]
        return ", ".join(
            [*(f"{name} identical" for name in same), f"loss agrees in {digits} of {LOSS_DIGITS} digits"]
        )

    def __str__(self) -> str:
        if not self.lines:
            return "no line of the notebook to compare with"
        fewest, most = min(self.loss_digits), max(self.loss_digits)
        digits = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        return (
            f"of {self.lines} lines: error identical in {self.errors}, misses in {self.misses}; "
            f"losses agree in {digits} of {LOSS_DIGITS} printed digits"
        )


def agreeing_digits(ours: str, theirs: str) -> int:
    """Significant digits in which two printed losses agree, by their relative difference."""
    a, b = float(ours), float(theirs)
    if a == b:
        return LOSS_DIGITS
    if b == 0 or not math.isfinite(a - b):
        return 0
    return min(max(math.floor(-math.log10(abs(a - b) / abs(b))), 0), LOSS_DIGITS - 1)


def notebook_lines(variant: str) -> dict[tuple[int, str], Line]:
    """The known printed lines of a variant by epoch and split."""
    lines = {}
    with resources.files("sweep.replay").joinpath("notebook.csv").open() as file:
        for row in csv.DictReader(file):
            if row["variant"] == variant:
                line = Line(
                    int(row["epoch"]),
                    row["split"],
                    f"{float(row['loss']):e}",
                    f"{float(row['error_percent']):.2f}",
                    int(row["misses_printed"]),
                )
                lines[line.key] = line
    return lines
