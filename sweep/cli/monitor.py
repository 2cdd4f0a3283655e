"""The commands that monitor a sweep: `status` and `top`. They read only the store."""

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sweep.cli.options import JobsOption, JsonOption, RootOption
from sweep.cli.output import print_json, print_table
from sweep.errors import printable
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.store.status import InProgress, RootStatus

_UNNAMED = re.compile("sweep-[0-9a-f]{8}")  # the default of `SweepSpec.name`, and a digest


def status(root: RootOption = "results", address: JobsOption = None, as_json: JsonOption = False) -> None:
    """Count the done, running, missing, diverged and failed runs.

    Works while a sweep runs.
    """
    if address is not None:
        from sweep.cli.cluster import ask

        ask("status --json" if as_json else "status", address, root)
        return
    from sweep.store.status import status as root_status
    from sweep.store.store import existing

    state = root_status(existing(root))
    if as_json:
        print_json(asdict(state))
    else:
        _print_status(state)


def _print_status(state: "RootStatus") -> None:
    from sweep.store.lease import named

    head = ("variant", "data", "wanted", "done", "running", "missing", "diverged")
    for name, rows in state.sweeps.items():
        cells = []
        for row in rows:
            running = f"{row.running} (epoch {row.epoch})" if row.running else 0
            cells.append((row.variant, row.dataset, row.wanted, row.done, running, row.missing, row.diverged))
        print_table(head, cells, wrapped=("variant", "data"), title=_title(name))
    if driver := state.driver:
        print(printable(f"running: {named(driver)}"))
    else:
        print("no driver is running")
    for place, waits in enumerate(state.waiting, 1):
        print(printable(f"waiting, {place}: {named(asdict(waits))}, priority {waits.priority}"))
    if state.in_progress.runs:
        print(progress_text(state.in_progress, running=bool(driver)))
    for failure in state.failed:
        print(printable(f"failed: {failure.title}, see {state.root}/{failure.path}"))
    if state.quarantined:
        folder = state.quarantined[0].partition("/")[0]
        print(f"{len(state.quarantined)} damaged files in quarantine, see {state.root}/{folder}")


def _title(name: str) -> str:
    """The name of a sweep; its digest if the spec has no name."""
    return f"unnamed sweep, {name.removeprefix('sweep-')}" if _UNNAMED.fullmatch(name) else name


def progress_text(found: "InProgress", *, running: bool) -> str:
    """One line on the runs that a driver trains, or that a resume continues from checkpoints."""
    what, resume = ("in progress", "") if running else ("partly trained", "; a resume continues them")
    return f"{counted(found.runs, 'run')} {what}, {found.share:.0%} done{resume}"


def top(root: RootOption = "results", address: JobsOption = None, as_json: JsonOption = False) -> None:
    """List the shards in progress with host, device and speed."""
    if address is not None:
        from sweep.cli.cluster import ask

        ask("top --json" if as_json else "top", address, root)
        return
    from sweep.store.active import read_active
    from sweep.store.store import existing

    age, rows = read_active(existing(root))
    if as_json:
        print_json({"age_seconds": round(age, 1) if rows else None, "shards": rows})
    elif rows:
        _print_shards(rows, age)
    else:
        print("no shard is in progress")


def _print_shards(rows: list[dict[str, Any]], age: float) -> None:
    head = ("shard", "host", "chip", "device", "engine", "epoch", "replica-epochs/s")
    cells = [
        (
            *(row[key] for key in ("shard", "host", "chip", "device", "engine")),
            f"{row['epoch']}/{row['epochs']}",
            f"{row['rate']:.1f}",
        )
        for row in rows
    ]
    total = sum(row["rate"] for row in rows)
    caption = f"{counted(len(rows), 'shard')} in progress, {total:.1f} replica-epochs/s, {age:.0f} s ago"
    print_table(head, cells, wrapped=("shard", "host", "device"), caption=caption)
