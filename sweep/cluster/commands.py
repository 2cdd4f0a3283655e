"""The commands that speak with a cluster. Each imports what it needs inside, as in `sweep.cli`."""

from pathlib import Path
from typing import Annotated

import typer

WRONG_REQUEST = 2

cluster = typer.Typer(help="Files for `ray up`.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `sweep`."""
    app.add_typer(cluster, name="cluster")


@cluster.callback()
def _cluster() -> None:
    """Files for `ray up`."""


@cluster.command()
def validate(file: Annotated[Path, typer.Argument(help="Such as cluster.yaml")]) -> None:
    """Say, offline, what would go wrong with `ray up FILE`: one line a problem."""
    from sweep.cluster.validate import validate as check

    found = check(file)
    for line in found.problems:
        typer.echo(f"{file}: {line}", err=True)
    if found.problems:
        raise SystemExit(WRONG_REQUEST)
    for line in found.notes:
        typer.echo(f"note: {line}")
    typer.echo(f"{file}: nothing wrong is seen offline")
