"""The commands that look at finished runs: `table`, `plot`, `compare`, `report`. None loads JAX or Ray."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sweep.analysis.frames import Selection

Root = Annotated[str, typer.Option(help="Where results are: a folder, gs://… or s3://…")]
Variants = Annotated[str | None, typer.Option(help="Only these; 'base,*' is every override of base")]
Recipe = Annotated[str | None, typer.Option(help="Only these")]
DatasetName = Annotated[str | None, typer.Option(help="Only these")]
EngineName = Annotated[str | None, typer.Option(help="Only runs made by these")]
Seeds = Annotated[str | None, typer.Option(help="Only these, such as 0:16")]
ManualDir = Annotated[str | None, typer.Option(help="Folder of data files placed by hand")]


class Format(StrEnum):
    """How a table is written."""

    text = "text"
    csv = "csv"
    markdown = "markdown"
    json = "json"
    latex = "latex"
    parquet = "parquet"


class SplitName(StrEnum):
    """Whose misses."""

    test = "test"
    train = "train"


SplitOption = Annotated[SplitName, typer.Option(help="Misses of the test or of the training digits")]


def table(
    name: Annotated[
        str,
        typer.Argument(
            help="summary, wide, curve, pairs, published, precision; of single digits: digits, noise, churn, "
            "ensemble, fixes, two-way"
        ),
    ] = "summary",
    root: Root = "results",
    format: Annotated[
        Format, typer.Option(help="text and markdown have the main columns, the others all")
    ] = Format.text,
    out: Annotated[Path | None, typer.Option(help="File to write; needed for parquet")] = None,
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    epoch: Annotated[int | None, typer.Option(help="At this epoch instead of the last")] = None,
    split: SplitOption = SplitName.test,
    noise: Annotated[
        bool, typer.Option("--noise", help="Fill in the columns of summary that need predicted labels")
    ] = False,
    manual_dir: ManualDir = None,
) -> None:
    """Statistics of error versus seed, beside the published numbers."""
    from sweep.analysis.format import render
    from sweep.analysis.frames import make_table
    from sweep.analysis.tables import TABLES
    from sweep.errors import SpecError
    from sweep.store.files import write_atomically
    from sweep.store.store import existing

    if format is Format.parquet and out is None:
        raise SpecError("--format parquet is not for a terminal: name a file with --out")
    people = format in (Format.text, Format.markdown)
    with _requests():
        frame, narrow = make_table(
            existing(root),
            name,
            for_people=people,
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
    content = render(frame, format.value, narrow if people else None, TABLES[name].limit)
    if out is not None:
        write_atomically(out, content.encode() if isinstance(content, str) else content)
    else:
        print(content)


def plot(
    name: Annotated[
        str,
        typer.Argument(
            help="curves, ecdf, raincloud, histogram, heatmap, running, scatter, forest, best-epoch; of single "
            "digits: ensemble, variance, gallery"
        ),
    ],
    root: Root = "results",
    out: Annotated[Path | None, typer.Option(help="A .png or .svg; default NAME.png")] = None,
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    split: SplitOption = SplitName.test,
    manual_dir: ManualDir = None,
) -> None:
    """A picture of error versus seed, as PNG or SVG."""
    from model.names import nearest
    from sweep.analysis.plots import PLOTS, save

    chosen = _selection(root, manual_dir, variants, recipe, dataset, engine, seeds)
    path = out or Path(f"{name}.png")
    with _requests():
        if name not in PLOTS:
            raise ValueError(f"unknown plot {name!r}{nearest(name, PLOTS)}")
        wanted = PLOTS[name]
        if wanted.needs in ("labels", "images"):
            if split is SplitName.train:
                raise ValueError(f"plot {name!r} is of the test digits: leave out --split")
            test = chosen.digits.test
            images = [test.images] if wanted.needs == "images" else []
            figure = wanted.make(chosen.labels, test.labels, *images)
        else:
            figure = wanted.make(chosen.epochs(last_only=wanted.needs == "last"), split=split.value)
        save(figure, path)
    print(path)


def compare(
    misses: Annotated[int, typer.Option(help="Wrongly classified digits of your run")],
    variant: Annotated[str, typer.Option(help="Whose seeds to compare it with, as named in tables")],
    root: Root = "results",
    out: Annotated[Path | None, typer.Option(help="Also draw it: a .png or .svg")] = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    split: SplitOption = SplitName.test,
) -> None:
    """Is my run normal? One number of misses among the seeds of a variant."""
    from sweep.analysis.compare import compare as place
    from sweep.analysis.plots import save

    chosen = _selection(root, None, None, recipe, dataset, engine, seeds)
    with _requests():
        found = place(chosen.epochs(last_only=True), variant, misses, split=split.value)
        if out is not None:
            save(found.figure, out)
    print(found.sentence)


def report(
    root: Root = "results",
    out: Annotated[Path, typer.Option(help="The HTML file")] = Path("report.html"),
    variants: Variants = None,
    recipe: Recipe = None,
    dataset: DatasetName = None,
    engine: EngineName = None,
    seeds: Seeds = None,
    manual_dir: ManualDir = None,
) -> None:
    """One HTML file with every table and picture, how each number was made, and what may not be concluded."""
    import sys

    from data import DataUnavailable
    from sweep.analysis.report import write_report
    from sweep.errors import StoreError
    from sweep.store.store import provenance

    chosen = _selection(root, manual_dir, variants, recipe, dataset, engine, seeds)
    with _requests():
        epochs, test = chosen.epochs(last_only=False), None
        try:
            test = chosen.digits.test
        except (ValueError, StoreError, DataUnavailable) as reason:
            print(f"left out what looks at single digits: {reason}", file=sys.stderr)
        write_report(
            epochs,
            chosen.labels if test else None,
            test.labels if test else None,
            test.images if test else None,
            chosen.planned,
            list(provenance(chosen.store.files)),
            out,
        )
    print(out)


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
def _requests() -> Iterator[Any]:
    """A request that the tables cannot answer becomes one line for people."""
    from sweep.errors import SpecError

    try:
        yield
    except ValueError as error:
        raise SpecError(str(error)) from None
