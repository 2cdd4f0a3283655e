"""Geometry of the two convolutions: 5 × 5 taps, stride 2, two pixels of background around the input.

The background is -1 everywhere, so a tap that reads it adds minus its weight to the output, and minus the output's
delta to the weight's gradient. The kernels compute those sums separately (`EdgeSums`) and multiply only inside the
input: 86 % of the products of H1 and 72 % of those of H2 remain.
"""

from collections.abc import Sequence

from jax import Array

from model.engines.pallas.tiles import total

KERNEL = 5
BORDER = 2
SIDE0, SIDE1, SIDE2 = 16, 8, 4  # of the image, of a plane of H1, of a plane of H2


def source(output: int, tap: int) -> int:
    """Row (column) of the input that a tap of an output's row (column) reads; the background's are outside."""
    return 2 * output + tap - BORDER


def taps_inside(output: int, side: int) -> list[int]:
    """Taps of an output that read the input, whose side is given, and not the background."""
    return [tap for tap in range(KERNEL) if 0 <= source(output, tap) < side]


def taps_outside(output: int, side: int) -> tuple[int, ...]:
    """Taps of an output that read the background."""
    return tuple(tap for tap in range(KERNEL) if not 0 <= source(output, tap) < side)


def outputs_outside(tap: int, side: int) -> tuple[int, ...]:
    """Outputs of which a tap reads the background."""
    return tuple(output for output in range(side // 2) if not 0 <= source(output, tap) < side)


def products_of_parity(odd_y: int, odd_x: int) -> list[tuple[int, int, int]]:
    """Products that the units of a plane of H1 in rows and columns of one parity contribute to a plane of H2.

    Returns:
      (tap 0..24, output 0..15, unit 0..15), one of the units' 4 × 4, for each product.
    """
    return [
        (ky * KERNEL + kx, y * SIDE2 + x, source(y, ky) // 2 * SIDE2 + source(x, kx) // 2)
        for ky in range(odd_y, KERNEL, 2)
        for kx in range(odd_x, KERNEL, 2)
        for y in range(SIDE2)
        for x in range(SIDE2)
        if ky in taps_inside(y, SIDE1) and kx in taps_inside(x, SIDE1)
    ]


class EdgeSums:
    """Sums over parts of a square grid of tiles. Each sum is computed once, on first use."""

    def __init__(self, grid: Sequence[Sequence[Array]]) -> None:
        self._grid = grid
        self._lines: dict[tuple[int, tuple[int, ...]], Array] = {}
        self._sums: dict[tuple[tuple[int, ...], tuple[int, ...]], Array] = {}

    def subtract_from(self, value: Array, rows: tuple[int, ...], columns: tuple[int, ...]) -> Array:
        """value minus the entries that are in one of the rows or in one of the columns."""
        if not rows and not columns:
            return value
        if (rows, columns) not in self._sums:
            every = tuple(range(len(self._grid)))
            parts = [(row, every if row in rows else columns) for row in every]
            self._sums[rows, columns] = total([self._line(*part) for part in parts if part[1]])
        return value - self._sums[rows, columns]

    def _line(self, row: int, columns: tuple[int, ...]) -> Array:
        if (row, columns) not in self._lines:
            self._lines[row, columns] = total([self._grid[row][column] for column in columns])
        return self._lines[row, columns]
