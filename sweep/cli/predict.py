"""The command `sweep predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import JsonOption, RootOption

if TYPE_CHECKING:
    from sweep.analysis.classify import Classified, KeptNetworks


def predict(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE…", help="PNG, JPEG …: a square around one digit")
    ],
    variant: Annotated[str, typer.Option(metavar="NAME", help="Variant as named in tables")],
    seed: Annotated[int | None, typer.Option(metavar="N", help="The network trained with this seed")] = None,
    vote: Annotated[
        bool, typer.Option("--vote", help="A vote of all networks of the variant with weights")
    ] = False,
    invert: Annotated[
        bool, typer.Option("--invert", help="The digits are dark on a light background")
    ] = False,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Data set, if the variant has several")
    ] = None,
    root: RootOption = "results",
    json: JsonOption = False,
) -> None:
    """Classify images of digits with stored weights. `sweep run` with --keep-weights stores them."""
    from data.images import ImageError, looks_inverted, read_images
    from model.numerics import configure
    from sweep.analysis.classify import classify, kept_networks
    from sweep.cli.output import print_json
    from sweep.cli.process import say
    from sweep.errors import SpecError
    from sweep.store.store import existing

    if vote == (seed is not None):
        raise SpecError("choose the networks with either --seed N or --vote")
    networks = kept_networks(existing(root), variant, dataset)
    try:
        inputs = read_images(images, networks.antialias, invert)
    except ImageError as error:
        raise SpecError(str(error)) from None
    for path, image in zip(images, inputs, strict=True):
        if looks_inverted(image):
            advice = "leave out --invert" if invert else "add --invert"
            say(f"note: {path}: the background is light, but the networks expect a black one: {advice}")
    configure(platform="cpu")
    classified = dict(zip(images, classify(networks, inputs, seed), strict=True))
    if json:
        print_json(_document(networks, classified, seed))
    else:
        _print(networks, classified, seed)


def _document(
    networks: "KeptNetworks", classified: "dict[Path, Classified]", seed: int | None
) -> dict[str, Any]:
    seeds = list(networks.seeds) if seed is None else [seed]
    return {
        "variant": networks.variant.name,
        "dataset": networks.dataset,
        "seeds": seeds,
        "images": [
            {
                "image": str(path),
                "digit": c.digit,
                "margin": c.margin,
                "votes": c.votes.tolist(),
                "outputs": {str(s): row.tolist() for s, row in zip(seeds, c.outputs, strict=True)},
            }
            for path, c in classified.items()
        ],
    }


def _print(networks: "KeptNetworks", classified: "dict[Path, Classified]", seed: int | None) -> None:
    from sweep.cli.output import print_table
    from sweep.text import counted

    if seed is None:
        head = ["image", "digit", "votes", "margin"]
        own = [[f"{c.votes[c.digit]} of {c.votes.sum()}", f"{c.margin:.2f}"] for c in classified.values()]
        title = f"{networks.variant.name} on {networks.dataset}, vote of {counted(len(networks.seeds), 'network')}"
    else:
        head = ["image", "digit", "margin", *(f"output {d}" for d in range(10))]
        own = [[f"{v:.2f}" for v in (c.margin, *c.outputs[0])] for c in classified.values()]
        title = f"{networks.variant.name} on {networks.dataset}, seed {seed}"
    rows = [[path, c.digit, *values] for (path, c), values in zip(classified.items(), own, strict=True)]
    print_table(head, rows, wrapped=["image"], title=title)
