"""The random draws of `model.streams`, bit for bit: threefry2x32 (Salmon et al. 2011) of counters.

Keys, counters and bits are uint32. A key is two shared tiles: each replica has its own.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from model.engines.pallas.tiles import H2_PAIRS, Ref, is_even, repeat

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_CHAINS = 4  # draws computed together, so that their dependent operations overlap


class Key(NamedTuple):
    """A threefry2x32 key, or the two words that it computes from a counter."""

    high: Array
    low: Array


def threefry(key: Key, count: Array) -> Key:
    """The two words of the 64-bit counter (0, count), 20 rounds. This is jax.random.fold_in."""
    schedule = (key.high, key.low, key.high ^ key.low ^ jnp.uint32(_PARITY))
    x, y = key.high, key.low + count
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << jnp.uint32(rotation)) | (y >> jnp.uint32(32 - rotation))) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return Key(x, y)


def random_bits(key: Key, i: Array) -> Array:
    """Element i of jax.random.bits(key)."""
    words = threefry(key, i)
    return words.high ^ words.low


def draw_shift(epoch_key: Key, step: Array, largest: int) -> tuple[Array, Array]:
    """`streams.draw_shift` plus `largest`: rows and columns, shared tiles of int32 in 0..2·largest."""
    key = threefry(epoch_key, step.astype(jnp.uint32))
    values = jnp.uint32(2 * largest + 1)
    rows, columns = (random_bits(key, jnp.uint32(i)) % values for i in range(2))
    return rows.astype(jnp.int32), columns.astype(jnp.int32)


def draw_dropout_mask(epoch_key: Key, step: Array, drop_below: int, mask: Ref) -> None:
    """`streams.draw_dropout_mask`: fills mask [96 pairs] with 1.0 where dropout keeps an output of H2, else 0.0."""
    key = threefry(epoch_key, step.astype(jnp.uint32))
    odd = jnp.where(is_even(key.high.shape), 0, 1).astype(jnp.uint32)

    def some(i: Array) -> None:
        for k in range(_CHAINS):
            pair = i * _CHAINS + k
            keeps = random_bits(key, 2 * pair.astype(jnp.uint32) + odd) >= jnp.uint32(drop_below)
            mask[pair] = jnp.where(keeps, 1.0, 0.0)

    repeat(H2_PAIRS // _CHAINS, some)
