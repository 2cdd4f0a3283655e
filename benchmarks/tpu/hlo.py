"""Reads the compiler's estimates from the text of a compiled program."""

import re

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_WHILE = re.compile(r"while\(.*?condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_BOUND = re.compile(r"s32\[\]\S* constant\((\d+)\)")


class Estimates:
    """Cycles and kernels of a program."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, list[str]] = {}
        entry = current = ""
        for line in text.splitlines():
            if match := _COMPUTATION.match(line):
                current = match[2]
                self._lines[current] = []
                entry = current if match[1] else entry
            elif current:
                self._lines[current].append(line)
        self.cycles = self._cycles(entry)
        self.kernels = max((self._kernels(name) for name in self._lines), default=0)

    def _cycles(self, name: str) -> int:
        total = 0
        for line in self._lines[name]:
            total += sum(map(int, _CYCLES.findall(line)))
            if loop := _WHILE.search(line):
                total += self._trips(loop[1]) * self._cycles(loop[2])
        return total

    def _trips(self, condition: str) -> int:
        """JAX's loops count from 0 to a constant, the only one in the condition."""
        bounds = _BOUND.findall("\n".join(self._lines[condition]))
        if len(bounds) != 1:
            raise ValueError(
                f"the trip count of a loop is unknown: its condition has {len(bounds)} constants"
            )
        return int(bounds[0])

    def _kernels(self, name: str) -> int:
        return sum(bool(_CYCLES.search(line)) for line in self._lines[name])
