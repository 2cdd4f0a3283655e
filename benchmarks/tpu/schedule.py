"""Reads the final schedule of a kernel that libtpu dumps: very long instruction words, called bundles.

The core starts one bundle per cycle. The cycles of a kernel are the number of its bundles, each multiplied by the
trip counts of the enclosing loops. Stalls, such as a load that waits for HBM, are not included.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

DELAY_SLOTS = 4  # bundles after a branch that still belong to the loop
_BUNDLE = re.compile(r"^\s*(?:0x[0-9a-f]+|0)\s+(LB|LH|LE|PB|PF|CT)?\s*:\s*>*\s*\{(.*)")
_EXIT = re.compile(r"(%p\w+) = scmp\.ge\.s32\.totalorder (?:\(\S+\), )?%s\w+, (\d+|%s\w+)")
_BRANCH = re.compile(r"sbr\.rel \(!(%p\w+)\)")
_VALU = re.compile(
    r"= v(?:add|sub|mul|max|min|sel|cmp|and|or|xor|shll|shrl|shra|mov|cvt|weird|mand|mor|c|clz|floor|round)\b"
)


@dataclass
class Loop:
    """Bundles `first` to `last`, inner loops included."""

    first: int
    last: int
    trips: int | None  # None: unknown before the kernel runs
    inner: "list[Loop]" = field(default_factory=list)


@dataclass(frozen=True)
class Schedule:
    """The bundles of a kernel, and its outermost loops."""

    bundles: list[str]
    loops: list[Loop]

    def example_loop(self) -> Loop:
        """The loop over examples: the outermost one whose trip count is unknown."""
        return next(loop for loop in _walk(self.loops) if loop.trips is None)

    def cycles(self, loop: Loop) -> int:
        """Cycles of one trip."""
        return self._sum(loop, lambda bundle: 1)

    def valu_operations(self, loop: Loop) -> int:
        """Operations of the vector ALUs in one trip, copies between registers included."""
        return self._sum(loop, lambda bundle: len(_VALU.findall(bundle)))

    def _sum(self, loop: Loop, count: Callable[[str], int]) -> int:
        own = set(range(loop.first, loop.last + 1))
        total = 0
        for inner in loop.inner:
            own -= set(range(inner.first, inner.last + 1))
            if inner.trips is None:
                raise ValueError("a loop inside the loop over examples has unknown trips")
            total += inner.trips * self._sum(inner, count)
        return total + sum(count(self.bundles[i]) for i in own)


def read(text: str) -> Schedule:
    """Parse a file named `…final_bundles.txt`."""
    bundles: list[str] = []
    starts: set[int] = set()
    for line in text.splitlines():
        if match := _BUNDLE.match(line):
            if match[1] == "LB":
                starts.add(len(bundles))
            bundles.append(match[2])
        elif bundles:
            bundles[-1] += line
    trips: dict[str, int | None] = {}
    for bundle in bundles:
        for name, bound in _EXIT.findall(bundle):
            trips[name] = int(bound) if bound.isdecimal() else None
    loops: list[Loop] = []
    pending: list[Loop] = []
    for i, bundle in enumerate(bundles):
        if i in starts:
            pending.append(Loop(i, i, None))
        for name in _BRANCH.findall(bundle):
            if pending and name in trips:
                loop = pending.pop()
                loop.last, loop.trips = i + DELAY_SLOTS, trips[name]
                (pending[-1].inner if pending else loops).append(loop)
    if pending:
        raise ValueError(f"{len(pending)} loops of the schedule do not end")
    return Schedule(bundles, loops)


def _walk(loops: list[Loop]) -> Iterator[Loop]:
    """All loops; each loop precedes its inner loops."""
    for loop in loops:
        yield loop
        yield from _walk(loop.inner)
