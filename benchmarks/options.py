"""Parts of the benchmarks' command lines."""

import argparse
from collections.abc import Callable, Sequence


def names(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """A parser of one or more of the choices, separated by commas."""

    def parse(text: str) -> list[str]:
        given = text.split(",")
        if unknown := [name for name in given if name not in choices]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is unknown: choose from {', '.join(choices)}")
        return given

    return parse
