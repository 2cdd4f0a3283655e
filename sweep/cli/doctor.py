"""The command `sweep doctor`. It imports what it needs inside, as in `sweep.cli.main`."""

from typing import Annotated

import typer


def doctor(
    root: Annotated[str, typer.Option(help="Where results are: a folder, gs://… or s3://…")] = "results",
    repair: Annotated[
        bool, typer.Option("--repair", help="Move damaged files to set-aside/ below the root; delete nothing")
    ] = False,
) -> None:
    """Read every file of a root and name what is damaged; with --repair, set it aside to be trained again."""
    from contextlib import nullcontext

    from sweep.errors import StoreError
    from sweep.store import lease
    from sweep.store.check import examine
    from sweep.store.store import Store

    store = Store(root)
    if not store.exists:
        raise StoreError(f"{root}: no sweep was ever run here; `sweep run` makes one")
    with lease.hold(store) if repair else nullcontext():
        findings = examine(store)
        for finding in findings:
            print(f"{root}/{finding.path}: {finding.what}")
            if repair and finding.set_aside:
                print(f"  set aside: {root}/{store.set_aside(finding.path)}")
    damaged = [f for f in findings if f.set_aside]
    if repair and damaged:
        print(f"{len(damaged)} set aside; `sweep resume --root {root}` trains again what they held")
    elif damaged:
        print(
            f"{len(damaged)} damaged; `sweep doctor --repair --root {root}` sets them aside, deleting nothing"
        )
    else:
        print(f"{len(store.files):,} finished shards, all whole")
    raise SystemExit(1 if damaged and not repair else 0)
