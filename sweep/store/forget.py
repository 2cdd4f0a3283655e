"""Delete the runs of some cells, and the records of sweeps that have no other cell."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from sweep.spec.shard import Cell
from sweep.store.check import shard_of
from sweep.store.records import cells, recorded_sweeps
from sweep.store.store import Store

_PER_SHARD = (
    "epochs",
    "labels",
    "weights",
    "checkpoints",
    "failures",
)  # in this order: without epochs a shard is unfinished


@dataclass(frozen=True)
class Deletion:
    """A plan.

    Attributes:
      runs: number of finished runs of each cell.
      files: paths to delete, in order.
      records: names of sweeps whose record is deleted.
      kept: names of sweeps whose record stays although some of their cells are deleted.
    """

    runs: dict[Cell, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    records: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def known_cells(store: Store) -> set[Cell]:
    """Cells of the finished shards and of the recorded sweeps.

    Raises:
      StoreError: a file or a record is damaged.
    """
    found = [shard_of(file.metadata).cell for file in store.files]
    found += [cell for spec, datasets in recorded_sweeps(store).values() for cell in cells(spec, datasets)]
    return set({cell.key: cell for cell in found}.values())


def plan_deletion(store: Store, chosen: Collection[Cell]) -> Deletion:
    """The files of some cells. Nothing is deleted.

    Raises:
      StoreError: a file or a record is damaged.
    """
    plan = Deletion()
    for cell in sorted(chosen, key=lambda cell: cell.folder):
        plan.runs[cell] = sum(len(file.seeds) for file in store.files if file.key == cell.key)
        for kind in _PER_SHARD:
            folder = f"{kind}/{cell.folder}"
            plan.files.extend(f"{folder}/{name}" for name in store.folder.names(folder))
    keys = {cell.key for cell in chosen}
    for name, (spec, datasets) in recorded_sweeps(store).items():
        of_sweep = {cell.key for cell in cells(spec, datasets)}
        if of_sweep <= keys:
            plan.records.append(name)
        elif of_sweep & keys:
            plan.kept.append(name)
    plan.files.extend(f"sweeps/{name}.json" for name in plan.records)
    return plan


def delete(store: Store, plan: Deletion, check: Callable[[], None]) -> None:
    """Delete the files of a plan. If it is interrupted, a second call deletes the rest.

    Args:
      store: the root, held by this process.
      plan: the files.
      check: called before each deletion; raises StoreError if another driver has taken over the root.

    Raises:
      StoreError: a file cannot be deleted.
    """
    for path in plan.files:
        check()
        store.folder.drop(path)
    store.refresh()
