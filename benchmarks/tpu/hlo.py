"""Reads the compiler's estimates from the text of a compiled program."""

import re

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_WHILE = re.compile(r"while\(.*?body=%?([\w.\-]+)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')


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
            if body := _WHILE.search(line):
                trips = _TRIPS.search(line)
                total += (int(trips[1]) if trips else 1) * self._cycles(body[1])
        return total

    def _kernels(self, name: str) -> int:
        return sum(bool(_CYCLES.search(line)) for line in self._lines[name])
