"""Results from the head to this machine, by the cluster's own rsync."""

import io
import logging
from contextlib import redirect_stdout
from pathlib import Path

from sweep.cluster.jobs import root_on_head
from sweep.cluster.validate import read
from sweep.errors import SpecError, StoreError
from sweep.store.store import Store


def fetch(file: Path, root: str, to: Path) -> int:
    """Copy a results folder.

    Args:
      file: what `ray up` was given.
      root: on the head.
      to: a folder of results here, or one that is to be made.

    Returns:
      Finished shards that are here afterwards.

    Raises:
      SpecError: the root needs no fetching, or the file is none.
      StoreError: nothing is there, the head is not to be reached, or `to` holds other things.
    """
    if "://" in root:
        raise SpecError(f"{root}: needs no fetching: `sweep table --root {root}` reads it from anywhere")
    read(file)
    Store(str(to))  # refuses a folder of other things
    from ray.autoscaler.sdk import configure_logging, rsync

    configure_logging(verbosity=0)
    logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
    to.mkdir(parents=True, exist_ok=True)
    try:
        with redirect_stdout(io.StringIO()):  # what Ray says of its own steps
            rsync(str(file), source=f"{root_on_head(root)}/", target=f"{to.absolute()}/", down=True)
    except Exception as error:  # click's, Ray's RuntimeError when no head is up …
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if not any(to.iterdir()):
            to.rmdir()
        raise StoreError(f"{root} of {file}: cannot be fetched: {reason}") from None
    return len(Store(str(to)).files)
