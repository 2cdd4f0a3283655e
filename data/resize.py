"""Resize 28x28 digits to the 16x16 input of the network.

Bit-identical to ``jax.image.resize`` (0.10.2) on a CPU with fused multiply-add. Implemented in NumPy, because
the JAX function rounds differently on a GPU or an older CPU, and the digest of a data set must not depend on the
machine.
"""

import numpy as np

from data.dataset import SIDE


def to_network(raw: np.ndarray, antialias: bool) -> np.ndarray:
    """Scale to [-1, 1], then resize bilinearly.

    Args:
      raw: [N, 28, 28] uint8; 0 is background.
      antialias: average over all input pixels that an output pixel covers; else interpolate between the two
        nearest in each direction.

    Returns:
      [N, 16, 16] float32 in [-1, 1], up to rounding.
    """
    images = raw.astype(np.float32) / np.float32(127.5) - np.float32(1)
    weights = _weights(raw.shape[1], antialias)
    half = _contract(images, weights)
    return np.ascontiguousarray(_contract(half.transpose(0, 2, 1), weights).transpose(0, 2, 1))


def _weights(side: int, antialias: bool) -> np.ndarray:
    """[side, 16] float32: weight of each input row in each output row, a normalised triangle function."""
    one = np.float32(1)
    scale = np.float32(side / SIDE)
    centres = (np.arange(SIDE, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    distance = np.abs(centres - np.arange(side, dtype=np.float32)[:, None])
    slope = one / scale if antialias else one
    triangle = np.maximum(_fused(-distance, slope, one), np.float32(0))
    total = np.zeros(SIDE, np.float32)
    for row in triangle:  # sequentially: the order determines the last bit
        total = total + row
    weights: np.ndarray = triangle * (one / total)
    return weights


def _contract(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Contract axis 1 of [N, side, M] with the weights: [N, 16, M] float32, summed in row order."""
    result = np.zeros((len(images), SIDE, images.shape[2]), np.float32)
    for row, column in np.argwhere(weights):
        result[:, column] = _fused(images[:, row], weights[row, column], result[:, column])
    return result


def _fused(x: np.ndarray, y: np.float32, z: np.ndarray | np.float32) -> np.ndarray:
    """Fused multiply-add, x * y + z rounded once: the product of two float32 is exact in float64."""
    return (x.astype(np.float64) * np.float64(y) + z).astype(np.float32)
