"""Seed sweeps from Python: a spec, a run, and tables as pandas frames.

    from sweep import Settings, Store, make_table, read_spec, run

    store = Store("results")
    run(read_spec("quickstart", seeds="0:8"), store, Settings())
    frame, _ = make_table(store, "summary")

Names load what they need when they are first used, so that importing a leaf loads only that leaf.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.analysis.frames import make_table
    from sweep.driver.driver import run
    from sweep.settings import Settings
    from sweep.spec.spec import read_spec
    from sweep.store.store import Store

__all__ = ["Settings", "Store", "make_table", "read_spec", "run"]

_HOMES = {
    "Settings": "sweep.settings",
    "Store": "sweep.store.store",
    "make_table": "sweep.analysis.frames",
    "read_spec": "sweep.spec.spec",
    "run": "sweep.driver.driver",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sweep' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
