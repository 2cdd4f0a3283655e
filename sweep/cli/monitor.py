"""The commands that monitor a sweep: `status` and `top`. They read only the store."""

from typing import TYPE_CHECKING

from sweep.cli.options import JobsOption, RootOption
from sweep.cli.output import print_table
from sweep.errors import printable
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.store.status import InProgress

OLDEST_LIST_SECONDS = 120.0  # older lists of shards are ignored; longer than an epoch on a slow machine


def status(root: RootOption = "results", address: JobsOption = None) -> None:
    """Count the done, running, missing, diverged and failed runs.

    Works while a sweep runs.
    """
    if address is not None:
        from sweep.cli.cluster import ask

        ask("status", address, root)
        return
    from sweep.store import lease
    from sweep.store.status import in_progress, sweep_status
    from sweep.store.store import existing

    store = existing(root)
    head = ("variant", "data", "wanted", "done", "running", "missing", "diverged")
    for name, rows in sweep_status(store).items():
        cells = []
        for row in rows:
            running = f"{row.running} (epoch {row.epoch})" if row.running else 0
            cells.append((row.variant, row.dataset, row.wanted, row.done, running, row.missing, row.diverged))
        print_table(head, cells, wrapped=("variant", "data"), title=name)
    driver = lease.holder(store)
    if driver:
        print(printable(f"running: process {driver['pid']} on {driver['host']} since {driver['since']}"))
    else:
        print("no driver is running")
    if partial := partly_trained(in_progress(store)):
        print(partial)
    for path, title in store.failures.first_lines().items():
        print(printable(f"failed: {title}, see {root}/{path}"))
    if quarantined := store.quarantined():
        folder = quarantined[0].partition("/")[0]
        print(f"{len(quarantined)} damaged files in quarantine, see {root}/{folder}")


def partly_trained(found: "InProgress") -> str:
    """One line on the partly trained runs; "" if there are none."""
    if not found.runs:
        return ""
    return f"{counted(found.runs, 'run')} in progress, {found.share:.0%} done; a resume keeps them"


def top(root: RootOption = "results", address: JobsOption = None) -> None:
    """List the shards in progress with host, device and speed."""
    if address is not None:
        from sweep.cli.cluster import ask

        ask("top", address, root)
        return
    from sweep.driver.eventlog import workers
    from sweep.store import lease
    from sweep.store.store import existing

    store = existing(root)
    age, rows = workers(store)
    if not rows or age > OLDEST_LIST_SECONDS or lease.holder(store) is None:
        print("no shard is in progress")
        return
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
