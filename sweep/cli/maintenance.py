"""The commands that change the files of a root without training: `merge` and `forget`."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import RootOption
from sweep.errors import SpecError, printable
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.spec.shard import Cell
    from sweep.store.merge import Contribution
    from sweep.store.store import Store

DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, and stop")]


def merge(
    sources: Annotated[list[str], typer.Argument(metavar="ROOT", help="The roots to copy from")],
    root: RootOption = "results",
    dry_run: DryRun = False,
) -> None:
    """Copy the finished runs of other roots into one.

    Every file is verified first. Runs that are already there stay as they are; the other roots are not changed.
    The records of their sweeps are copied too.
    """
    from sweep.store import lease
    from sweep.store.merge import copy, plan_merge
    from sweep.store.status import in_progress
    from sweep.store.store import Store, existing

    target = Store(root)
    stores = [existing(source) for source in sources]
    for store in stores:
        if _place(store) == _place(target):
            raise SpecError(f"{store.root}: is the root to copy to: name other roots, or another --root")
    with ExitStack() as stack:
        check = stack.enter_context(lease.hold(target)) if target.exists and not dry_run else None
        target.refresh()
        plan = plan_merge(target, stores)
        if not dry_run:
            target.open_for_writing()
            copy(target, plan, check or stack.enter_context(lease.hold(target)))
    for store, found in zip(stores, plan.contributions, strict=True):
        for line in _describe(found, root, dry_run):
            print(printable(f"{found.root}: {line}"))
        if partial := in_progress(store).runs:
            print(printable(f"{found.root}: {counted(partial, 'run')} in progress there, not copied"))
    if dry_run:
        print("nothing was written")


def _place(store: "Store") -> str:
    """The folder of a root in one form, however its address is written."""
    return os.path.realpath(store.folder.base) if store.local else store.folder.base


def _describe(found: "Contribution", root: str, dry_run: bool) -> list[str]:
    verb = "would be copied" if dry_run else "copied"
    lines = [f"{counted(found.runs, 'run')} in {counted(len(found.copies), 'shard')} {verb} to {root}"]
    if found.kept:
        lines.append(f"weights of {counted(found.kept, 'run')} {verb}")
    if found.present:
        lines.append(f"{counted(found.present, 'run')} already in {root}")
    if found.different:
        lines.append(
            f"WARNING: {found.different} of these have other values here, as of another engine or version; "
            f"{root} keeps its own (`sweep table tooling --root {root} --against {found.root}` compares them)"
        )
    return lines


def forget(
    variants: Annotated[
        str,
        typer.Option(
            "--variants",
            "--variant",
            metavar="NAMES",
            help="Delete the runs of these variants; 'base,*' is every override of base",
        ),
    ],
    dataset: Annotated[str | None, typer.Option(metavar="NAMES", help="Only on these data sets")] = None,
    root: RootOption = "results",
    dry_run: DryRun = False,
) -> None:
    """Delete all runs of some variants.

    Their checkpoints and failures are deleted too. The record of a sweep is deleted if
    none of its cells is left.
    """
    from sweep.store import lease
    from sweep.store.forget import delete, known_cells, plan_deletion
    from sweep.store.store import existing

    store = existing(root)
    with ExitStack() as stack:
        check = None if dry_run else stack.enter_context(lease.hold(store))
        store.refresh()
        chosen = _chosen(known_cells(store), variants, dataset)
        plan = plan_deletion(store, chosen)
        if check:
            delete(store, plan, check)
    verb = "would be deleted" if dry_run else "deleted"
    for cell, runs in plan.runs.items():
        print(printable(f"{cell.variant.name} on {cell.dataset}: {counted(runs, 'run')} {verb}"))
    for name in plan.records:
        print(f"{name}: the record of this sweep {verb}")
    for name in plan.kept:
        print(
            f"{name}: this sweep has other cells, so its record stays and `sweep resume` trains these runs again"
        )
    print("nothing was written" if dry_run else f"{counted(len(plan.files), 'file')} deleted")


def _chosen(known: "set[Cell]", variants: str, dataset: str | None) -> "set[Cell]":
    """The cells with these names.

    Raises:
      SpecError: a name fits no cell.
    """
    from fnmatch import fnmatchcase

    from model.names import nearest
    from sweep.analysis.selection import matches_variant, split_names

    chosen = known
    filters: list[tuple[str, str | None, Callable[[Cell], str], Callable[[str, str], bool]]] = [
        ("variant", variants, lambda cell: cell.variant.name, matches_variant),
        ("data set", dataset, lambda cell: cell.dataset, lambda stored, name: fnmatchcase(stored, name)),
    ]
    for what, wanted, value, match in filters:
        if wanted is None:
            continue
        for name in split_names(wanted):
            if not any(match(value(cell), name) for cell in chosen):
                names = sorted({value(cell) for cell in known})
                raise SpecError(f"no run has {what} {name!r}{nearest(name, names)}")
        chosen = {cell for cell in chosen if any(match(value(cell), name) for name in split_names(wanted))}
    return chosen
