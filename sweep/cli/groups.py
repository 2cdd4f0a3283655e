"""Groups of options that several commands share: a dataclass whose fields are options."""

from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, TypeGuard


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer expects it: each parameter that is a group replaced by the options of the group.

    The options appear in the help at the place of the parameter.
    """
    own = list(signature(command).parameters.values())
    groups = {p.name: p.annotation for p in own if _is_group(p.annotation)}

    @wraps(command)
    def expanded(**values: Any) -> None:
        made = {
            name: group(**{option: values.pop(option) for option in signature(group).parameters})
            for name, group in groups.items()
        }
        command(**values, **made)

    parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for p in own for one in _options(p)]
    expanded.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # read by Typer
    expanded.__annotations__ = {p.name: p.annotation for p in parameters}
    return expanded


def _is_group(annotation: Any) -> TypeGuard[type]:
    return isinstance(annotation, type) and is_dataclass(annotation)


def _options(parameter: Parameter) -> Iterator[Parameter]:
    if _is_group(parameter.annotation):
        yield from signature(parameter.annotation).parameters.values()
    else:
        yield parameter
