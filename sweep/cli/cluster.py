"""The commands for clusters: `submit`, `jobs`, `logs`, `stop`, `fetch` and `cluster validate`."""

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import (
    CheckpointOption,
    JobArgument,
    JobsOption,
    JsonOption,
    ManualOnHeadOption,
    PriorityOption,
    RootOption,
    SpecOptions,
    epilog,
)
from sweep.cli.output import print_json, print_table
from sweep.cli.process import WRONG_REQUEST, say
from sweep.errors import printable

if TYPE_CHECKING:
    from sweep.cluster.jobs import Cluster

app = typer.Typer(help="Check a cluster file for `ray up`.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _cluster() -> None:
    """Check a cluster file for `ray up`."""


@app.command(epilog=epilog("sweep cluster validate cluster.yaml"))
def validate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A cluster file, such as cluster.yaml")],
) -> None:
    """Report the problems of a cluster file without network access."""
    from sweep.cluster.validate import validate as check

    found = check(file)
    for line in found.problems:
        say(printable(f"{file}: {line}"))
    if found.problems:
        raise SystemExit(WRONG_REQUEST)
    for line in found.notes:
        print(printable(f"note: {line}"))
    print(printable(f"{file}: no problem found offline"))


def submit(
    specs: Annotated[
        list[str], typer.Argument(metavar="SPECS", help="YAML files or presets (`sweep presets` lists them)")
    ],
    address: JobsOption = None,
    root: RootOption = "results",
    *,
    replaced: SpecOptions,
    checkpoint_seconds: CheckpointOption = 30.0,
    priority: PriorityOption = 0,
    manual_dir: ManualOnHeadOption = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print the job's output until it ends")] = False,
) -> None:
    """Train sweeps on a cluster. Submitting the same again resumes it; while it runs, nothing changes.

    A sweep waits for the earlier ones of its root. A relative root is a folder in the home directory of the head.
    """
    from sweep.cluster.jobs import Cluster, root_on_head
    from sweep.spec.read import read_spec

    changes = replaced.changes()
    wanted = [read_spec(spec, **changes) for spec in specs]
    options = {"checkpoint_seconds": checkpoint_seconds, "manual_dir": manual_dir, "priority": priority}
    server = Cluster(address)
    name, new = server.submit(wanted, root_on_head(root), options)
    say(f"submitted {name}" if new else f"{name} is active; nothing was submitted")
    print(name, flush=True)
    if follow:
        _follow(server, name)


def jobs(address: JobsOption = None, as_json: JsonOption = False) -> None:
    """List the submitted sweeps of a cluster.

    Those that wait for their root are at the end, in order.
    """
    from sweep.cluster.jobs import Cluster

    found = Cluster(address).jobs()
    if as_json:
        print_json({"jobs": [asdict(job) for job in found]})
        return
    rows = [
        (
            job.name,
            f"WAITING {job.waiting}" if job.waiting else job.status,
            job.priority,
            datetime.fromtimestamp(job.began).strftime("%m-%d %H:%M:%S") if job.began else "",
            job.root,
            job.summary,
        )
        for job in found
    ]
    if rows:
        head = ("job", "status", "priority", "started", "root", "sweep")
        print_table(head, rows, wrapped=("job", "root", "sweep"))
    else:
        print("no sweep was submitted to this cluster")


def logs(
    job: JobArgument,
    address: JobsOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue until the job ends")] = False,
) -> None:
    """Print the output of a submitted sweep."""
    from sweep.cluster.jobs import Cluster

    server = Cluster(address)
    if follow:
        _follow(server, job)
    else:
        sys.stdout.write(server.logs(job))


def stop(job: JobArgument, address: JobsOption = None) -> None:
    """Stop a submitted sweep. Finished shards and checkpoints stay; submitting it again continues."""
    from sweep.cluster.jobs import Cluster

    ended = Cluster(address).stop(job)
    say(f"{job}: {ended.status}")


def fetch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The cluster file of `ray up`")],
    root: RootOption = "results",
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Local folder for the results")] = Path(
        "results"
    ),
) -> None:
    """Copy results from the head of a cluster. Local results are kept.

    Works while a sweep runs.
    """
    from sweep.cluster.fetch import fetch as copy

    print(printable(f"{copy(file, root, to):,} finished shards in {to}"))


def ask(command: str, address: str, root: str) -> None:
    """Run a read-only command of `sweep` on the head and print its output."""
    import shlex

    from sweep.cluster.jobs import Cluster, root_on_head

    print(Cluster(address).run_command(f"{command} --root {shlex.quote(root_on_head(root))}"))


def _follow(server: "Cluster", job: str) -> None:
    for text in server.follow(job):
        sys.stdout.write(text)
        sys.stdout.flush()
