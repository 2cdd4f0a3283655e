"""The commands that train: `run` and `resume`."""

import os
import shlex
import sys
from glob import glob
from typing import TYPE_CHECKING, Annotated

import typer

from sweep.cli.options import (
    CheckpointOption,
    Device,
    ExecutionOptions,
    Executor,
    RootOption,
    SpecArgument,
    SpecOptions,
)
from sweep.cli.until import Goal, first_seeds
from sweep.errors import SpecError, printable
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.spec.spec import SweepSpec
    from sweep.store.store import Store

# Present on a machine with accelerators; Ray detects them in the same way.
_DEVICE_FILES = {"cpu": (), "gpu": ("/dev/nvidia[0-9]*",), "tpu": ("/dev/accel[0-9]*", "/dev/vfio/[0-9]*")}


def run(
    spec: SpecArgument = None,
    *,
    replaced: SpecOptions,
    root: RootOption = "results",
    execution: ExecutionOptions,
    checkpoint_seconds: CheckpointOption = 30.0,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="GOAL",
            help="Train 16, 32, 64 … seeds and stop early: decided (every step, as in `sweep table decisions`), or "
            "halfwidth=N (every mean to ±N misses)",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs to train and their time, and stop")
    ] = False,
) -> None:
    """Train the missing runs of a sweep and print its summary. The same command resumes, retries and extends."""
    from sweep.cli.training import train
    from sweep.spec.read import read_spec
    from sweep.store.store import Store

    wanted = read_spec(spec, **replaced.changes())
    store = Store(root)
    _require_engine(wanted, execution)
    _require_device(execution)
    settings = execution.settings(checkpoint_seconds=checkpoint_seconds)
    goal = Goal.parse(until) if until else None
    looks = goal.sizes(wanted) if goal else [len(wanted.seed_ranges)]
    if dry_run:
        _print_plan(first_seeds(wanted, looks[-1]), store, execution.workers)
        if looks[:-1]:
            print(f"--until {until} may end it after {', '.join(map(str, looks[:-1]))} seeds of each variant")
        return
    _require_cluster(execution)
    command = _command_line(sys.argv[1:])
    train([wanted], store, settings, command, execution.max_hours, execution.notify, goal)


def resume(root: RootOption = "results", *, execution: ExecutionOptions) -> None:
    """Train the missing runs of every sweep recorded under the root."""
    from sweep.cli.training import train
    from sweep.store.records import recorded_sweeps
    from sweep.store.store import existing

    store = existing(root)
    settings = execution.settings()
    _require_device(execution)
    _require_cluster(execution)
    specs = [record.spec for record in recorded_sweeps(store).values()]
    command = shlex.join(["sweep", "resume", "--root", root])
    train(specs, store, settings, command, execution.max_hours, execution.notify)


def _require_engine(spec: "SweepSpec", execution: ExecutionOptions) -> None:
    """Raise early if the named engine cannot train a variant on this machine.

    The workers check engines of accelerators and of a cluster, because this process opens no accelerator.
    """
    from model.engines import ENGINES, choose
    from model.numerics import configure

    if spec.engine == "auto" or execution.address is not None:
        return
    platforms = set(ENGINES[spec.engine].platforms)
    if execution.device is not Device.auto:
        platforms &= {execution.device.value}
    if execution.executor is Executor.ray and any(glob(p) for name in platforms for p in _DEVICE_FILES[name]):
        return
    configure(platform="cpu")
    for variant in {variant for variant, _ in spec.cells()}:
        choose(spec.engine, variant, "cpu")


def _require_device(execution: ExecutionOptions) -> None:
    """Raise early if this machine has no device of the named type. A cluster may have or add one."""
    device = execution.device.value
    if execution.address is None and device in ("gpu", "tpu") and not any(map(glob, _DEVICE_FILES[device])):
        raise SpecError(
            f"--device {device}: this machine has none: leave it out, or name a cluster by --address"
        )


def _command_line(arguments: list[str]) -> str:
    """The command that continues after an interruption, without the URL of a notification, which may be a secret."""
    shown = ["sweep", *arguments]
    for i, word in enumerate(shown):
        if word.startswith("--notify="):
            shown[i] = "--notify=URL"
        elif word == "--notify" and i + 1 < len(shown):
            shown[i + 1] = "URL"
    return shlex.join(shown)


def _require_cluster(execution: ExecutionOptions) -> None:
    """Raise early if no Ray cluster answers at an address of the form HOST:PORT."""
    from sweep.network import require_answer

    address = execution.address
    if execution.executor is Executor.ray and address not in (None, "auto", "local"):
        require_answer(address)


def _print_plan(spec: "SweepSpec", store: "Store", workers: int | None) -> None:
    """Print the cells of a spec, and the number and time of the runs that a run would train."""
    from sweep.cli.planning import time_text
    from sweep.driver.driver import count
    from sweep.driver.estimate import estimate
    from sweep.spec.explain import identical_note
    from sweep.spec.spec import dataset_label

    for variant, options in spec.cells():
        print(
            f"{variant.name} on {dataset_label(options)}: seeds {spec.seeds}, {counted(variant.epochs, 'epoch')}"
        )
    if note := identical_note(spec.identical()):
        print(note)
    found = estimate(spec, store)
    total = counted(count(spec), "run")
    print(f"{found.runs:,} of {total} would be trained in {store.root}; nothing was written")
    print(printable(time_text(found, workers or os.cpu_count() or 1)))
