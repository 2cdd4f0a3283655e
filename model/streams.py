"""Random streams. Every draw is a pure function of (seed, stream, epoch, step).

There is no generator state between draws. A draw therefore depends neither on the other replicas of a shard nor on
interruptions of a run, and every engine can compute the same draws: threefry2x32 of the counters below.

By default all streams of a replica use the replica's seed. A variant can fix the seed of one stream for all
replicas, which leaves the draws of the other streams unchanged.
"""

from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from model.network import H2_OUTPUTS
from model.variants import Variant

Stream = Literal["init", "shift", "dropout"]
_NUMBER: dict[Stream, int] = {"init": 0, "shift": 1, "dropout": 2}
Seed = TypeVar("Seed", Array, np.ndarray)


def stream_seed(variant: Variant, stream: Stream, seed: Seed) -> Seed | np.ndarray:
    """Seed of a stream: the variant's fixed seed, else the replica's. seed: [...] uint32, as is the result."""
    fixed = {"init": variant.init_seed, "shift": variant.shift_seed, "dropout": variant.dropout_seed}[stream]
    return seed if fixed is None else np.full(np.shape(seed), fixed, np.uint32)


def stream_key(seed: Array | np.ndarray, stream: Stream) -> Array:
    """Key of a stream. seed: [] uint32, from `stream_seed`. Independent of the variant, so variants pair by seed."""
    return jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), _NUMBER[stream])


def epoch_key(seed: Array | np.ndarray, stream: Stream, epoch: Array) -> Array:
    """Key of one epoch (1, 2, …) of a stream. The key of a step is folded from it."""
    return jax.random.fold_in(stream_key(seed, stream), epoch)


def presentation_order(order_seed: int, epoch: int, n: int) -> np.ndarray:
    """Order in which an epoch presents the training digits, the same for every replica and engine.

    Args:
      order_seed: 0 for the order of the data set; otherwise it selects a permutation for each epoch.
      epoch: from 1.
      n: training digits.

    Returns:
      [n] int64, a permutation. It sorts raw Philox words, whose values NumPy guarantees for all versions.
    """
    if order_seed == 0:
        return np.arange(n)
    return np.argsort(np.random.Philox(key=[order_seed, epoch]).random_raw(n), kind="stable")


def draw_shift(key: Array, step: Array, largest: int) -> Array:
    """Roll of the image presented at a step.

    Args:
      key: epoch key of the "shift" stream.
      step: [] int32, the example's position in the epoch, from 0.
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
      step: [] int32, the example's position in the epoch, from 0.
      rate: probability of being dropped, rounded to a multiple of 2⁻³².

    Returns:
      [192] bool in (row, column, plane) order.
    """
    bits = jax.random.bits(jax.random.fold_in(key, step), (H2_OUTPUTS,), jnp.uint32)
    mask: Array = bits >= jnp.uint32(drop_threshold(rate))
    return mask


def drop_threshold(rate: float) -> int:
    """A unit is dropped if its 32 random bits are below this number."""
    return round(rate * 2**32)
