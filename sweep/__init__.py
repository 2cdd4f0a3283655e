"""Seed sweeps from Python: a spec, a run, tables as pandas frames, plots as Matplotlib figures.

    from sweep import Settings, Store, make_plot, make_table, read_spec, run

    store = Store("results")
    run(read_spec("quickstart", seeds="0:8"), store, Settings())
    frame, _ = make_table(store, "summary")
    figure = make_plot(store, "raincloud")

`docs/api.md` describes every name. Each name loads its module on first use, so that `import sweep` stays fast.

Raises:
  ImportError: a module of the working directory (or elsewhere on the path) hides the package `data` or `model`.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.analysis.compare import compare
    from sweep.analysis.plots.plot import make_plot
    from sweep.analysis.sql import query
    from sweep.analysis.tables.table import make_table
    from sweep.driver.session import run
    from sweep.settings import Settings
    from sweep.spec.read import read_spec
    from sweep.store.reference import reference
    from sweep.store.status import status
    from sweep.store.store import Store

__all__ = [
    "Settings",
    "Store",
    "compare",
    "make_plot",
    "make_table",
    "query",
    "read_spec",
    "reference",
    "run",
    "status",
]

_HOMES = {
    "Settings": "sweep.settings",
    "Store": "sweep.store.store",
    "compare": "sweep.analysis.compare",
    "make_plot": "sweep.analysis.plots.plot",
    "make_table": "sweep.analysis.tables.table",
    "query": "sweep.analysis.sql",
    "read_spec": "sweep.spec.read",
    "reference": "sweep.store.reference",
    "run": "sweep.driver.session",
    "status": "sweep.store.status",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sweep' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def _hidden_by(name: str) -> str | None:
    """Path of the module that Python imports instead of this project's package `name`; None if it is ours."""
    loaded = sys.modules.get(name)
    spec = loaded.__spec__ if loaded else find_spec(name)
    if spec is None:
        return None
    origin = spec.origin or next(iter(spec.submodule_search_locations or []), name)
    ours = Path(__file__).parent.parent / name / "__init__.py"
    return None if Path(origin).resolve() == ours.resolve() else origin


def _check_packages() -> None:
    for name in ("data", "model"):
        if path := _hidden_by(name):
            message = (
                f"{path} hides the package {name!r} of lecun1989-sweep: "
                f"rename it, or start Python in another directory"
            )
            if sys.argv[:1] == ["-m"]:  # Python still locates the module: `python -m sweep`
                print(f"sweep: {message}", file=sys.stderr)
                sys.exit(2)
            raise ImportError(message)


_check_packages()
