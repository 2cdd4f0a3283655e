"""Values of the keys of a spec: one value, text with commas, or a list. Standard library only."""

import re
from collections.abc import Sequence
from typing import Any

MAX_CELLS = 10_000  # combinations of variants, recipes, data sets and values in one sweep

_NUMBER = re.compile(r"[-+]?[0-9]{1,18}")
_RANGE = re.compile(r"([0-9]{1,18})\s*:\s*([0-9]{1,18})")


def as_list(value: Any) -> Any:
    """The items of a list or of text with commas; any other value as the only item.

    Raises:
      ValueError: an empty list.
    """
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("the list is empty: give at least one value")
        return value
    return [value]


def reject_bool(value: Any) -> Any:
    """The value, unless it is true or false, which Python counts as whole numbers."""
    if isinstance(value, bool):
        raise ValueError(f"{value} is not a whole number")
    return value


def whole_numbers(value: Any) -> tuple[int, ...] | None:
    """Whole numbers, each once, from a number, a range, text with commas, or a list of these; None stays None.

    The range "0:16" is 0 to 15.

    Raises:
      ValueError: another kind of value, an empty range, or more than `MAX_CELLS` numbers.
    """
    if value is None:
        return None
    found: dict[int, None] = {}
    for item in as_list(value):
        for part in as_list(item) if isinstance(item, str) else [item]:
            found |= dict.fromkeys(map(_whole_number, expand_range(part)))
    if len(found) > MAX_CELLS:
        raise ValueError(f"{len(found):,} values: at most {MAX_CELLS:,} fit one sweep")
    return tuple(found)


def expand_range(item: Any) -> Sequence[Any]:
    """The whole numbers of a range such as "0:16"; any other item unchanged.

    Raises:
      ValueError: an empty range, or more than `MAX_CELLS` numbers.
    """
    match = _RANGE.fullmatch(item) if isinstance(item, str) else None
    if not match:
        return [item]
    start, stop = int(match[1]), int(match[2])
    if stop <= start:
        raise ValueError(f"{item!r} is an empty range: the end must be above the start")
    if stop - start > MAX_CELLS:
        raise ValueError(f"{item!r} has {stop - start:,} values: at most {MAX_CELLS:,} fit one sweep")
    return range(start, stop)


def _whole_number(item: Any) -> int:
    reject_bool(item)
    if isinstance(item, int) or (isinstance(item, float) and item.is_integer()):
        return int(item)
    if isinstance(item, str) and _NUMBER.fullmatch(item):
        return int(item)
    raise ValueError(f"{item!r} is not a whole number")
