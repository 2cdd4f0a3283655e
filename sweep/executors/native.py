"""The native engine for code that a submission brought: sources travel, libraries do not."""

import fcntl
import os
import shutil
from pathlib import Path

INSTALLED = "LECUN1989_KERNEL"  # environment of a node: the library that was built when the node was set up


def provide() -> None:
    """Put the library where the shipped code looks for it; the engine itself says when there is none.

    The node's installed library serves when it is of the same sources; else it is compiled, once for each node.
    """
    from model.engines.lanes.build import LIBRARY, BuildError, build
    from model.engines.lanes.library import missing

    if LIBRARY.exists():
        return
    with open(LIBRARY.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its neighbours on the node wait for it
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
