"""Provide the native engine on a node to which a submission brought sources only."""

import fcntl
import os
import shutil
from pathlib import Path

INSTALLED = "LECUN1989_KERNEL"  # environment of a node: the library that was built when the node was set up


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
        installed = os.environ.get(INSTALLED)
        if installed and missing(Path(installed)) is None:
            shutil.copy(installed, new)
        else:
            try:
                build(new)
            except BuildError:
                return
        os.replace(new, LIBRARY)
