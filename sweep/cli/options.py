"""Options that several commands share, each said once."""

from typing import Annotated, Any

import typer

# --- which sweep: words that replace a spec's ---

VariantsOption = Annotated[str | None, typer.Option("--variants", help="base,softmax,adamw,augment,dropout")]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="flax, notebook or karpathy; several with commas")
]
SeedsOption = Annotated[
    str | None, typer.Option("--seeds", help="0:64 is seeds 0 to 63; also 7, or 0:16,100:110")
]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="mnist, usps or mnist5k")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="learning_rate=0.01,0.03: a hyper-parameter, several values make a grid"),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="Short for --set epochs=N")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="auto, vmap or lanes")]
WidthOption = Annotated[
    int | None, typer.Option("--shard-width", help="Seeds trained together by one worker")
]

# --- how it is run ---

RootOption = Annotated[str, typer.Option("--root", help="Where results go: a folder, gs://… or s3://…")]
RayOption = Annotated[
    str | None, typer.Option("--address", help="A Ray cluster; without it Ray runs on this machine")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Cores to use on this machine; default all")
]
CheckpointOption = Annotated[
    float, typer.Option("--checkpoint-seconds", min=0, help="Time between a shard's checkpoints")
]
ManualOption = Annotated[
    str | None,
    typer.Option("--manual-dir", help="Folder of data files placed by hand, where the driver runs"),
]


def grid(overrides: list[str] | None, epochs: int | None) -> dict[str, Any] | None:
    """Values of hyper-parameters from `--set` and `--epochs`; None where neither is given.

    Raises:
      SpecError: no "=" or no value.
    """
    from sweep.errors import SpecError

    values: dict[str, Any] = {}
    for text in overrides or []:
        key, equals, value = text.partition("=")
        if not equals or not value:
            raise SpecError(
                f"--set {text}: write a hyper-parameter and its values, such as learning_rate=0.01,0.03"
            )
        values[key.strip()] = value
    return (values | ({"epochs": str(epochs)} if epochs is not None else {})) or None
