"""Reads XLA's dump of the operations, called thunks, that a GPU program launches.

Thunks are printed one per line. Those inside another thunk are indented; a loop has the sections "condition:" and
"body:".
"""

import re
from dataclasses import dataclass, field

_THUNK = re.compile(r"^( *)\d+: k(\w+)")
_SECTION = re.compile(r"^ *(condition|body):")
CONTAINERS = {"CommandBuffer", "DynamicSliceFusion", "Sequential", "While", "Conditional"}


@dataclass
class Thunk:
    """A thunk and those inside it; of a loop, those of its body."""

    kind: str
    inner: "list[Thunk]" = field(default_factory=list)

    def operations(self) -> "list[Thunk]":
        """The kernels, copies and library calls in it."""
        if self.kind not in CONTAINERS:
            return [self]
        return [operation for thunk in self.inner for operation in thunk.operations()]

    def loops(self) -> "list[Thunk]":
        """The loops in it, each before its inner loops."""
        found = [loop for thunk in self.inner for loop in thunk.loops()]
        return [self, *found] if self.kind == "While" else found


def read(text: str) -> Thunk:
    """The whole program as one thunk."""
    program = Thunk("Sequential")
    parents = [(-1, program)]  # indentation of each enclosing thunk
    condition: Thunk | None = None
    for line in text.splitlines():
        if section := _SECTION.match(line):
            condition = Thunk("Sequential") if section[1] == "condition" else None
        elif match := _THUNK.match(line):
            indentation, thunk = len(match[1]), Thunk(match[2])
            while parents[-1][0] >= indentation:
                parents.pop()
            (condition or parents[-1][1]).inner.append(thunk)
            parents.append((indentation, thunk))
    return program
