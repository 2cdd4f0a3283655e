"""Random order of the rows, identical to ``jax.random.permutation``.

Implemented in NumPy, so that the process that loads the digits does not open an accelerator, and so that a subset
does not depend on JAX's defaults. The generator is Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random
numbers: as easy as 1, 2, 3"). Tests compare it with JAX for random seeds.

JAX has two layouts of the counters that Threefry encrypts. "notebook" is the former default that the notebooks
used, now ``jax.threefry_partitionable(False)``. "today" is the current default: number i depends only on i.
"""

import math

import numpy as np

from data.options import DatasetOptions, PrngLayout

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)

Words = np.ndarray  # of uint32


def row_order(options: DatasetOptions, available: int) -> np.ndarray:
    """[available] int64: all rows in the order of the subset seed, or in file order if there is none."""
    if options.seed is None:
        return np.arange(available)
    return permutation(options.seed, available, options.prng_layout)


def permutation(seed: int, n: int, layout: PrngLayout) -> np.ndarray:
    """``jax.random.permutation(jax.random.PRNGKey(seed), n)``: [n] int64, each of 0..n-1 once."""
    key = np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)
    rows = np.arange(n)
    # 32-bit sort keys have ties; JAX repeats the sort until their effect is negligible.
    for _ in range(math.ceil(3 * math.log(max(1, n)) / math.log(2**32 - 1))):
        key, subkey = _split(key, layout)
        rows = rows[np.argsort(_bits(subkey, n, layout), kind="stable")]
    return rows


def _split(key: Words, layout: PrngLayout) -> tuple[Words, Words]:
    if layout == "notebook":
        first, second = _pairs(key, 4).reshape(2, 2)
    else:
        first, second = np.stack(
            _threefry(key, np.zeros(2, np.uint32), np.arange(2, dtype=np.uint32)), axis=1
        )
    return first, second


def _bits(key: Words, n: int, layout: PrngLayout) -> Words:
    if layout == "notebook":
        return _pairs(key, n)
    high, low = _threefry(key, np.zeros(n, np.uint32), np.arange(n, dtype=np.uint32))
    bits: Words = high ^ low
    return bits


def _pairs(key: Words, n: int) -> Words:
    """The layout "notebook": the first half of the counters paired with the second, padded with 0."""
    counters = np.zeros(n + n % 2, np.uint32)
    counters[:n] = np.arange(n)
    first, second = counters.reshape(2, -1)
    return np.concatenate(_threefry(key, first, second))[:n]


def _threefry(key: Words, x: Words, y: Words) -> tuple[Words, Words]:
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x, y = x + schedule[0], y + schedule[1]
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            x = x + y
            y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
        x = x + schedule[(i + 1) % 3]
        y = y + schedule[(i + 2) % 3] + np.uint32(i + 1)
    return x, y
