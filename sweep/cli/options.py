"""Options that several commands share, each defined once."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from data.options import DATASETS
from model.engines import ENGINES
from model.variants import OVERRIDABLE, RECIPES, VARIANTS
from sweep.errors import SpecError


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


def epilog(*examples: str) -> str:
    """Examples below the help of a command, one per line."""
    return "\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)


# --- the spec: options that replace its keys ---

SpecArgument = Annotated[
    str | None,
    typer.Argument(metavar="SPEC", help="YAML file or preset (`sweep presets` lists them)"),
]
VariantsOption = Annotated[
    str | None, typer.Option("--variants", metavar="NAMES", help=f"Comma-separated: {', '.join(VARIANTS)}")
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", metavar="NAMES", help=f"Comma-separated: {', '.join(RECIPES)}")
]
SeedsOption = Annotated[
    str | None,
    typer.Option("--seeds", metavar="RANGES", help="0:64 is seeds 0 to 63; also 7, or 0:16,100:110"),
]
DatasetOption = Annotated[
    str | None, typer.Option("--dataset", metavar="NAME", help=f"One of {', '.join(DATASETS)}")
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
        help="Values of a hyper-parameter, such as learning_rate=0.01,0.03; may be repeated, several make a grid. "
        f"Names: {', '.join(OVERRIDABLE)}",
    ),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", metavar="N", help="Short for --set epochs=N")]
EngineOption = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help=f"One of auto, {', '.join(ENGINES)}")
]
WidthOption = Annotated[
    int | None, typer.Option("--shard-width", metavar="N", help="Seeds trained together by one worker")
]

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
    typer.Option("--workers", metavar="N", min=1, help="Cores to use on this machine; default all"),
]
DeviceOption = Annotated[Device, typer.Option("--device", help="Train only on devices of this type")]
CheckpointOption = Annotated[
    float,
    typer.Option(
        "--checkpoint-seconds", metavar="SECONDS", min=0, help="Minimum time between two checkpoints"
    ),
]
ManualOption = Annotated[
    str | None,
    typer.Option(
        "--manual-dir", metavar="FOLDER", help="Original data files, on the machine that runs the driver"
    ),
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


def hyper_parameters(overrides: list[str] | None, epochs: int | None) -> dict[str, Any] | None:
    """Values of hyper-parameters from `--set` and `--epochs`; None where neither is given.

    Raises:
      SpecError: no name or no value, or a hyper-parameter is given twice.
    """
    values: dict[str, Any] = {}
    given = list(overrides or []) + ([f"epochs={epochs}"] if epochs is not None else [])
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise SpecError(
                f"--set {text}: write a hyper-parameter and its values, such as learning_rate=0.01,0.03"
            )
        if name in values:
            raise SpecError(
                f"{name} is given twice: write all values in one option, such as --set {name}={values[name]},{value}"
            )
        values[name] = value
    return values or None
