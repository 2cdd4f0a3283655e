"""The commands that hand finished runs to other programs: `export` and `sql`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sweep.analysis.names import FORMAT_OF_SUFFIX, Format
from sweep.cli.options import RootOption
from sweep.cli.output import OutputFile
from sweep.cli.process import say
from sweep.cli.result_options import FilterOptions, TableFileOption, VariantsFilter
from sweep.cli.results import chosen_format, selection, value_error_as_spec_error
from sweep.export.registry import EXPERIMENT, TRACKERS
from sweep.text import counted

if TYPE_CHECKING:
    import pandas as pd


def export(
    tracker: Annotated[str, typer.Argument(metavar="TRACKER", help=", ".join(TRACKERS))],
    root: RootOption = "results",
    to: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="File, folder or server; docs/export.md lists the defaults"),
    ] = None,
    per: Annotated[
        Literal["seed", "variant"],
        typer.Option(help="One run of the tracker per seed, or per variant with statistics over its seeds"),
    ] = "seed",
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"mlflow: experiment, wandb: project; default {EXPERIMENT}"),
    ] = None,
    variants: VariantsFilter = None,
    *,
    filters: FilterOptions,
) -> None:
    """Copy finished runs to a tracker. A second export adds only new runs."""
    from sweep.export.tracker import export as exported

    with value_error_as_spec_error():
        result = exported(
            selection(root, None, filters.of(variants)), tracker, per=per, to=to, experiment=experiment
        )
    before = f", {result.present:,} already there" if result.present else ""
    say(f"{counted(result.added, 'run')} exported to {result.address}{before}")


def sql(
    statement: Annotated[
        str | None,
        typer.Argument(metavar="STATEMENT", help="In DuckDB's SQL; without it the columns of the views"),
    ] = None,
    root: RootOption = "results",
    format: Annotated[Format | None, typer.Option(help="Default text")] = None,
    out: TableFileOption = None,
) -> None:
    """Query finished runs with SQL.

    The views are epochs, final and predictions; docs/sql.md describes them.
    """
    from sweep.analysis.sql import COLUMNS_OF_VIEWS, query
    from sweep.analysis.tables.format import render
    from sweep.store.store import existing

    chosen = chosen_format(format, out)
    file = OutputFile(out, () if format else tuple(FORMAT_OF_SUFFIX)) if out else None
    with value_error_as_spec_error():
        frame = query(existing(root), COLUMNS_OF_VIEWS if statement is None else statement)
    content = render(frame, chosen) if chosen in ("json", "parquet") else _as_text(frame, chosen)
    if file:
        file.write(content)
    else:
        print(content)


def _as_text(frame: "pd.DataFrame", format: Format) -> str | bytes:
    """Render with lists as text, and names of columns such as `avg(f.x)` as they are."""
    from sweep.analysis.tables.format import Column, as_column, render

    frame = frame.map(lambda value: str(value) if isinstance(value, list) else value)
    if format == "csv":
        return render(frame, format)
    titles, names = frame.columns, [f"c{i}" for i in range(frame.shape[1])]
    frame = frame.set_axis(names, axis=1)
    columns = [
        Column(title, as_column(frame, name).pattern) for title, name in zip(titles, names, strict=True)
    ]
    return render(frame, format, columns)
