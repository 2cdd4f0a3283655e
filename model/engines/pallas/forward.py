"""Forward pass of one example: from the image to the sums of the ten outputs."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from model.engines.pallas.convolution import (
    KERNEL,
    SIDE0,
    SIDE1,
    SIDE2,
    EdgeSums,
    source,
    taps_inside,
    taps_outside,
)
from model.engines.pallas.tiles import (
    H2_UNITS,
    H3_PAIRS,
    H3_UNITS,
    OUTPUT_PAIRS,
    PLANE_PAIRS,
    READS,
    TAPS,
    UNITS1,
    UNITS2,
    Ref,
    Tensors,
    load,
    repeat,
    share,
    total,
)
from model.names import Activation

QUAD = 4  # planes of H1 that a group of H2 reads together; planes of H2 in a group
_UNROLL3 = 8  # inputs of H3 in an iteration


class Units(NamedTuple):
    """Buffers in VMEM for the units of one example, [n, sublanes, lanes] float32. Shared tiles, except the mask."""

    image: Ref  # [256] pixels, row by row
    h1: Ref  # [plane 12, row, column]
    h2: Ref  # [row, column, plane 12]
    h3: Ref  # [30]
    mask: Ref  # [row, column, plane pair], 1.0 where dropout keeps the output of H2; not used without dropout


def activate(activation: Activation, x: Array) -> Array:
    return jnp.tanh(x) if activation == "tanh" else jnp.maximum(x, 0.0)


def fold_background(p: Tensors) -> None:
    """Move the background's share of the sums of H1 and H2 into the biases. `forward` then omits it."""

    def planes(i: Array) -> None:
        edges1, edges2 = _edges1(p, i), _edges2(p, i)
        for y in range(SIDE1):
            for x in range(SIDE1):
                at = i * UNITS1 + y * SIDE1 + x
                p.b1[at] = edges1.subtract_from(p.b1[at], taps_outside(y, SIDE0), taps_outside(x, SIDE0))
        for y in range(SIDE2):
            for x in range(SIDE2):
                at = (y * SIDE2 + x) * PLANE_PAIRS + i
                p.b2[at] = edges2.subtract_from(p.b2[at], taps_outside(y, SIDE1), taps_outside(x, SIDE1))

    repeat(PLANE_PAIRS, planes)


def forward(
    activation: Activation, keep: float, p: Tensors, units: Units, folded: bool = False
) -> list[Array]:
    """Fill h1, h2 and h3.

    Args:
      activation: of H1, H2 and H3.
      keep: chance that dropout keeps an output of H2; 1.0 for no dropout.
      p: parameters.
      units: `image` is read, and `mask` with dropout.
      folded: the biases are those of `fold_background`.

    Returns:
      The sums that enter the ten outputs, five paired tiles.
    """
    _forward1(activation, p, units, folded)
    _forward2(activation, keep, p, units, folded)
    _forward3(activation, p, units)
    sums = load(p.b4, 0, OUTPUT_PAIRS)
    for i, h in enumerate(load(units.h3, 0, H3_UNITS)):
        w = load(p.w4, i * OUTPUT_PAIRS, OUTPUT_PAIRS)
        sums = [s + h * w[n] for n, s in enumerate(sums)]
    return sums


def _forward1(activation: Activation, p: Tensors, units: Units, folded: bool) -> None:
    def planes(i: Array) -> None:
        w = load(p.w1, i * TAPS, TAPS)
        edges = None if folded else _edges1(p, i)
        for y in range(SIDE1):
            sums = load(p.b1, i * UNITS1 + y * SIDE1, SIDE1)
            if edges:
                rows = taps_outside(y, SIDE0)
                sums = [edges.subtract_from(s, rows, taps_outside(x, SIDE0)) for x, s in enumerate(sums)]
            for ky in taps_inside(y, SIDE0):
                row = load(units.image, source(y, ky) * SIDE0, SIDE0)
                for kx in range(KERNEL):
                    for x in range(SIDE1):
                        if kx in taps_inside(x, SIDE0):
                            sums[x] = sums[x] + w[ky * KERNEL + kx] * row[source(x, kx)]
            for x in range(SIDE1):
                at = 2 * i * UNITS1 + y * SIDE1 + x
                units.h1[at], units.h1[at + UNITS1] = share(activate(activation, sums[x]))

    repeat(PLANE_PAIRS, planes)


def _forward2(activation: Activation, keep: float, p: Tensors, units: Units, folded: bool) -> None:
    def planes(i: Array) -> None:
        sums = [p.b2[n * PLANE_PAIRS + i] for n in range(UNITS2)]
        if not folded:
            edges = _edges2(p, i)
            for n, s in enumerate(sums):
                y, x = divmod(n, SIDE2)
                sums[n] = edges.subtract_from(s, taps_outside(y, SIDE1), taps_outside(x, SIDE1))

        def quad(half: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
            sums = list(carry)
            first = _planes_read(lax.div(i, 2), half)
            for k in range(QUAD):
                _add_plane2(p, units, (i * READS + half * QUAD + k) * TAPS, (first + k) * UNITS1, sums)
            return tuple(sums)

        sums = list(lax.fori_loop(0, 2, quad, tuple(sums)))
        for n in range(UNITS2):
            at = n * PLANE_PAIRS + i
            h = activate(activation, sums[n])
            if keep < 1.0:
                h = jnp.where(units.mask[at] > 0.0, h * (1.0 / keep), 0.0)
            units.h2[2 * at], units.h2[2 * at + 1] = share(h)

    repeat(PLANE_PAIRS, planes)


def _add_plane2(p: Tensors, units: Units, kernel: Array, plane: Array, sums: list[Array]) -> None:
    """Add the contribution of one plane of H1 to the 16 sums of a pair of H2's planes.

    Args:
      kernel: first of the 25 weights in w2.
      plane: first of the 64 units in h1.
    """
    for ky in range(KERNEL):
        w = load(p.w2, kernel + ky * KERNEL, KERNEL)
        for y in range(SIDE2):
            if ky not in taps_inside(y, SIDE1):
                continue
            row = load(units.h1, plane + source(y, ky) * SIDE1, SIDE1)
            for kx in range(KERNEL):
                for x in range(SIDE2):
                    if kx in taps_inside(x, SIDE1):
                        sums[y * SIDE2 + x] = sums[y * SIDE2 + x] + w[kx] * row[source(x, kx)]


def _forward3(activation: Activation, p: Tensors, units: Units) -> None:
    def inputs(i: Array, sums: tuple[Array, ...]) -> tuple[Array, ...]:
        for k in range(_UNROLL3):
            unit = i * _UNROLL3 + k
            h, w = units.h2[unit], load(p.w3, unit * H3_PAIRS, H3_PAIRS)
            sums = tuple(s + h * w[n] for n, s in enumerate(sums))
        return sums

    sums = lax.fori_loop(0, H2_UNITS // _UNROLL3, inputs, tuple(load(p.b3, 0, H3_PAIRS)))
    for n, s in enumerate(sums):
        units.h3[2 * n], units.h3[2 * n + 1] = share(activate(activation, s))


def _planes_read(group: Array, half: Array) -> Array:
    """First of the four planes of H1 that a group of H2 reads as its first (0) or second (1) half.

    Groups 0, 1 and 2 (planes 0–3, 4–7 and 8–11 of H2) read planes 0–7, 4–11, and 0–3 with 8–11 of H1.
    """
    return jnp.where(half == 0, jnp.where(group == 1, 4, 0), jnp.where(group == 0, 4, 8))


def _edges1(p: Tensors, i: Array) -> EdgeSums:
    """Sums of the weights by which a pair of H1's planes reads the background."""
    return EdgeSums([load(p.w1, i * TAPS + ky * KERNEL, KERNEL) for ky in range(KERNEL)])


def _edges2(p: Tensors, i: Array) -> EdgeSums:
    """Sums of the weights by which a pair of H2's planes reads the background of all eight planes that it reads."""
    kernels = [load(p.w2, (i * READS + read) * TAPS, TAPS) for read in range(READS)]
    kernel = [total(taps) for taps in zip(*kernels, strict=True)]
    return EdgeSums([kernel[ky * KERNEL : (ky + 1) * KERNEL] for ky in range(KERNEL)])
