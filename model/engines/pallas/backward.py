"""Backward pass of one example, from the deltas of the outputs to H1, with the update of every parameter.

A *delta* is the derivative of the loss with respect to a unit's sum. Deltas are paired tiles. A sum over the units
of a layer adds its even units in the upper half of a tile and its odd units in the lower half. `pair_sums` adds the
halves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from model.engines.pallas.convolution import (
    KERNEL,
    SIDE1,
    SIDE2,
    EdgeSums,
    outputs_outside,
    products_of_parity,
    source,
    taps_inside,
)
from model.engines.pallas.forward import QUAD, Units
from model.engines.pallas.optimizer import Optimizer
from model.engines.pallas.tiles import (
    H2_PAIRS,
    H3_PAIRS,
    PLANE_PAIRS,
    READS,
    TAPS,
    UNITS1,
    UNITS2,
    Ref,
    Tensors,
    load,
    pair,
    pair_sums,
    repeat,
    total,
)
from model.names import Activation

_CHAINS = 3  # of additions in a long sum, so that they overlap


class Deltas(NamedTuple):
    """Buffers in VMEM of paired tiles, [n, sublanes, lanes] float32."""

    h1: Ref  # [row, column] of one plane pair
    h2: Ref  # [plane pair, row, column]
    h3: Ref  # [unit pair]


@dataclass(frozen=True)
class Backward:
    """The backward pass of a variant. Call it with the deltas of the ten outputs."""

    activation: Activation
    keep: float  # chance that dropout keeps an output of H2; 1.0 for no dropout
    p: Tensors
    units: Units  # as the forward pass left them
    deltas: Deltas
    optimizer: Optimizer

    def __call__(self, delta4: Sequence[Array]) -> None:
        """Update every parameter. delta4: five paired tiles, scaled by the optimizer."""
        self._layer4(delta4)
        self._layer3()
        repeat(PLANE_PAIRS, self._planes1)

    def _layer4(self, delta4: Sequence[Array]) -> None:
        """Updates w4, b4 and b3; leaves the deltas of H3."""
        self.optimizer.update("b4", 0, delta4)

        def units(i: Array) -> None:
            h = self.units.h3[2 * i], self.units.h3[2 * i + 1]
            sums = self._inputs("w4", 2 * i, h, delta4)
            delta = _through(self.activation, sums, pair(*h))
            self.deltas.h3[i] = delta
            self.optimizer.update("b3", i, [delta])

        repeat(H3_PAIRS, units)

    def _layer3(self) -> None:
        """Updates w3 and b2; leaves the deltas of H2."""
        delta3 = load(self.deltas.h3, 0, H3_PAIRS)

        def units(j: Array) -> None:
            for i in (2 * j, 2 * j + 1):
                h = self.units.h2[2 * i], self.units.h2[2 * i + 1]
                sums = self._inputs("w3", 2 * i, h, delta3)
                if self.keep == 1.0:
                    delta = _through(self.activation, sums, pair(*h))
                else:  # h is the unit's output divided by `keep`, or 0
                    delta = _through(self.activation, sums * (1.0 / self.keep), pair(*h) * self.keep)
                    delta = jnp.where(self.units.mask[i] > 0.0, delta, 0.0)
                self.deltas.h2[lax.rem(i, PLANE_PAIRS) * UNITS2 + lax.div(i, PLANE_PAIRS)] = delta
                self.optimizer.update("b2", i, [delta])

        repeat(H2_PAIRS // 2, units)

    def _inputs(self, tensor: str, unit: Array, h: tuple[Array, Array], delta: Sequence[Array]) -> Array:
        """Derivatives with respect to two neighbouring inputs of a dense layer; updates the weights that read them.

        Args:
          tensor: "w3" or "w4".
          unit: the first of the two.
          h: both, shared tiles.
          delta: of the layer.
        """
        sums = []
        for k in range(2):
            first = (unit + k) * len(delta)
            w = load(getattr(self.p, tensor), first, len(delta))
            products = [w[n] * d for n, d in enumerate(delta)]
            sums.append(total([total(products[chain::_CHAINS]) for chain in range(_CHAINS)]))
            self.optimizer.update(tensor, first, [d * h[k] for d in delta])
        return pair_sums(*sums)

    def _planes1(self, i: Array) -> None:
        """Update the weights that read a pair of H1's planes (w2), and the planes' b1 and w1."""
        quad, k = lax.div(i, 2), 2 * lax.rem(i, 2)

        def reader(r: Array, n: int | Array, plane: int | Array) -> tuple[Array, Array]:
            """The n-th plane pair of the r-th group that reads the planes, and the start of its kernel in w2."""
            group, half = _reader(quad, r)
            output = group * 2 + n
            return output, (output * READS + half * QUAD + k + plane) * TAPS

        for odd_y in range(2):
            for odd_x in range(2):
                self._deltas1(i, reader, odd_y, odd_x)

        def kernels(j: Array) -> None:
            for n in range(2):
                plane, r = lax.div(j, 2), lax.rem(j, 2)
                output, first = reader(r, n, plane)
                delta = [load(self.deltas.h2, output * UNITS2 + y * SIDE2, SIDE2) for y in range(SIDE2)]
                self._update_kernel("w2", first, delta, self.units.h1, (2 * i + plane) * UNITS1)

        repeat(4, kernels)
        delta = [load(self.deltas.h1, y * SIDE1, SIDE1) for y in range(SIDE1)]
        self._update_kernel("w1", i * TAPS, delta, self.units.image, 0)

    def _deltas1(
        self, i: Array, reader: Callable[[Array, int, int], tuple[Array, Array]], odd_y: int, odd_x: int
    ) -> None:
        """Deltas of a plane pair of H1 in the rows and columns of one parity; updates their b1.

        Only taps of that parity read them: 16 units of each plane, whose sums stay in registers.
        """

        def group(r: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
            sums = list(carry)
            for n in range(2):
                delta = load(self.deltas.h2, reader(r, n, 0)[0] * UNITS2, UNITS2)
                for plane in range(2):
                    w = load(self.p.w2, reader(r, n, plane)[1], TAPS)
                    for tap, output, unit in products_of_parity(odd_y, odd_x):
                        at = plane * UNITS2 + unit
                        sums[at] = sums[at] + w[tap] * delta[output]
            return tuple(sums)

        zero = jnp.zeros_like(self.deltas.h1[0])
        sums = lax.fori_loop(0, 2, group, (zero,) * (2 * UNITS2))
        for at in range(UNITS2):
            unit = (2 * (at // SIDE2) + odd_y) * SIDE1 + 2 * (at % SIDE2) + odd_x
            h = pair(*(self.units.h1[(2 * i + plane) * UNITS1 + unit] for plane in range(2)))
            delta = _through(self.activation, pair_sums(sums[at], sums[UNITS2 + at]), h)
            self.deltas.h1[unit] = delta
            self.optimizer.update("b1", i * UNITS1 + unit, [delta])

    def _update_kernel(
        self, tensor: str, first: Array, delta: Sequence[Sequence[Array]], below: Ref, start: int | Array
    ) -> None:
        """Update the 25 weights of a convolution between a plane and a plane pair above it.

        Args:
          tensor: "w1" or "w2".
          first: of the 25 in the tensor.
          delta: [side][side], of the plane pair above.
          below: buffer of the plane below, whose side is twice as long; shared tiles.
          start: of that plane in the buffer.
        """
        side = 2 * len(delta)
        edges = EdgeSums(delta)
        for ky in range(KERNEL):
            gradient: dict[int, Array] = {}
            for y in range(len(delta)):
                if ky not in taps_inside(y, side):
                    continue
                row = load(below, start + source(y, ky) * side, side)
                for kx in range(KERNEL):
                    for x in range(len(delta)):
                        if kx not in taps_inside(x, side):
                            continue
                        product = delta[y][x] * row[source(x, kx)]
                        if kx in gradient:
                            gradient[kx] = gradient[kx] + product
                        else:
                            outside = outputs_outside(ky, side), outputs_outside(kx, side)
                            gradient[kx] = edges.subtract_from(product, *outside)
            self.optimizer.update(tensor, first + ky * KERNEL, [gradient[kx] for kx in range(KERNEL)])


def _through(activation: Activation, delta: Array, unit: Array) -> Array:
    """Convert the derivative with respect to a unit's output to the derivative with respect to its sum."""
    return delta * (1.0 - unit * unit) if activation == "tanh" else jnp.where(unit > 0.0, delta, 0.0)


def _reader(quad: Array, r: Array) -> tuple[Array, Array]:
    """The r-th (0 or 1) of the two groups of H2 that read four planes of H1, and as which half (0 or 1).

    Groups 0 and 2 read quad 0, groups 0 and 1 read quad 1, groups 1 and 2 read quad 2: see `forward`.
    """
    group = jnp.where(r == 0, jnp.where(quad == 2, 1, 0), jnp.where(quad == 1, 1, 2))
    half = jnp.where(r == 0, jnp.where(quad == 0, 0, 1), jnp.where(quad == 2, 1, 0))
    return group, half
