"""The commands that read finished runs: `table`, `plot`, `compare` and `report`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.analysis.names import (
    FIGURE_SUFFIXES,
    FORMAT_OF_SUFFIX,
    MAIN_COLUMNS_ONLY,
    Format,
)
from sweep.cli.options import JsonOption, ManualOption, RootOption, at_least
from sweep.cli.output import OutputFile, print_json
from sweep.cli.process import say
from sweep.cli.result_options import (
    AgainstOption,
    FilterOptions,
    NumbersOption,
    PlotOptions,
    ReferenceOption,
    SplitOption,
    TableFileOption,
    TableOptions,
    VariantsFilter,
    given,
)
from sweep.errors import SpecError, printable

if TYPE_CHECKING:
    from sweep.analysis.selection import Selection
    from sweep.store.reference import Reference
    from sweep.store.store import Store


def table(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="One of the names below")] = "summary",
    root: RootOption = "results",
    reference: ReferenceOption = False,
    format: Annotated[
        Format | None,
        typer.Option(help="Default text; text, markdown and latex have the main columns, the others all"),
    ] = None,
    out: TableFileOption = None,
    variants: VariantsFilter = None,
    *,
    filters: FilterOptions,
    options: TableOptions,
    manual_dir: ManualOption = None,
) -> None:
    """Print statistics of the misses over seeds."""
    from sweep.analysis.tables.format import render
    from sweep.analysis.tables.table import load_table, make_table

    chosen = chosen_format(format, out)
    file = OutputFile(out, () if format else tuple(FORMAT_OF_SUFFIX)) if out else None
    main_only = chosen in MAIN_COLUMNS_ONLY
    with value_error_as_spec_error():
        frame, columns = make_table(
            _source(root, reference),
            name,
            manual_dir=manual_dir,
            main_only=main_only,
            **filters.of(variants),
            **given(options),
        )
    content = render(frame, chosen, columns if main_only else None, load_table(name).limit)
    if file:
        file.write(content)
    else:
        print(content)


def plot(
    name: Annotated[str, typer.Argument(metavar="PLOT", help="One of the names below")],
    root: RootOption = "results",
    reference: ReferenceOption = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"Write a file: {', '.join(FIGURE_SUFFIXES)}; default PLOT.png"),
    ] = None,
    variants: VariantsFilter = None,
    *,
    filters: FilterOptions,
    options: PlotOptions,
    manual_dir: ManualOption = None,
) -> None:
    """Plot the misses over seeds."""
    from sweep.analysis.plots.plot import load_plot, make_plot
    from sweep.analysis.plots.style import figure_format, to_bytes

    with value_error_as_spec_error():
        load_plot(name)  # rejects an unknown name, from which the file's name is made
        file = OutputFile(out or Path(f"{name}.png"), FIGURE_SUFFIXES)
        figure = make_plot(
            _source(root, reference),
            name,
            manual_dir=manual_dir,
            **filters.of(variants),
            **given(options),
        )
    file.write(to_bytes(figure, figure_format(file.path)))


def compare(
    misses: Annotated[int, typer.Option(metavar="N", help="Misclassified digits of your run")],
    variant: Annotated[
        str, typer.Option(metavar="NAME", help="Variant whose seeds to compare with, as in tables")
    ],
    root: RootOption = "results",
    reference: ReferenceOption = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"Also plot it: {', '.join(FIGURE_SUFFIXES)}")
    ] = None,
    *,
    filters: FilterOptions,
    split: SplitOption = None,
    digits: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Number of digits that your misses are counted in; selects the data set"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the misses of one run with the seeds of a variant.

    Where the root has no run of the variant, the runs that ship with the package are used.
    """
    from sweep.analysis.compare import compare as compared
    from sweep.store.reference import reference as shipped
    from sweep.store.store import Store

    file = OutputFile(out, FIGURE_SUFFIXES) if out else None
    with value_error_as_spec_error():
        source = shipped() if reference else Store(root)
        found = compared(source, variant, misses, split=split or "test", digits=digits, **filters.of(None))
    if file:
        from sweep.analysis.plots.differences import place as draw
        from sweep.analysis.plots.style import figure_format, to_bytes

        figure = draw(found.runs, split or "test", misses)
        file.write(to_bytes(figure, figure_format(file.path)))
    if as_json:
        print_json(found.document())
        return
    print(found.sentence)
    for note in [*found.notes, *found.warnings]:
        say(printable(note))


def report(
    root: RootOption = "results",
    out: Annotated[Path, typer.Option(metavar="FILE", help="The HTML file")] = Path("report.html"),
    variants: VariantsFilter = None,
    *,
    filters: FilterOptions,
    numbers: NumbersOption = None,
    against: AgainstOption = None,
    manual_dir: ManualOption = None,
    follow: Annotated[
        bool, typer.Option("--watch", help="Rewrite the file while a sweep runs; an open page reloads itself")
    ] = False,
    interval: Annotated[
        int, typer.Option(metavar="SECONDS", callback=at_least(1), help="Time between two writes of --watch")
    ] = 30,
) -> None:
    """Write one HTML file with every table and plot."""
    from sweep.analysis.report import Running, make_report, waiting_page

    file = OutputFile(out, (".html", ".htm"))

    def make(running: Running | None) -> str:
        chosen = selection(root, manual_dir, filters.of(variants))
        if running and not chosen.store.files:
            return waiting_page(running)
        with value_error_as_spec_error():
            return make_report(chosen, numbers=numbers, against=against, running=running).html

    if follow:
        from sweep.cli.watch import watch

        watch(root, file, make, interval)
    else:
        file.write(make(None))


def chosen_format(format: Format | None, out: Path | None) -> Format:
    """The format given by `--format` or by the suffix of `--out`.

    Raises:
      SpecError: they contradict each other, or a binary format without a file.
    """
    by_suffix = FORMAT_OF_SUFFIX.get(out.suffix.lower()) if out else None
    if format and by_suffix and format != by_suffix:
        raise SpecError(f"--format {format} and --out {out} contradict each other: leave out --format")
    chosen: Format = format or by_suffix or "text"
    if chosen == "parquet" and out is None:
        raise SpecError("--format parquet writes a binary file: name it with --out")
    return chosen


def selection(root: str, manual_dir: str | None, filters: dict[str, str | None]) -> "Selection":
    from sweep.analysis.selection import Filters, Selection
    from sweep.store.store import existing

    return Selection(existing(root), Filters(**filters), manual_dir)


def _source(root: str, shipped: bool) -> "Store | Reference":
    from sweep.store.reference import reference
    from sweep.store.store import existing

    return reference() if shipped else existing(root)


@contextmanager
def value_error_as_spec_error() -> Iterator[None]:
    """The analysis raises ValueError for a request that it cannot answer."""
    try:
        yield
    except ValueError as error:
        raise SpecError(str(error)) from None
