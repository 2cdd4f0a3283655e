"""Tiles and blocks: how 512 replicas share the registers of a TPU.

A *tile* is one register of the TPU's vector unit: 8 sublanes × 128 lanes of float32. The replicas of a *block*
each have one element in the upper four sublanes of every tile and one in the lower four. A tile is of one of
two kinds:

- *shared*: both halves hold the same value of each replica, such as a pixel or an input of a layer;
- *paired*: the halves hold the values of two neighbours, 2k and 2k + 1: of two planes of H1 or H2, of two units of
  H3, of two outputs. All parameters are paired.

A layer multiplies shared inputs by paired weights, so that every operation serves two units. A register of
1,024 replicas would need as many operations per replica, but would take twice as long for the same seeds.
No operation combines replicas.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

Tile = tuple[int, int]  # sublanes and lanes
Ref = Any  # a Pallas reference to a buffer in VMEM, SMEM or HBM; indexed as an array
TILE: Tile = (8, 128)
SMALL_TILE: Tile = (2, 64)  # for Pallas' interpreter

# Of the network. A pair counts as one.
TAPS = 25  # of a 5 × 5 kernel
PLANE_PAIRS = 6  # of H1 and of H2
READS = 8  # planes of H1 that a plane of H2 reads
UNITS1 = 8 * 8  # of a plane of H1
UNITS2 = 4 * 4  # of a plane of H2
H1_UNITS = 12 * UNITS1
H2_UNITS = 12 * UNITS2
H2_PAIRS = 6 * UNITS2
H3_UNITS = 30
H3_PAIRS = 15
OUTPUTS = 10
OUTPUT_PAIRS = 5
PIXELS = 16 * 16


class Tensors(NamedTuple):
    """A value for each parameter tensor; the comments give the order of its tiles.

    In HBM the tensors of a block are one array [4880, 8, 128]. In VMEM each has a separate buffer: the compiler
    then knows that a store to one does not change another, and moves loads across it.
    """

    w1: Any  # [plane pair, tap]
    b1: Any  # [plane pair, row, column]
    w2: Any  # [plane pair of H2, plane of H1 among the eight that it reads, tap]
    b2: Any  # [row, column, plane pair]: as Flax flattens H2
    w3: Any  # [unit of H2, unit pair of H3]
    b3: Any  # [unit pair]
    w4: Any  # [unit of H3, output pair]
    b4: Any  # [output pair]


SIZES = Tensors(
    w1=PLANE_PAIRS * TAPS,
    b1=PLANE_PAIRS * UNITS1,
    w2=PLANE_PAIRS * READS * TAPS,
    b2=H2_PAIRS,
    w3=H2_UNITS * H3_PAIRS,
    b3=H3_PAIRS,
    w4=H3_UNITS * OUTPUT_PAIRS,
    b4=OUTPUT_PAIRS,
)
STARTS = Tensors(*accumulate(SIZES[:-1], initial=0))
PARAMETER_TILES = sum(SIZES)


def replicas(tile: Tile) -> int:
    """Replicas in a block."""
    return tile[0] * tile[1] // 2


def is_even(tile: tuple[int, ...]) -> Array:
    """[sublanes, lanes] bool: the upper half, where a paired tile has the first of its two neighbours."""
    return lax.broadcasted_iota(jnp.int32, tile, 0) < tile[0] // 2


def swap(x: Array) -> Array:
    """Exchange the halves of a tile."""
    return pltpu.roll(x, x.shape[0] // 2, 0)


def share(pair: Array) -> tuple[Array, Array]:
    """The two neighbours of a paired tile, each as a shared tile."""
    even, swapped = is_even(pair.shape), swap(pair)
    return jnp.where(even, pair, swapped), jnp.where(even, swapped, pair)


def pair(first: Array, second: Array) -> Array:
    """A paired tile of two neighbours' shared tiles."""
    return jnp.where(is_even(first.shape), first, second)


def pair_sums(first: Array, second: Array) -> Array:
    """A paired tile of the sums over both halves of two neighbours' tiles."""
    even = is_even(first.shape)
    return jnp.where(even, first, second) + swap(jnp.where(even, second, first))


def load(ref: Ref, start: int | Array, count: int) -> list[Array]:
    """Neighbouring tiles of a buffer."""
    tiles = ref[pl.ds(start, count)]
    return [tiles[i] for i in range(count)]


def total(terms: Sequence[Array]) -> Array:
    """Sum of one tile or more, from left to right."""
    return sum(terms[1:], start=terms[0])


def repeat(count: int | Array, body: Callable[[Array], None]) -> None:
    """body(0), …, body(count - 1) as a loop of the kernel."""

    def step(i: Array, carry: None) -> None:
        body(i)

    lax.fori_loop(0, count, step, None)
