"""Delete obsolete files under the lease: leftovers of killed drivers and of earlier plans."""

from collections.abc import Iterable

from sweep.spec.shard import Cell, Shard
from sweep.store.folder import is_temporary
from sweep.store.store import Store

_OWN = ("epochs", "labels", "checkpoints", "failures", "sweeps", "")  # "" for the top of the root


def tidy(store: Store, cells: Iterable[Cell], planned: Iterable[Shard]) -> None:
    """Delete temporary files, and files of these cells that belong to no finished or planned shard.

    - Temporary files of interrupted writes, of any cell.
    - Checkpoints and failures of shards that are not planned.
    - Labels of shards whose epochs file does not exist: they do not count, and their seeds are planned.

    Args:
      store: the root, held by this driver.
      cells: the cells of the sweep.
      planned: the shards that will be trained.

    Raises:
      StoreError: the root cannot be read or written.
    """
    for path in temporaries(store):
        store.folder.drop(path)
    keep = {shard.path for shard in planned}
    finished = {file.path for file in store.files}
    for cell_folder in {cell.folder for cell in cells}:
        for files in (store.checkpoints, store.failures):
            for path in files.paths(cell_folder):
                if path.partition("/")[2].rpartition(".")[0] not in keep:
                    store.folder.drop(path)
        for name in store.folder.names(f"labels/{cell_folder}", ".parquet"):
            if f"{cell_folder}/{name}" not in finished:
                store.folder.drop(f"labels/{cell_folder}/{name}.parquet")


def temporaries(store: Store) -> list[str]:
    """Paths of temporary files. None is in use if no driver runs."""
    if store.folder.sync is None:  # a put leaves none
        return []
    paths = store.folder.everything()
    return [p for p in paths if p.rpartition("/")[0].partition("/")[0] in _OWN and is_temporary(p)]
