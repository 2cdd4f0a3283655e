"""One line for a value that pydantic rejects: its place, the problem and the expected value."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from model.names import nearest
from sweep.spec.yamlfile import kind

_MAX_VALUE = 60
_MAX_LISTED = 3  # identical combinations


def explain(error: ValidationError, keys: Mapping[str, Iterable[str]]) -> str:
    """The first problem in plain words.

    Args:
      error: of a spec.
      keys: known keys of each nested mapping, by its own key; "" for the top level.
    """
    first = error.errors(include_url=False)[0]
    path = [part for part in first["loc"] if isinstance(part, str)]
    place, value = ".".join(path), first["input"]
    if first["type"] == "extra_forbidden":
        if path[0] in keys["set"]:
            return f"unknown key {path[0]!r}: a hyperparameter is a key of set, as in 'set: {{{path[0]}: …}}'"
        return f"unknown key {path[-1]!r}{nearest(path[-1], keys[path[-2] if len(path) > 1 else ''])}"
    reason = _reason(first["type"], value, first.get("ctx", {})) or first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason


def identical_note(pairs: Sequence[tuple[str, str]]) -> str:
    """One line on the combinations of a spec that are equal to another; "" without any.

    Args:
      pairs: from `SweepSpec.identical`.
    """
    listed = [f"{name} = {first}" if name != first else f"{name} (twice)" for name, first in pairs]
    more = f" and {len(listed) - _MAX_LISTED} more" if len(listed) > _MAX_LISTED else ""
    return f"identical, trained once: {', '.join(listed[:_MAX_LISTED])}{more}" if listed else ""


def _reason(problem: str, value: Any, limits: Mapping[str, Any]) -> str | None:
    """The project's own words for pydantic's kinds of problems; None for messages that are our own."""
    shown = _short(value)
    match problem:
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return f"{shown} is not a whole number"
        case "bool_type" | "bool_parsing":
            return f"{shown} is neither true nor false"
        case "string_type":
            return f"{shown} is {kind(value)}, not text"
        case "greater_than_equal":
            return f"{shown} is too small: at least {limits['ge']}"
        case "less_than_equal":
            return f"{shown} is too large: at most {limits['le']:,}"
        case "model_type" | "dict_type":
            return (
                f"{shown} is {kind(value)}: write a name, or a mapping such as {{name: mnist, n_train: 1000}}"
            )
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 1]}…"
