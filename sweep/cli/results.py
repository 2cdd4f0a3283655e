"""The commands that read finished runs: `table`, `plot`, `compare` and `report`."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import ManualOption, RootOption
from sweep.cli.output import OutputFile
from sweep.cli.process import say
from sweep.errors import SpecError

if TYPE_CHECKING:
    from sweep.analysis.frames import Selection


class Format(StrEnum):
    """How a table is written."""

    text = "text"
    csv = "csv"
    markdown = "markdown"
    json = "json"
    latex = "latex"
    parquet = "parquet"


FORMAT_OF_SUFFIX = {
    ".txt": Format.text,
    ".csv": Format.csv,
    ".md": Format.markdown,
    ".json": Format.json,
    ".tex": Format.latex,
    ".parquet": Format.parquet,
}
FIGURE_SUFFIXES = (".png", ".svg")
FOR_PEOPLE = (Format.text, Format.markdown)


class SplitName(StrEnum):
    """A split of the digits."""

    test = "test"
    train = "train"


def _filter(what: str) -> Any:
    return typer.Option(metavar="NAMES", help=f"Only these {what}; comma-separated")


VariantsFilter = Annotated[
    str | None,
    typer.Option(
        "--variants", metavar="NAMES", help="Only these variants; 'base,*' is every override of base"
    ),
]
RecipeFilter = Annotated[str | None, _filter("recipes")]
DatasetFilter = Annotated[str | None, _filter("data sets")]
EngineFilter = Annotated[str | None, _filter("engines")]
SeedsFilter = Annotated[str | None, typer.Option(metavar="RANGES", help="Only these seeds, such as 0:16")]
SplitOption = Annotated[SplitName, typer.Option(help="Misses on the test or on the training digits")]


def table(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="summary, wide, curve, pairs, published, precision; of single digits: digits, noise, churn, "
            "ensemble, fixes, two-way",
        ),
    ] = "summary",
    root: RootOption = "results",
    format: Annotated[
        Format | None,
        typer.Option(help="Default text; text and markdown have the main columns, the others all"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Write a file: {', '.join(FORMAT_OF_SUFFIX)}")
    ] = None,
    variants: VariantsFilter = None,
    recipe: RecipeFilter = None,
    dataset: DatasetFilter = None,
    engine: EngineFilter = None,
    seeds: SeedsFilter = None,
    epoch: Annotated[int | None, typer.Option(metavar="N", help="At epoch N instead of the last")] = None,
    split: SplitOption = SplitName.test,
    noise: Annotated[
        bool, typer.Option("--noise", help="Fill the columns of summary that need predicted labels")
    ] = False,
    manual_dir: ManualOption = None,
) -> None:
    """Print statistics of the misses over seeds, with the published numbers."""
    from sweep.analysis.format import render
    from sweep.analysis.frames import make_table
    from sweep.analysis.tables import TABLES
    from sweep.store.store import existing

    chosen = _format(format, out)
    file = OutputFile(out, () if format else tuple(FORMAT_OF_SUFFIX)) if out else None
    for_people = chosen in FOR_PEOPLE
    with _value_error_as_spec_error():
        frame, narrow = make_table(
            existing(root),
            name,
            for_people=for_people,
            epoch=epoch,
            split=split.value,
            noise=noise,
            manual_dir=manual_dir,
            variants=variants,
            recipes=recipe,
            datasets=dataset,
            engines=engine,
            seeds=seeds,
        )
    content = render(frame, chosen.value, narrow if for_people else None, TABLES[name].limit)
    if file:
        file.write(content)
    else:
        print(content)


def _format(format: Format | None, out: Path | None) -> Format:
    """The format that `--format` or the suffix of `--out` says.

    Raises:
      SpecError: they contradict each other, or a binary format without a file.
    """
    by_suffix = FORMAT_OF_SUFFIX.get(out.suffix.lower()) if out else None
    if format and by_suffix and format is not by_suffix:
        raise SpecError(f"--format {format.value} and --out {out} contradict each other: leave out --format")
    chosen = format or by_suffix or Format.text
    if chosen is Format.parquet and out is None:
        raise SpecError("--format parquet writes a binary file: name it with --out")
    return chosen


def plot(
    name: Annotated[
        str,
        typer.Argument(
            metavar="PLOT",
            help="curves, ecdf, raincloud, histogram, heatmap, running, scatter, forest, best-epoch; of single "
            "digits: ensemble, variance, gallery",
        ),
    ],
    root: RootOption = "results",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .png or .svg file; default PLOT.png")
    ] = None,
    variants: VariantsFilter = None,
    recipe: RecipeFilter = None,
    dataset: DatasetFilter = None,
    engine: EngineFilter = None,
    seeds: SeedsFilter = None,
    split: SplitOption = SplitName.test,
    manual_dir: ManualOption = None,
) -> None:
    """Plot the misses over seeds."""
    from model.names import nearest
    from sweep.analysis.plots import PLOTS
    from sweep.analysis.style import to_bytes

    if name not in PLOTS:
        raise SpecError(f"unknown plot {name!r}{nearest(name, PLOTS)}")
    file = OutputFile(out or Path(f"{name}.png"), FIGURE_SUFFIXES)
    chosen = _selection(root, manual_dir, variants, recipe, dataset, engine, seeds)
    with _value_error_as_spec_error():
        wanted = PLOTS[name]
        if wanted.needs in ("labels", "images"):
            if split is SplitName.train:
                raise SpecError(f"plot {name!r} is of the test digits: leave out --split")
            test = chosen.digits.test
            images = [test.images] if wanted.needs == "images" else []
            figure = wanted.make(chosen.labels, test.labels, *images)
        else:
            figure = wanted.make(chosen.epochs(last_only=wanted.needs == "last"), split=split.value)
    file.write(to_bytes(figure, file.suffix[1:]))


def compare(
    misses: Annotated[int, typer.Option(metavar="N", help="Misclassified digits of your run")],
    variant: Annotated[
        str, typer.Option(metavar="NAME", help="Variant whose seeds to compare with, as in tables")
    ],
    root: RootOption = "results",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also plot it: a .png or .svg file")
    ] = None,
    recipe: RecipeFilter = None,
    dataset: DatasetFilter = None,
    engine: EngineFilter = None,
    seeds: SeedsFilter = None,
    split: SplitOption = SplitName.test,
) -> None:
    """Compare the misses of one run with the seeds of a variant."""
    from sweep.analysis.compare import compare as place
    from sweep.analysis.style import to_bytes

    file = OutputFile(out, FIGURE_SUFFIXES) if out else None
    chosen = _selection(root, None, None, recipe, dataset, engine, seeds)
    with _value_error_as_spec_error():
        found = place(chosen.epochs(last_only=True), variant, misses, split=split.value)
    if file:
        file.write(to_bytes(found.figure, file.suffix[1:]))
    print(found.sentence)


def report(
    root: RootOption = "results",
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file")] = Path("report.html"),
    variants: VariantsFilter = None,
    recipe: RecipeFilter = None,
    dataset: DatasetFilter = None,
    engine: EngineFilter = None,
    seeds: SeedsFilter = None,
    manual_dir: ManualOption = None,
) -> None:
    """Write one HTML file with every table and plot."""
    from data import DataUnavailable
    from sweep.analysis.report import write_report
    from sweep.errors import StoreError
    from sweep.store.store import provenance

    file = OutputFile(out, (".html", ".htm"))
    chosen = _selection(root, manual_dir, variants, recipe, dataset, engine, seeds)
    with _value_error_as_spec_error():
        epochs, test = chosen.epochs(last_only=False), None
        try:
            test = chosen.digits.test
        except (ValueError, StoreError, DataUnavailable) as reason:
            say(f"left out what needs single digits: {reason}")
        with file.replacing() as path:
            write_report(
                epochs,
                chosen.labels if test else None,
                test.labels if test else None,
                test.images if test else None,
                chosen.planned,
                list(provenance(chosen.store.files)),
                path,
            )


def _selection(
    root: str,
    manual_dir: str | None,
    variants: str | None,
    recipe: str | None,
    dataset: str | None,
    engine: str | None,
    seeds: str | None,
) -> "Selection":
    from sweep.analysis.frames import Selection
    from sweep.store.store import existing

    filters = {
        "variants": variants,
        "recipes": recipe,
        "datasets": dataset,
        "engines": engine,
        "seeds": seeds,
    }
    return Selection(existing(root), filters, manual_dir)


@contextmanager
def _value_error_as_spec_error() -> Iterator[None]:
    """The analysis raises ValueError for a request that it cannot answer."""
    try:
        yield
    except ValueError as error:
        raise SpecError(str(error)) from None
