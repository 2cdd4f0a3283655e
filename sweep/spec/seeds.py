"""Sets of seeds as disjoint ranges. Standard library only."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_SEED = 2**32 - 1  # a seed is a 32-bit word of the random streams' key

_PART = re.compile(r"\s*([0-9]+)\s*(?::\s*([0-9]+)\s*)?")


@dataclass(frozen=True)
class SeedRanges:
    """An immutable set of seeds, stored as disjoint ascending ranges with gaps between them.

    Equal sets compare equal, regardless of the ranges they were made from. ``len`` counts seeds, ``in`` tests one
    seed, ``|``, ``&`` and ``-`` are the set operations, and ``str`` is the text form that `parse` reads.
    """

    ranges: tuple[range, ...]

    def __init__(self, ranges: Iterable[range] = ()) -> None:
        """Normalise any ranges of step 1: sorted, joined where they touch or overlap, without empty ones."""
        joined: list[range] = []
        for r in sorted(filter(len, ranges), key=lambda r: r.start):
            if joined and r.start <= joined[-1].stop:
                joined[-1] = range(joined[-1].start, max(joined[-1].stop, r.stop))
            else:
                joined.append(r)
        object.__setattr__(self, "ranges", tuple(joined))

    @classmethod
    def parse(cls, text: str) -> "SeedRanges":
        """Seeds from text such as "7", "0:64" (0 to 63) or "0:16,100:110".

        Raises:
          ValueError: not of that form, an empty range, or a seed above `MAX_SEED`.
        """
        return cls([_parse_range(part) for part in text.split(",")])

    def __str__(self) -> str:
        return ",".join(f"{r.start}:{r.stop}" for r in self.ranges)

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def __contains__(self, seed: int) -> bool:
        return any(seed in r for r in self.ranges)

    def __or__(self, other: "SeedRanges") -> "SeedRanges":
        return SeedRanges(self.ranges + other.ranges)

    def __and__(self, other: "SeedRanges") -> "SeedRanges":
        common, i, j = [], 0, 0
        while i < len(self.ranges) and j < len(other.ranges):
            a, b = self.ranges[i], other.ranges[j]
            common.append(range(max(a.start, b.start), min(a.stop, b.stop)))
            if a.stop < b.stop:
                i += 1
            else:
                j += 1
        return SeedRanges(common)

    def __sub__(self, other: "SeedRanges") -> "SeedRanges":
        edges = [0, *(edge for r in other.ranges for edge in (r.start, r.stop)), MAX_SEED + 1]
        gaps = zip(edges[::2], edges[1::2], strict=True)
        return self & SeedRanges(range(start, stop) for start, stop in gaps)

    def split(self, width: int) -> list[range]:
        """The seeds as ranges of at most `width` seeds, in ascending order."""
        return [
            range(start, min(start + width, r.stop))
            for r in self.ranges
            for start in range(r.start, r.stop, width)
        ]


def _parse_range(part: str) -> range:
    match = _PART.fullmatch(part)
    if not match:
        raise ValueError(f"{_short(part)!r} is not a seed or a range: write 7, or 0:64 for seeds 0 to 63")
    if any(len(digits.lstrip("0")) > len(str(MAX_SEED)) for digits in match.groups("0")):
        raise ValueError(f"{_short(part)!r} is too large: seeds go up to {MAX_SEED}")
    start = int(match[1])
    stop = int(match[2]) if match[2] else start + 1
    if stop <= start:
        raise ValueError(f"'{start}:{stop}' is an empty range: the end must be above the start")
    if stop - 1 > MAX_SEED:
        raise ValueError(f"seed {stop - 1} is too large: seeds go up to {MAX_SEED}")
    return range(start, stop)


def _short(text: str, width: int = 40) -> str:
    text = text.strip()
    return text if len(text) <= width else f"{text[: width - 1]}…"
