"""The commands about the program itself: `presets`, `info` and `replay`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import ManualOption, RootOption
from sweep.errors import SpecError
from sweep.replay.printed import REPLAYABLE


def presets() -> None:
    """List the presets, which are specs shipped with the package."""
    from sweep.spec.read import presets as shipped

    for name, about in shipped().items():
        print(f"{name:15s}{about}")


def info(root: RootOption = "results") -> None:
    """Print versions, devices, engines, data sets and the root."""
    from importlib.metadata import version

    from model.numerics import configure

    configure()
    import jax

    from data import DATASETS, describe
    from model.engines import ENGINES, load_engine
    from sweep.provenance import code_id
    from sweep.worker.worker import device_kind

    print(f"lecun1989-sweep  {code_id()}, Python {sys.version.split()[0]}")
    libraries = ("jax", "flax", "optax", "ray", "tensorflow-datasets", "pandas", "pyarrow")
    print(f"libraries        {', '.join(f'{name} {version(name)}' for name in libraries)}")
    print(f"devices          {len(jax.devices())} × {device_kind()}")
    for name, engine in ENGINES.items():
        reason = load_engine(name).unsupported()
        print(f"engine {name:10s}{f'not available: {reason}' if reason else engine.description}")
    for name in DATASETS:
        print(f"data {name:12s}{describe(name)}")
    print(f"results          {root if '://' in root else Path(root).absolute()}")


def replay(
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help=f"One of {', '.join(REPLAYABLE)}")],
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after N epochs; default all")
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
