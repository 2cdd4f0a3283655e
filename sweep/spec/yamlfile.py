"""Read YAML mappings safely: no duplicate keys, no code, and limits on size and nesting.

Specs are YAML 1.2: ``16:32`` is text and ``010`` is ten, where YAML 1.1 reads 992 and 8. Cluster files are
read as Ray reads them, in YAML 1.1.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sweep.errors import SpecError, one_line

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 100_000  # with every alias written out
_MAX_DIGITS = 30


def read_mapping(path: Path, example: str, loader: type["Loader"] | None = None) -> dict[str, Any]:
    """The mapping in a YAML file.

    Args:
      path: the file.
      example: content of a valid file, for the error message.
      loader: `Loader` for YAML 1.1; None for YAML 1.2.

    Raises:
      SpecError: no readable file, broken YAML, too large, or no mapping; one line that begins with the path.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise SpecError(f"{path}: cannot be read: {one_line(error)}") from None
    if len(content) > MAX_BYTES:
        raise SpecError(f"{path}: larger than {MAX_BYTES:,} bytes: expected {example}")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SpecError(f"{path}: not a text file in UTF-8: expected {example}") from None
    return parse_mapping(text, str(path), example, loader)


def parse_mapping(
    text: str, where: str, example: str, loader: type["Loader"] | None = None
) -> dict[str, Any]:
    """The mapping in YAML text; arguments and errors as in `read_mapping`, `where` begins the message."""
    try:
        value = yaml.load(text, loader or SpecLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or one_line(error)
        raise SpecError(f"{where}: broken YAML{line}: {reason}") from None
    except (ValueError, LookupError, AttributeError) as error:  # from values of an explicit type, "!!int x"
        raise SpecError(f"{where}: broken YAML: {one_line(error)}") from None
    if value is None or value == {}:
        raise SpecError(f"{where}: the file is empty: expected {example}")
    if not isinstance(value, dict):
        raise SpecError(f"{where}: expected {example}, not {kind(value)}")
    if unnamed := [key for key in value if not isinstance(key, str)]:
        raise SpecError(f"{where}: key {unnamed[0]!r} is not text: expected {example}")
    return value


def kind(value: Any) -> str:
    """Kind of a YAML value, for error messages."""
    names = {list: "a list", dict: "a mapping", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), "true or false" if isinstance(value, bool) else repr(value))


class Loader(yaml.SafeLoader):
    """YAML 1.1 without duplicate keys and with limits."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Limit the nesting before Python's stack does."""
        if self._depth >= MAX_DEPTH:
            raise _error(f"nested deeper than {MAX_DEPTH} levels", self.peek_event())  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def get_single_node(self) -> yaml.Node | None:
        """Limit the size with every alias written out, which a few hundred bytes can make very large."""
        node = super().get_single_node()
        if node is not None and _expanded_size(node, {}) > MAX_NODES:
            raise _error(f"more than {MAX_NODES:,} values with aliases written out", node)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Reject a key that is given twice; a merged mapping's key may be replaced."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # reported below
            if key in seen:
                raise _error(f"key {key!r} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _error(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def _expanded_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    if id(node) not in sizes:
        sizes[id(node)] = MAX_NODES + 1  # while it is computed: a node inside itself is too large
        children: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        sizes[id(node)] = 1 + sum(_expanded_size(child, sizes) for child in children)
    return sizes[id(node)]


class SpecLoader(Loader):
    """YAML 1.2's core schema, with underscores in integers.

    1e-3 (no point) and 1.5e3 (no sign) are text, as in YAML 1.1, because the digest of a stored spec depends on it.
    """

    def construct_spec_int(self, node: yaml.ScalarNode) -> int:
        """Decimal, 0o or 0x."""
        text = self.construct_scalar(node)
        if len(text) > _MAX_DIGITS:
            raise _error(f"a number of {len(text):,} digits", node)
        return int(text.replace("_", ""), 0 if text[:2] in ("0o", "0x") else 10)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """YAML 1.2 has no merge keys."""
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise _error("merge keys are not supported", key_node)


_TYPES = ("map", "seq", "str", "null", "bool", "int", "float")
SpecLoader.yaml_constructors = {
    tag: constructor
    for tag, constructor in Loader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _TYPES  # None: the error for every other tag
}
SpecLoader.add_constructor("tag:yaml.org,2002:int", SpecLoader.construct_spec_int)
SpecLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    SpecLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)
