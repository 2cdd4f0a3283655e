"""The command `sweep doctor`."""

from typing import Annotated

import typer

from sweep.cli.options import RootOption
from sweep.text import counted


def doctor(
    root: RootOption = "results",
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Move damaged files to quarantine/ below the root; delete nothing"),
    ] = False,
) -> None:
    """Verify every file of a root and list the damaged ones.

    --repair quarantines them, so that their seeds are trained again.
    """
    from contextlib import nullcontext

    from sweep.errors import printable
    from sweep.store import lease
    from sweep.store.check import examine
    from sweep.store.store import existing

    store = existing(root)
    with lease.hold(store) if repair else nullcontext():
        findings = examine(store)
        for finding in findings:
            print(f"{root}/{printable(finding.path)}: {printable(finding.what)}")
            if repair and finding.severity == "damaged":
                print(f"  moved to {root}/{printable(store.quarantine(finding.path))}")
    damaged = sum(finding.severity == "damaged" for finding in findings)
    unverified = sum(finding.severity == "unverified" for finding in findings)
    if repair and damaged:
        print(
            f"{counted(damaged, 'file')} quarantined; `sweep resume --root {root}` trains their seeds again"
        )
    elif damaged:
        print(
            f"{counted(damaged, 'damaged file')}; `sweep doctor --repair --root {root}` moves them to quarantine"
        )
    if unverified:
        print(f"{counted(unverified, 'file')} could not be verified")
    if not damaged and not unverified:
        print(f"{counted(len(store.files), 'finished shard')}, no damage found")
    raise SystemExit(1 if unverified or (damaged and not repair) else 0)
