"""Provide the native engine on a node to which a submission brought sources only."""

import fcntl
import os
import shutil
from pathlib import Path

from sweep.settings import KERNEL


def provide() -> None:
    """Put the library next to the sources. If that fails, the engine itself reports that it is missing.

    The node's installed library is copied if it was built from the same sources; otherwise the sources are compiled,
    once per node.
    """
    from model.engines.lanes.build import LIBRARY, BuildError, build
    from model.engines.lanes.library import missing

    if LIBRARY.exists():
        return
    with open(LIBRARY.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of the node wait here
        if LIBRARY.exists():
            return
        new = LIBRARY.with_suffix(".new")
        installed = os.environ.get(KERNEL)
        if installed and missing(Path(installed)) is None:
            shutil.copy(installed, new)
        else:
            try:
                build(new)
            except BuildError:
                return
        os.replace(new, LIBRARY)
