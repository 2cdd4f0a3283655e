"""Named random streams. Every draw is a pure function of (seed, stream, epoch, step).

Nothing is carried from draw to draw, so a draw depends neither on neighbours in a shard nor on where a run
was interrupted, and every engine can make the same one: threefry2x32 of the counters below.
"""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from model.network import H2_OUTPUTS

Stream = Literal["init", "shift", "dropout"]
_NUMBER: dict[Stream, int] = {"init": 0, "shift": 1, "dropout": 2}


def stream_key(seed: Array, stream: Stream) -> Array:
    """Key of one replica's stream. seed: [] uint32. The same in every variant: variants pair by seed."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), _NUMBER[stream])


def epoch_key(seed: Array, stream: Stream, epoch: Array) -> Array:
    """Key of one epoch (1, 2, …) of a stream; step keys are folded from it."""
    return jax.random.fold_in(stream_key(seed, stream), epoch)


def draw_shift(key: Array, step: Array, largest: int) -> Array:
    """Roll of the image presented at a step.

    Args:
      key: epoch key of the "shift" stream.
      step: [] int32, the example's place in the epoch, from 0.
      largest: largest roll, pixels.

    Returns:
      [2] int32 in -largest..largest: rows, columns; each value equally likely (to 1 part in 10⁸).
    """
    bits = jax.random.bits(jax.random.fold_in(key, step), (2,), jnp.uint32)
    return (bits % (2 * largest + 1)).astype(jnp.int32) - largest


def draw_dropout_mask(key: Array, step: Array, rate: float) -> Array:
    """Outputs of H2 that dropout keeps at a step.

    Args:
      key: epoch key of the "dropout" stream.
      step: [] int32, the example's place in the epoch, from 0.
      rate: chance of being dropped, a multiple of 2⁻³² after rounding.

    Returns:
      [192] bool in (row, column, plane) order.
    """
    bits = jax.random.bits(jax.random.fold_in(key, step), (H2_OUTPUTS,), jnp.uint32)
    mask: Array = bits >= jnp.uint32(drop_threshold(rate))
    return mask


def drop_threshold(rate: float) -> int:
    """A unit is dropped when its 32 random bits are below this."""
    return round(rate * 2**32)
