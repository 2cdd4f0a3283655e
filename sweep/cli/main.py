"""The commands. Each imports what it needs inside: `--help`, `table` and `status` start fast."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sweep.cli import cluster as on_clusters
from sweep.cli import results as on_results
from sweep.cli.doctor import doctor
from sweep.cli.options import (
    CheckpointOption,
    DatasetOption,
    EngineOption,
    EpochsOption,
    ManualOption,
    RayOption,
    RecipeOption,
    RootOption,
    SeedsOption,
    SetOption,
    VariantsOption,
    WidthOption,
    WorkersOption,
    grid,
)

app = typer.Typer(
    help="How much does the seed matter? Seed sweeps of the first convolutional network trained on real data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WRONG_REQUEST, FAILED, INTERRUPTED = 2, 1, 130


class Choice(StrEnum):
    """Which executor runs the shards."""

    ray = "ray"
    inline = "inline"


ExecutorOption = Annotated[Choice, typer.Option("--executor", help="ray, or inline: this process alone")]


def main() -> None:
    """Entry point of the command `sweep`: wrong requests end in one line and exit code 2."""
    from data import DataUnavailable
    from sweep.errors import SpecError, StoreError

    try:
        app()
    except (SpecError, StoreError, DataUnavailable, ConnectionError) as error:
        _say(f"sweep: {error}")
        sys.exit(WRONG_REQUEST)


@app.command()
def run(
    spec: Annotated[
        str | None, typer.Argument(help="A YAML file, or a preset: `sweep presets` lists them")
    ] = None,
    variants: VariantsOption = None,
    recipe: RecipeOption = None,
    seeds: SeedsOption = None,
    dataset: DatasetOption = None,
    override: SetOption = None,
    epochs: EpochsOption = None,
    root: RootOption = "results",
    engine: EngineOption = None,
    executor: ExecutorOption = Choice.ray,
    address: RayOption = None,
    workers: WorkersOption = None,
    shard_width: WidthOption = None,
    checkpoint_seconds: CheckpointOption = 30.0,
    manual_dir: ManualOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop")] = False,
) -> None:
    """Train what is missing of a sweep, and print its table. The same command resumes, retries and extends."""
    from sweep.driver.driver import missing
    from sweep.settings import Settings
    from sweep.spec.read import read_spec
    from sweep.store.records import recorded_datasets
    from sweep.store.store import Store

    wanted = read_spec(
        spec,
        variants=variants,
        recipe=recipe,
        seeds=seeds,
        dataset=dataset,
        engine=engine,
        shard_width=shard_width,
        set=grid(override, epochs),
    )
    store = Store(root)
    if dry_run:
        recorded = recorded_datasets(store, wanted) if store.exists else None
        runs = len(list(wanted.cells())) * len(wanted.seed_ranges)
        for cell, options in wanted.cells():
            print(f"{cell.name} on {options.name}: seeds {wanted.seeds}, {cell.epochs} epochs")
        left = sum(len(s.seeds) for s in missing(wanted, store, recorded)) if recorded else runs
        print(f"{left:,} of {runs:,} runs would be trained in {root}; nothing was written")
        return
    settings = Settings(
        executor=executor.value,
        address=address,
        workers=workers,
        checkpoint_seconds=checkpoint_seconds,
        manual_dir=manual_dir,
    )
    again = " ".join(["sweep", *sys.argv[1:]])
    failed = train([wanted], store, settings, again)
    print_summary(store, [wanted])
    raise SystemExit(FAILED if failed else 0)


@app.command()
def resume(
    root: RootOption = "results",
    executor: ExecutorOption = Choice.ray,
    address: RayOption = None,
    workers: WorkersOption = None,
    manual_dir: ManualOption = None,
) -> None:
    """Finish every sweep recorded under the root: `run` with the stored specs."""
    from sweep.settings import Settings
    from sweep.store.records import recorded_sweeps
    from sweep.store.store import existing

    store = existing(root)
    specs = [spec for spec, _ in recorded_sweeps(store).values()]
    settings = Settings(executor=executor.value, address=address, workers=workers, manual_dir=manual_dir)
    failed = train(specs, store, settings, f"sweep resume --root {root}")
    print_summary(store, specs)
    raise SystemExit(FAILED if failed else 0)


@app.command()
def status(root: RootOption = "results", address: on_clusters.AddressOption = None) -> None:
    """What is done, running, missing, diverged and failed, from the store alone; also while a sweep runs."""
    if address is not None:
        on_clusters.ask("status", address, root)
        return
    from rich.table import Table

    from sweep.store import lease
    from sweep.store.status import sweep_status
    from sweep.store.store import existing

    store = existing(root)
    console = Console()
    for name, rows in sweep_status(store).items():
        table = Table(
            "variant", "data", *("wanted", "done", "running", "missing", "diverged"), title=name, box=None
        )
        for row in rows:
            under_way = f"{row.running} (epoch {row.epoch})" if row.running else "0"
            counts = (str(row.wanted), str(row.done), under_way, str(row.missing), str(row.diverged))
            table.add_row(row.variant, row.dataset, *counts)
        console.print(table)
    driver = lease.holder(store)
    if driver:
        print(f"at work: process {driver['pid']} on {driver['host']} since {driver['since']}")
    else:
        print("no driver is at work here")
    for path, title in store.failures.first_lines().items():
        print(f"failed: {title}, see {root}/{path}")


for look in (on_results.table, on_results.plot, on_results.compare, on_results.report, doctor):
    app.command()(look)


@app.command()
def replay(
    variant: Annotated[str, typer.Argument(help="base, softmax or dropout")],
    epochs: Annotated[int | None, typer.Option(min=1, help="Stop after this many; default all")] = None,
    manual_dir: Annotated[str | None, typer.Option(help="Folder of MNIST's original files")] = None,
) -> None:
    """Train exactly what the notebook trained: its printed line and ours, epoch by epoch."""
    from data import load
    from data.options import DatasetOptions
    from model.names import nearest
    from model.numerics import configure
    from model.variants import VARIANTS
    from sweep.errors import SpecError

    replayable = ("base", "softmax", "dropout")
    if variant not in replayable:
        raise SpecError(f"the notebooks printed no run of {variant!r}{nearest(variant, replayable)}")
    configure(platform="cpu")
    digits = load(DatasetOptions("mnist"), manual_dir)
    from sweep.replay.replay import notebook_lines
    from sweep.replay.replay import replay as replayed

    printed = notebook_lines()
    agreed = compared = 0
    for line in replayed(variant, digits, min(epochs or 10**6, VARIANTS[variant].epochs)):
        if line.split == "train":
            print(f"epoch {line.epoch}")
        theirs = printed.get((variant, line.epoch, line.split))
        if theirs:
            print(f"  notebook  {theirs}")
            compared += 1
            agreed += theirs == str(line)
        print(f"  ours      {line}{'  (the same)' if theirs == str(line) else ''}", flush=True)
    print(f"{agreed} of {compared} lines agree in every printed digit")


@app.command()
def presets() -> None:
    """The specs that come with the package."""
    from sweep.spec.read import presets as shipped

    for name, about in shipped().items():
        print(f"{name:15s}{about}")


@app.command()
def info(root: RootOption = "results") -> None:
    """Versions, devices, engines, data sets found, where results would go."""
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
        print(f"engine {name:10s}{f'missing: {reason}' if reason else engine.description}")
    for name in DATASETS:
        print(f"data {name:12s}{describe(name)}")
    print(f"results          {root if '://' in root else Path(root).absolute()}")


on_clusters.register(app)


def train(specs: list[Any], store: Any, settings: Any, again: str) -> bool:
    """Run specs one after the other; true when a shard failed."""
    from sweep.driver.cost import Costs
    from sweep.driver.eventlog import EventLog, logged
    from sweep.driver.progress import Display
    from sweep.driver.session import run as drive

    failed = False
    began = time.monotonic()
    with _sigterm_as_interrupt(), logged(store):
        try:
            for spec in specs:
                costs = Costs(file.metadata for file in store.files) if store.exists else Costs()
                display = Display(Console(stderr=True), costs)
                with display.shown():
                    outcome = drive(spec, store, settings, EventLog(store, display))
                if outcome.finished:
                    seconds = time.monotonic() - began
                    _say(f"{outcome.runs_trained:,} runs trained in {seconds:.0f} s, stored in {store.root}")
                for shard in outcome.failed:
                    _say(f"failed: {shard.title}; `sweep status --root {store.root}` says why")
                failed = failed or bool(outcome.failed)
        except KeyboardInterrupt:
            _say(f"interrupted; all that is finished is in {store.root}. To go on: {again}")
            sys.stderr.flush()
            raise SystemExit(INTERRUPTED) from None
    return failed


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """A polite kill ends a sweep as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_summary(store: Any, specs: list[Any]) -> None:
    from sweep.analysis.tables.format import render
    from sweep.analysis.tables.table import make_table

    names = ",".join(dict.fromkeys(cell.name for spec in specs for cell, _ in spec.cells()))
    if store.files:
        frame, narrow = make_table(store, "summary", main_only=True)
        print(render(frame, "text", narrow))
    else:
        _say(f"no run of {names} is finished yet")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
