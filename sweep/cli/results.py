"""The commands that read finished runs: `table`, `plot`, `compare` and `report`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.analysis.names import (
    FIGURE_SUFFIXES,
    FORMAT_OF_SUFFIX,
    MAIN_COLUMNS_ONLY,
    Family,
    Format,
    SplitName,
)
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.tables.registry import TABLES

if TYPE_CHECKING:
    from sweep.analysis.selection import Selection

Root = Annotated[str, typer.Option(help="Where results are stored: a folder, gs://… or s3://…")]
Variants = Annotated[str | None, typer.Option(help="Only these variants; 'base,*' is every override of base")]
Recipe = Annotated[str | None, typer.Option(help="Only these recipes")]
DatasetName = Annotated[str | None, typer.Option(help="Only these data sets")]
EngineName = Annotated[str | None, typer.Option(help="Only runs of these engines")]
Seeds = Annotated[str | None, typer.Option(help="Only these seeds, such as 0:16")]
ManualDir = Annotated[str | None, typer.Option(help="Folder of manually placed data files")]
SplitOption = Annotated[
    SplitName | None, typer.Option(help="Misses on the test (default) or on the training digits")
]
Numbers = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="CSV of your own numbers beside the published ones: source, variant, split, misses, n_train, epochs, "
        "same_data",
    ),
]


def table(
    name: Annotated[str, typer.Argument(help=", ".join(TABLES))] = "summary",
    root: Root = "results",
    format: Annotated[
        Format | None,
        typer.Option(help="Default text; text, markdown and latex have the main columns, the others all"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"File to write; its suffix chooses the format: {', '.join(FORMAT_OF_SUFFIX)}"),
    ] = None,
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    epoch: Annotated[int | None, typer.Option(help="At this epoch instead of the last")] = None,
    split: SplitOption = None,
    noise: Annotated[
        bool | None, typer.Option("--noise", help="Fill the columns that need predicted labels")
    ] = None,
    numbers: Numbers = None,
    family: Annotated[
        Family | None, typer.Option(help="pairs: which comparisons, and so Holm's family")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="pairs: misses within which variants count as equivalent; default 5")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="precision: difference in misses to detect; default 3")
    ] = None,
    correlation: Annotated[
        float | None, typer.Option(help="precision: correlation over seeds of paired runs; default 0.5")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="tooling: the root of the same seeds, trained with another engine or device"),
    ] = None,
    manual_dir: ManualDir = None,
) -> None:
    """Print statistics of the misses over seeds, with the published numbers."""
    from sweep.analysis.tables.format import render
    from sweep.analysis.tables.table import load_table, make_table
    from sweep.errors import SpecError
    from sweep.store.folder import write_atomically
    from sweep.store.store import existing

    chosen = format or (FORMAT_OF_SUFFIX.get(out.suffix.lower()) if out else None) or "text"
    if chosen == "parquet" and out is None:
        raise SpecError("--format parquet writes a binary file: name it with --out")
    main_only = chosen in MAIN_COLUMNS_ONLY
    options = {
        "epoch": epoch,
        "split": split,
        "noise": noise,
        "numbers": numbers,
        "family": family,
        "margin": margin,
        "delta": delta,
        "correlation": correlation,
        "against": against,
    }
    with _value_error_as_spec_error():
        frame, columns = make_table(
            existing(root),
            name,
            manual_dir=manual_dir,
            main_only=main_only,
            **_filters(variants, recipe, dataset, engine, seeds),
            **_given(options),
        )
    content = render(frame, chosen, columns if main_only else None, load_table(name).limit)
    if out is not None:
        write_atomically(out, content.encode() if isinstance(content, str) else content)
    else:
        print(content)


def plot(
    name: Annotated[str, typer.Argument(help=", ".join(PLOTS))],
    root: Root = "results",
    out: Annotated[
        Path | None, typer.Option(help=f"File to write: {', '.join(FIGURE_SUFFIXES)}; default NAME.png")
    ] = None,
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    split: SplitOption = None,
    numbers: Numbers = None,
    family: Annotated[
        Family | None, typer.Option(help="forest: which comparisons, and so Holm's family")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="forest: misses within which variants count as equivalent")
    ] = None,
    manual_dir: ManualDir = None,
) -> None:
    """Plot the misses over seeds."""
    from sweep.analysis.plots.plot import make_plot
    from sweep.analysis.plots.style import figure_format, to_bytes
    from sweep.store.folder import write_atomically
    from sweep.store.store import existing

    path = out or Path(f"{name}.png")
    options = {"split": split, "numbers": numbers, "family": family, "margin": margin}
    with _value_error_as_spec_error():
        kind = figure_format(path)
        figure = make_plot(
            existing(root),
            name,
            manual_dir=manual_dir,
            **_filters(variants, recipe, dataset, engine, seeds),
            **_given(options),
        )
    write_atomically(path, to_bytes(figure, kind))
    print(path)


def compare(
    misses: Annotated[int, typer.Option(help="Misclassified digits of your run")],
    variant: Annotated[str, typer.Option(help="Variant whose seeds to compare with, as named in tables")],
    root: Root = "results",
    out: Annotated[Path | None, typer.Option(help=f"Also plot it: {', '.join(FIGURE_SUFFIXES)}")] = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    split: SplitOption = None,
) -> None:
    """Compare the misses of one run with the seeds of a variant."""
    import sys

    from sweep.analysis.compare import compare as place
    from sweep.analysis.plots.differences import place as draw
    from sweep.analysis.plots.style import figure_format, to_bytes
    from sweep.store.folder import write_atomically

    chosen = _selection(root, None, _filters(None, recipe, dataset, engine, seeds))
    with _value_error_as_spec_error():
        kind = figure_format(out) if out else None
        found = place(chosen.runs(), variant, misses, split=split or "test")
    if out is not None and kind is not None:
        write_atomically(out, to_bytes(draw(found.runs, split or "test", misses), kind))
    print(found.sentence)
    for warning in found.warnings:
        print(warning, file=sys.stderr)


def report(
    root: Root = "results",
    out: Annotated[Path, typer.Option(help="The HTML file")] = Path("report.html"),
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    numbers: Numbers = None,
    manual_dir: ManualDir = None,
) -> None:
    """Write one HTML file with every table and plot."""
    from sweep.analysis.report import make_report
    from sweep.store.folder import write_atomically

    chosen = _selection(root, manual_dir, _filters(variants, recipe, dataset, engine, seeds))
    with _value_error_as_spec_error():
        made = make_report(chosen, numbers=numbers)
    write_atomically(out, made.html.encode())
    print(out)


def _filters(
    variants: str | None, recipes: str | None, datasets: str | None, engines: str | None, seeds: str | None
) -> dict[str, str | None]:
    return {
        "variants": variants,
        "recipes": recipes,
        "datasets": datasets,
        "engines": engines,
        "seeds": seeds,
    }


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _selection(root: str, manual_dir: str | None, filters: dict[str, str | None]) -> "Selection":
    from sweep.analysis.selection import Filters, Selection
    from sweep.store.store import existing

    return Selection(existing(root), Filters(**filters), manual_dir)


@contextmanager
def _value_error_as_spec_error() -> Iterator[None]:
    """The analysis raises ValueError for a request that it cannot answer."""
    from sweep.errors import SpecError

    try:
        yield
    except ValueError as error:
        raise SpecError(str(error)) from None
