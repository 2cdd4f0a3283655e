"""The commands that speak with a cluster. Each imports what it needs inside, as in `sweep.cli.main`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import (
    CheckpointOption,
    DatasetOption,
    EngineOption,
    EpochsOption,
    ManualOption,
    RecipeOption,
    SeedsOption,
    SetOption,
    VariantsOption,
    WidthOption,
    grid,
)

if TYPE_CHECKING:
    from sweep.cluster.jobs import Cluster

WRONG_REQUEST = 2
STALE_SECONDS = 120.0  # an epoch on a slow machine may take that long

AddressOption = Annotated[
    str | None,
    typer.Option(help="A cluster's jobs, such as http://127.0.0.1:8265, where `ray dashboard` opens the way"),
]
HeadRootOption = Annotated[
    str, typer.Option(help="Where results go: a folder in the head's home, gs://… or s3://…")
]
JobArgument = Annotated[str, typer.Argument(help="As `sweep jobs` lists it")]

cluster = typer.Typer(help="Files for `ray up`.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `sweep`."""
    app.add_typer(cluster, name="cluster")
    for command in (submit, jobs, logs, stop, top, fetch):
        app.command()(command)


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


def submit(
    specs: Annotated[list[str], typer.Argument(help="YAML files, or presets: `sweep presets` lists them")],
    address: AddressOption = None,
    root: HeadRootOption = "results",
    variants: VariantsOption = None,
    recipe: RecipeOption = None,
    seeds: SeedsOption = None,
    dataset: DatasetOption = None,
    override: SetOption = None,
    epochs: EpochsOption = None,
    engine: EngineOption = None,
    shard_width: WidthOption = None,
    checkpoint_seconds: CheckpointOption = 30.0,
    manual_dir: ManualOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Show what it says until it ends")] = False,
) -> None:
    """Have a cluster train sweeps. The same again, later, resumes; while it is under way, it changes nothing."""
    from sweep.cluster.jobs import Cluster, root_on_head
    from sweep.spec.read import read_spec

    changes: dict[str, Any] = {
        "variants": variants,
        "recipe": recipe,
        "seeds": seeds,
        "dataset": dataset,
        "engine": engine,
    }
    wanted = [
        read_spec(spec, **changes, shard_width=shard_width, set=grid(override, epochs)) for spec in specs
    ]
    options = {"checkpoint_seconds": checkpoint_seconds, "manual_dir": manual_dir}
    server = Cluster(address)
    name, new = server.submit(wanted, root_on_head(root), options)
    typer.echo(
        f"submitted {name}" if new else f"{name} is under way already; nothing was submitted", err=True
    )
    print(name, flush=True)
    if follow:
        _follow(server, name)


def jobs(address: AddressOption = None) -> None:
    """Sweeps that were submitted to a cluster."""
    from rich.console import Console
    from rich.table import Table

    from sweep.cluster.jobs import Cluster

    table = Table("job", "status", "began", "results", "trains", box=None, pad_edge=False)
    for job in Cluster(address).jobs():
        began = datetime.fromtimestamp(job.began).strftime("%m-%d %H:%M:%S") if job.began else ""
        table.add_row(job.name, job.status, began, job.root, job.asks)
    Console(soft_wrap=True).print(table if table.rows else "no sweep was submitted there")


def logs(
    job: JobArgument,
    address: AddressOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job ends")] = False,
) -> None:
    """What a submitted sweep says."""
    from sweep.cluster.jobs import Cluster

    server = Cluster(address)
    if follow:
        _follow(server, job)
    else:
        sys.stdout.write(server.logs(job))


def stop(job: JobArgument, address: AddressOption = None) -> None:
    """End a submitted sweep; finished shards and checkpoints stay, submitting it again goes on."""
    from sweep.cluster.jobs import Cluster

    ended = Cluster(address).stop(job)
    typer.echo(f"{job}: {ended.status}", err=True)


def top(root: HeadRootOption = "results", address: AddressOption = None) -> None:
    """Who is at work: each shard under way, its host, device and pace; also while a sweep runs."""
    from rich.console import Console
    from rich.table import Table

    from sweep.driver.eventlog import workers
    from sweep.store.store import Store

    if address is not None:
        ask("top", address, root)
        return
    age, rows = workers(Store(root))
    if not rows or age > STALE_SECONDS:
        print("no shard is under way")
        return
    table = Table(
        "shard", "host", "chip", "device", "engine", "epoch", "replica-epochs/s", box=None, pad_edge=False
    )
    for row in rows:
        epoch = f"{row['epoch']}/{row['epochs']}"
        table.add_row(
            row["shard"], row["host"], row["chip"], row["device"], row["engine"], epoch, f"{row['rate']:.1f}"
        )
    table.caption = (
        f"{len(rows)} at work, {sum(row['rate'] for row in rows):.1f} replica-epochs/s, {age:.0f} s ago"
    )
    Console(soft_wrap=True).print(table)


def fetch(
    file: Annotated[Path, typer.Argument(help="The file that `ray up` was given")],
    root: HeadRootOption = "results",
    to: Annotated[Path, typer.Option(help="The folder here that receives them")] = Path("results"),
) -> None:
    """Copy results from the head of a cluster; what is here already stays, finished or not the sweep may be."""
    from sweep.cluster.fetch import fetch as copy

    print(f"{copy(file, root, to):,} finished shards in {to}")


def ask(command: str, address: str, root: str) -> None:
    """Run a reading command of `sweep` on the head, and print what it says."""
    import shlex

    from sweep.cluster.jobs import Cluster, root_on_head

    print(Cluster(address).ask(f"{command} --root {shlex.quote(root_on_head(root))}"))


def _follow(server: "Cluster", job: str) -> None:
    for text in server.follow(job):
        sys.stdout.write(text)
        sys.stdout.flush()
