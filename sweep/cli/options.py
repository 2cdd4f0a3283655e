"""Options that several commands share, each defined once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from data.options import DATASETS
from model.engines import ENGINES
from model.variants import OVERRIDABLE, RECIPES, VARIANTS
from sweep.errors import SpecError
from sweep.network import require_url
from sweep.settings import Settings


class Executor(StrEnum):
    """Where shards are trained."""

    ray = "ray"
    inline = "inline"


class Device(StrEnum):
    """Devices that shards may use."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"
    tpu = "tpu"


def epilog(*examples: str, names: Mapping[str, str] | None = None) -> str:
    """Text below the help of a command: the names that its argument accepts, and examples, one per line.

    names: one line about each.
    """
    known = [f"  {name:14s}{about}" for name, about in (names or {}).items()]
    return "\n\n".join(
        "\b\n" + "\n".join(lines)
        for lines in (["Names:", *known], ["Examples:", *(f"  {example}" for example in examples)])
        if len(lines) > 1
    )


def at_least(least: float) -> Callable[[float | None], float | None]:
    """A check of an option's value, in the wording of specs."""

    def check(value: float | None) -> float | None:
        if value is not None and value < least:
            raise typer.BadParameter(f"{value:g} is too small: at least {least:g}")
        return value

    return check


def _hours(value: float | None) -> float | None:
    if value is not None and not 0 <= value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number of hours: at least 0")
    return value


def _existing_folder(path: str | None) -> str | None:
    if path is not None and not Path(path).expanduser().is_dir():
        raise typer.BadParameter(f"{path!r} is not a folder")
    return path


def _web_address(url: str | None) -> str | None:
    if url is not None:
        require_url("--notify", url)
    return url


# --- the spec: options that replace its keys ---

SpecArgument = Annotated[
    str | None,
    typer.Argument(metavar="SPEC", help="YAML file or preset (`sweep presets` lists them)"),
]
VariantsOption = Annotated[
    str | None,
    typer.Option("--variants", metavar="NAMES", help=f"Comma-separated; default all: {', '.join(VARIANTS)}"),
]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAMES", help=f"Comma-separated; default flax: {', '.join(RECIPES)}"),
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds", metavar="RANGES", help="0:64 is seeds 0 to 63; also 7, or 0:16,100:110; default 0:16"
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option("--dataset", metavar="NAME", help=f"One of {', '.join(DATASETS)}; default mnist5k"),
]
TrainSizeOption = Annotated[
    str | None,
    typer.Option(
        "--n-train",
        metavar="NUMBERS",
        help="Training digits, such as 1000,5000; several make a grid of data sets",
    ),
]
SubsetOption = Annotated[
    str | None,
    typer.Option(
        "--draw",
        "--subset-seed",
        metavar="SEEDS",
        help="Seeds of the random subset of digits, such as 0:16; several make a grid of data sets",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUES",
        help="Values of a hyperparameter, such as learning_rate=0.01,0.03; may be repeated, several make a grid. "
        f"Names: {', '.join(OVERRIDABLE)}",
    ),
]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", metavar="N", help="Short for --set epochs=N; default the variant's")
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="NAME", help=f"One of {', '.join(ENGINES)}; default auto: the fastest available"
    ),
]
WidthOption = Annotated[
    int | None,
    typer.Option("--shard-width", metavar="N", help="Seeds trained together by one worker; default 16"),
]

KeepWeightsOption = Annotated[
    str | None,
    typer.Option(
        "--keep-weights", metavar="RANGES", help="Store the final weights of these seeds, such as 0:8"
    ),
]


@dataclass(frozen=True)
class SpecOptions:
    """Values that replace those of a spec."""

    variants: VariantsOption = None
    recipe: RecipeOption = None
    seeds: SeedsOption = None
    dataset: DatasetOption = None
    n_train: TrainSizeOption = None
    draw: SubsetOption = None
    override: SetOption = None
    epochs: EpochsOption = None
    engine: EngineOption = None
    shard_width: WidthOption = None
    keep_weights: KeepWeightsOption = None

    def changes(self) -> dict[str, Any]:
        """Keyword arguments of `sweep.spec.read.read_spec`; None for a value of the spec.

        Raises:
          SpecError: a wrong `--set`.
        """
        return {
            "variants": self.variants,
            "recipe": self.recipe,
            "seeds": self.seeds,
            "dataset": self.dataset,
            "n_train": self.n_train,
            "subset_seed": self.draw,
            "engine": self.engine,
            "shard_width": self.shard_width,
            "keep_weights": self.keep_weights,
            "set": _hyperparameters(self.override, self.epochs),
        }


# --- execution ---

RootOption = Annotated[
    str, typer.Option("--root", metavar="ROOT", help="Results: a folder, gs://BUCKET/… or s3://BUCKET/…")
]
ExecutorOption = Annotated[
    Executor, typer.Option("--executor", help="ray: parallel; inline: in this process")
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="HOST:PORT", help="A Ray cluster; without it Ray starts on this machine"
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", callback=at_least(1), help="Cores to use on this machine; default all"
    ),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Train only on devices of this type")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="If another driver holds the root, wait for it instead of failing")
]
PriorityOption = Annotated[
    int,
    typer.Option("--priority", metavar="N", help="Of the drivers that wait, those with a higher N go first"),
]
HoursOption = Annotated[
    float | None,
    typer.Option(
        "--max-hours",
        metavar="HOURS",
        callback=_hours,
        help="End after this time with last checkpoints and exit code 0",
    ),
]
CheckpointOption = Annotated[
    float,
    typer.Option(
        "--checkpoint-seconds",
        metavar="SECONDS",
        callback=at_least(0),
        help="Minimum time between two checkpoints",
    ),
]
NotifyOption = Annotated[
    str | None,
    typer.Option(
        "--notify",
        metavar="URL",
        callback=_web_address,
        help="Post one JSON document there when the command ends; docs/following.md lists its keys",
    ),
]
ManualOption = Annotated[
    str | None,
    typer.Option(
        "--manual-dir", metavar="FOLDER", callback=_existing_folder, help="Folder of original data files"
    ),
]


@dataclass(frozen=True)
class ExecutionOptions:
    """Where and how long runs are trained."""

    executor: ExecutorOption = Executor.ray
    address: RayOption = None
    workers: WorkersOption = None
    device: DeviceOption = Device.auto
    max_hours: HoursOption = None
    wait: WaitOption = False
    priority: PriorityOption = 0
    manual_dir: ManualOption = None
    notify: NotifyOption = None

    def settings(self, **others: Any) -> Settings:
        """The settings of a run; others: further fields of them.

        Raises:
          SpecError: an option has no effect beside the others.
        """
        if self.executor is Executor.inline and (self.address or self.workers):
            option = "--address" if self.address else "--workers"
            raise SpecError(
                f"--executor inline trains on one core of this process: leave {option} out, or use ray"
            )
        if self.address and self.workers:
            raise SpecError("--workers limits a Ray on this machine: leave it out, or leave --address out")
        if self.priority and not self.wait:
            raise SpecError(f"--priority {self.priority} orders the drivers that wait: add --wait")
        return Settings(
            executor=self.executor.value,
            address=self.address,
            workers=self.workers,
            device=self.device.value,
            manual_dir=self.manual_dir,
            wait=self.wait,
            priority=self.priority,
            **others,
        )


ManualOnHeadOption = Annotated[
    str | None,
    typer.Option("--manual-dir", metavar="FOLDER", help="Folder of original data files, on the head"),
]

# --- output ---

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; docs/json.md lists its keys")
]

# --- clusters ---

JobsOption = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="A cluster's job server, as `ray dashboard` forwards it: http://127.0.0.1:8265",
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="A name from `sweep jobs`")]


def _hyperparameters(overrides: list[str] | None, epochs: int | None) -> dict[str, Any] | None:
    """Values of hyperparameters from `--set` and `--epochs`; None where neither is given.

    Raises:
      SpecError: no name or no value, or a hyperparameter is given twice.
    """
    values: dict[str, Any] = {}
    given = list(overrides or []) + ([f"epochs={epochs}"] if epochs is not None else [])
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise SpecError(
                f"--set {text}: write a hyperparameter and its values, such as learning_rate=0.01,0.03"
            )
        if name in values:
            raise SpecError(
                f"{name} is given twice: write all values in one option, such as --set {name}={values[name]},{value}"
            )
        values[name] = value
    return values or None
