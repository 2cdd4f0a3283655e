"""Names that the analysis and the command line share. Standard library only."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from pkgutil import resolve_name
from typing import Any, Literal, get_args

SplitName = Literal["test", "train"]
Format = Literal["text", "csv", "markdown", "json", "latex", "parquet"]
Family = Literal["steps", "recipes", "datasets", "all"]

FORMATS: tuple[str, ...] = get_args(Format)
FAMILIES: tuple[str, ...] = get_args(Family)
MAIN_COLUMNS_ONLY = ("text", "markdown", "latex")  # the other formats have every column
FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".txt": "text",
    ".csv": "csv",
    ".md": "markdown",
    ".json": "json",
    ".tex": "latex",
    ".parquet": "parquet",
}
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")

SECTIONS = (
    "Results",
    "Published numbers",
    "Effect of each change",
    "Training",
    "Precision",
    "Sources of variance",
    "Data scaling",
    "Ensembles",
    "Test digits",
)
"""Headings of the report, in order."""


@dataclass(frozen=True)
class Entry:
    """One line of the table or plot registry."""

    target: str  # "module:attribute", imported when first used
    about: str  # one line for help texts and headings
    section: str | None = None  # heading of the report it appears under; None leaves it out

    def load(self) -> Any:
        """The object that the target names."""
        return resolve_name(self.target)


def check_options(what: str, name: str, make: Callable[..., Any], options: dict[str, Any]) -> None:
    """Reject options that a table or plot does not have.

    Raises:
      ValueError: an unknown option; the message lists the accepted ones.
    """
    accepted = [option for option in list(signature(make).parameters)[1:] if option != "full"]
    for option in options:
        if option not in accepted:
            listed = ", ".join(f"--{one.replace('_', '-')}" for one in accepted) or "none"
            raise ValueError(f"{what} {name!r} has no option --{option.replace('_', '-')}: it has {listed}")
