"""Delete obsolete files under the lease: leftovers of killed drivers and of earlier plans."""

from collections.abc import Iterable

from pyarrow import fs

from sweep.spec.shard import Cell, Shard
from sweep.store import queue
from sweep.store.folder import is_temporary
from sweep.store.store import Store
from sweep.store.weights import drop_replaced

_OWN = (
    "epochs",
    "labels",
    "weights",
    "checkpoints",
    "failures",
    "sweeps",
    queue.FOLDER,
    "",
)  # "" for the top of the root


def tidy(store: Store, cells: Iterable[Cell], planned: Iterable[Shard]) -> None:
    """Delete temporary files, and files of these cells that belong to no finished or planned shard.

    - Temporary files of interrupted writes, of any cell.
    - Expired tickets of drivers that waited for the root.
    - Checkpoints and failures of shards that are not planned.
    - Labels of shards that are neither finished nor planned. Those of planned shards are replaced: a deletion that
      the network repeats late could otherwise hit the new file.
    - Weights of the runs that will be trained again, perhaps by another engine.

    Args:
      store: the root, held by this driver.
      cells: the cells of the sweep.
      planned: the shards that will be trained.

    Raises:
      StoreError: the root cannot be read or written.
    """
    for path in temporaries(store):
        store.folder.drop(path)
    queue.drop_expired(store)
    planned = list(planned)
    keep = {shard.path for shard in planned}
    finished = {file.path for file in store.files}
    for cell_folder in {cell.folder for cell in cells}:
        for files in (store.checkpoints, store.failures):
            for path in files.paths(cell_folder):
                if path.partition("/")[2].rpartition(".")[0] not in keep:
                    store.folder.drop(path)
        for name in store.folder.names(f"labels/{cell_folder}", ".parquet"):
            shard = f"{cell_folder}/{name}.parquet"
            unused = f"{cell_folder}/{name}" not in finished | keep
            if unused and not _exists(store, f"epochs/{shard}"):
                store.folder.drop(f"labels/{shard}")
    drop_replaced(store, planned)


def _exists(store: Store, path: str) -> bool:
    """Whether a file exists. A listing may be incomplete: over plain HTTP a cut response passes as a short one."""
    return bool(store.folder.kind(path) == fs.FileType.File)


def temporaries(store: Store) -> list[str]:
    """Paths of temporary files. None is in use if no driver runs, except tickets, whose drivers write them again."""
    if store.folder.sync is None:  # a put leaves none
        return []
    paths = store.folder.everything()
    return [p for p in paths if p.rpartition("/")[0].partition("/")[0] in _OWN and is_temporary(p)]
