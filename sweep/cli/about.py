"""The commands about the program itself: `presets`, `info` and `replay`."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweep.cli.options import JsonOption, ManualOption, RootOption, at_least
from sweep.cli.output import print_json
from sweep.errors import SpecError
from sweep.replay.printed import REPLAYABLE


def presets() -> None:
    """List the presets, which are specs shipped with the package."""
    from sweep.spec.read import presets as shipped

    found = shipped()
    width = max(map(len, found)) + 2
    for name, about in found.items():
        print(f"{name:{width}s}{about}")


def info(root: RootOption = "results", as_json: JsonOption = False) -> None:
    """Print versions, devices, engines, data sets and the root."""
    known = _information(root)
    if as_json:
        print_json(known)
        return
    print(f"lecun1989-sweep  {known['version']}, Python {known['python']}")
    print(f"libraries        {', '.join(f'{name} {number}' for name, number in known['libraries'].items())}")
    print(f"devices          {known['devices']['count']} × {known['devices']['kind']}")
    for name, engine in known["engines"].items():
        remark = engine["description"] if engine["available"] else f"not available: {engine['reason']}"
        print(f"engine {name:10s}{remark}")
    for name, place in known["datasets"].items():
        print(f"data {name:12s}{place}")
    print(f"results          {known['root']}")


def _information(root: str) -> dict[str, Any]:
    """The document of `sweep info --json`."""
    from importlib.metadata import version

    from model.numerics import configure

    configure()
    import jax

    from data import DATASETS, describe
    from model.engines import ENGINES, load_engine
    from sweep.provenance import code_id
    from sweep.worker.worker import device_kind

    reasons = {name: load_engine(name).unsupported() for name in ENGINES}
    libraries = ("jax", "flax", "optax", "ray", "tensorflow-datasets", "pandas", "pyarrow")
    return {
        "version": code_id(),
        "python": sys.version.split()[0],
        "libraries": {name: version(name) for name in libraries},
        "devices": {"count": len(jax.devices()), "kind": device_kind()},
        "engines": {
            name: {"available": not reasons[name], "description": engine.description, "reason": reasons[name]}
            for name, engine in ENGINES.items()
        },
        "datasets": {name: describe(name) for name in DATASETS},
        "root": root if "://" in root else str(Path(root).absolute()),
    }


def replay(
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help=f"One of {', '.join(REPLAYABLE)}")],
    epochs: Annotated[
        int | None, typer.Option(metavar="N", callback=at_least(1), help="Stop after N epochs; default all")
    ] = None,
    manual_dir: ManualOption = None,
) -> None:
    """Repeat a published notebook's run and compare the printed lines."""
    from data import load
    from data.options import DatasetOptions
    from model.names import nearest
    from model.numerics import configure
    from model.variants import VARIANTS

    if variant not in REPLAYABLE:
        raise SpecError(f"the notebooks printed no run of {variant!r}{nearest(variant, REPLAYABLE)}")
    configure(platform="cpu")
    digits = load(DatasetOptions("mnist"), manual_dir)
    from sweep.replay.printed import Agreement, notebook_lines
    from sweep.replay.replay import replay as replayed

    printed, agreement = notebook_lines(variant), Agreement()
    for line in replayed(variant, digits, min(epochs or 10**6, VARIANTS[variant].epochs)):
        if line.split == "train":
            print(f"epoch {line.epoch}")
        remark = ""
        if theirs := printed.get(line.key):
            print(f"  notebook  {theirs}")
            remark = f"  ({agreement.add(line, theirs)})"
        print(f"  ours      {line}{remark}", flush=True)
    print(agreement)
