"""Copy results from the head node to this machine with rsync."""

import io
import logging
from contextlib import redirect_stdout
from pathlib import Path

from sweep.cluster.jobs import root_on_head
from sweep.cluster.validate import read
from sweep.errors import SpecError, StoreError, one_line
from sweep.store.store import Store


def fetch(file: Path, root: str, to: Path) -> int:
    """Copy a results folder.

    Args:
      file: the cluster file.
      root: the root on the head node.
      to: a local root, created if missing.

    Returns:
      Number of finished shards in `to` afterwards.

    Raises:
      SpecError: the root is an object store, or `file` is not a cluster file.
      StoreError: the root is missing, the head node is unreachable, or `to` contains other files.
    """
    if "://" in root:
        raise SpecError(f"{root}: object stores need no fetch: use `sweep table --root {root}`")
    read(file)
    Store(str(to))  # rejects a folder with other files
    from ray.autoscaler.sdk import configure_logging, rsync

    configure_logging(verbosity=0)
    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    to.mkdir(parents=True, exist_ok=True)
    try:
        with redirect_stdout(io.StringIO()):  # hide Ray's progress messages
            rsync(str(file), source=f"{root_on_head(root)}/", target=f"{to.absolute()}/", down=True)
    except Exception as error:  # click's errors, or Ray's RuntimeError if no head node runs
        if not any(to.iterdir()):
            to.rmdir()
        raise StoreError(f"{root} of {file}: cannot fetch: {one_line(error)}") from None
    return len(Store(str(to)).files)
