"""Options of the commands that read finished runs, each defined once."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sweep.analysis.names import FORMAT_OF_SUFFIX, Family, SplitName


def _filter(what: str) -> Any:
    return typer.Option(metavar="NAMES", help=f"Only these {what}; comma-separated")


VariantsFilter = Annotated[
    str | None,
    typer.Option(
        "--variants", metavar="NAMES", help="Only these variants; 'base,*' is every override of base"
    ),
]


@dataclass(frozen=True)
class FilterOptions:
    """Which finished runs a command reads, beside their variants."""

    recipe: Annotated[str | None, _filter("recipes")] = None
    dataset: Annotated[str | None, _filter("data sets")] = None
    engine: Annotated[str | None, _filter("engines")] = None
    seeds: Annotated[str | None, typer.Option(metavar="RANGES", help="Only these seeds, such as 0:16")] = None

    def of(self, variants: str | None) -> dict[str, str | None]:
        """The fields of `sweep.analysis.selection.Filters`, with these variants."""
        return {
            "variants": variants,
            "recipes": self.recipe,
            "datasets": self.dataset,
            "engines": self.engine,
            "seeds": self.seeds,
        }


SplitOption = Annotated[
    SplitName | None, typer.Option(help="Misses on the test (default) or on the training digits")
]
NumbersOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="CSV of your own numbers beside the published ones: source, variant, split, misses, n_train, epochs, "
        "same_data",
    ),
]
ReferenceOption = Annotated[
    bool, typer.Option("--reference", help="Use the runs that ship with the package instead of a root")
]
FamilyOption = Annotated[
    Family | None, typer.Option(help="pairs, decisions, forest: which comparisons, and so Holm's family")
]
MarginOption = Annotated[
    float | None,
    typer.Option(
        metavar="N", help="pairs, decisions, forest: misses within which variants are equivalent; default 5"
    ),
]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="ROOT", help="tooling: the root of the same seeds, trained with another engine or device"
    ),
]
TableFileOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help=f"Write a file: {', '.join(FORMAT_OF_SUFFIX)}")
]


@dataclass(frozen=True)
class TableOptions:
    """Options of single tables. A table rejects those that it does not have."""

    epoch: Annotated[int | None, typer.Option(metavar="N", help="At epoch N instead of the last")] = None
    split: SplitOption = None
    noise: Annotated[
        bool | None, typer.Option("--noise", help="Fill the columns that need predicted labels")
    ] = None
    numbers: NumbersOption = None
    family: FamilyOption = None
    margin: MarginOption = None
    delta: Annotated[
        float | None, typer.Option(metavar="N", help="precision: difference in misses to detect; default 3")
    ] = None
    correlation: Annotated[
        float | None,
        typer.Option(metavar="R", help="precision: correlation over seeds of paired runs; default 0.5"),
    ] = None
    against: AgainstOption = None


@dataclass(frozen=True)
class PlotOptions:
    """Options of single plots. A plot rejects those that it does not have."""

    split: SplitOption = None
    numbers: NumbersOption = None
    family: FamilyOption = None
    margin: MarginOption = None


def given(options: TableOptions | PlotOptions) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in asdict(options).items() if value is not None}
