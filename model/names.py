"""Values of a variant's fields, and suggestions for misspelt names. Standard library only."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal

Activation = Literal["tanh", "relu", "scaled_tanh"]
Output = Literal["tanh", "linear", "scaled_tanh"]
Objective = Literal["squared", "cross_entropy"]
Optimizer = Literal["sgd", "adamw", "newton"]
LrSchedule = Literal["none", "step", "epoch"]
Init = Literal["flax", "notebook", "karpathy", "paper"]


def nearest(word: str, choices: Iterable[str]) -> str:
    """': did you mean X?' for a similar choice or one abbreviated by its initials, else ': choose from …'.

    Names that contain a comma are quoted in the list.
    """
    names = list(choices)
    initials = [n for n in names if "_" in n and "".join(part[0] for part in n.split("_")) == word.lower()]
    close = initials or get_close_matches(word, names, n=1)
    listed = ", ".join(repr(name) if "," in name else name for name in names)
    return f": did you mean {close[0]!r}?" if close else f": choose from {listed}"
