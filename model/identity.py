"""Identity of stored results: stable under added and renamed fields. Standard library only.

A digest always covers the fields of identity version 1. It covers a later field only if the field differs from its
default. The default of a later field must therefore describe the behaviour before the field existed. A field may be
renamed in Python; its stored name does not change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


class UnknownField(ValueError):
    """Stored values have a field that this version does not know."""


@dataclass(frozen=True)
class Identity:
    """Which fields of a class are always stored, and under which names.

    Attributes:
      version_1: fields (Python names) of identity version 1.
      stored_names: stored name of each field whose Python name differs from it.
    """

    version_1: frozenset[str]
    stored_names: Mapping[str, str] = field(default_factory=dict)

    def stored_name(self, name: str) -> str:
        """Stored name of a field."""
        return self.stored_names.get(name, name)

    def neutral(self, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> set[str]:
        """Names of the later fields that have their default: they are neither stored nor digested."""
        return {
            name
            for name, value in values.items()
            if name not in self.version_1 and name in defaults and value == defaults[name]
        }

    def to_stored(self, instance: Any) -> dict[str, Any]:
        """Values of a dataclass instance by stored name, in field order, without neutral later fields."""
        values = {f.name: getattr(instance, f.name) for f in fields(instance)}
        neutral = self.neutral(values, {f.name: f.default for f in fields(instance)})
        return {self.stored_name(name): value for name, value in values.items() if name not in neutral}

    def rename(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by stored name, from values by Python name."""
        return {self.stored_name(name): value for name, value in values.items()}

    def by_field(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by Python name, from values by Python or stored name.

        Raises:
          ValueError: a field is given under both names.
        """
        names = {stored: name for name, stored in self.stored_names.items()}
        for stored, name in names.items():
            if stored in values and name in values:
                raise ValueError(f"{stored!r} is the former name of {name!r}: give one of them")
        return {names.get(name, name): value for name, value in values.items()}

    def from_stored(self, stored: Mapping[str, Any], cls: Any) -> Any:
        """An instance of a dataclass from its stored values.

        Raises:
          UnknownField: a newer version stored them.
          ValueError: a value is out of range.
          TypeError: a field of version 1 is missing.
        """
        values = self.by_field(stored)
        for name in values:
            if name not in {f.name for f in fields(cls)}:
                raise UnknownField(f"has the unknown field {name!r}")
        return cls(**values)


def digest(values: Mapping[str, Any]) -> str:
    """SHA-256 (64 hex digits) over JSON values, independent of their order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
