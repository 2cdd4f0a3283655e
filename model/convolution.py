"""The network's convolution, 5×5 with stride 2, in a form that is fast when every replica has its own kernel.

`jax.vmap` of XLA's convolution over kernels is a grouped convolution with one group per replica, which is slow
on every back end (github.com/jax-ml/jax/issues/13800). The two forms below compile to matrix products and elementwise
loops. Both compute the same sums and differ only in rounding.
"""

from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import Array

TAPS = range(5)


def convolve(planes: Array, kernel: Array) -> Array:
    """5×5 convolution with stride 2 and no padding.

    Args:
      planes: [..., n, n, C] float32, n even, with the border included.
      kernel: [5, 5, C, O] float32.

    Returns:
      [..., m, m, O] float32 with m = n / 2 - 2.

    XLA's CPU back end is fast at matrix products but does not vectorise reductions over replicas in the last
    axis; on GPUs and TPUs, products of such small matrices leave most of a matrix unit idle.
    """
    sums: Array = jax.lax.platform_dependent(planes, kernel, cpu=_by_matrix_product, default=_by_taps)
    return sums


def _by_taps(planes: Array, kernel: Array) -> Array:
    """Sum over the 25 taps of a shifted plane times that tap's weights."""
    *batch, n, _, channels = planes.shape
    m = n // 2 - 2
    # Even and odd rows and columns are separated, so that each tap reads a block without stride.
    phases = planes.reshape(*batch, n // 2, 2, n // 2, 2, channels)
    # With the taps in one axis, XLA's GPU back end reads each tap where it is used; with two, it copies them first.
    weights = kernel.reshape(25, *kernel.shape[2:])
    products = [
        phases[..., i // 2 : i // 2 + m, i % 2, j // 2 : j // 2 + m, j % 2, :, None] * weights[5 * i + j]
        for i in TAPS
        for j in TAPS
    ]
    return reduce(add, products).sum(-2)


def _by_matrix_product(planes: Array, kernel: Array) -> Array:
    """Gather the inputs of each unit in a column, then multiply the kernel as a matrix by the columns."""
    m = planes.shape[-2] // 2 - 2
    x = jnp.moveaxis(planes, -1, -3)
    # Rows first, then columns: ten copies of blocks instead of 25.
    phases = (x[..., 0::2, :], x[..., 1::2, :])
    x = jnp.stack([phases[i % 2][..., i // 2 : i // 2 + m, :] for i in TAPS])
    phases = (x[..., 0::2], x[..., 1::2])
    patches = jnp.stack([phases[j % 2][..., j // 2 : j // 2 + m] for j in TAPS], axis=1)
    channels, units = kernel.shape[-2:]
    columns = jnp.moveaxis(patches, (0, 1), (-5, -4)).reshape(*planes.shape[:-3], 25 * channels, m * m)
    sums = kernel.reshape(25 * channels, units).T @ columns  # [..., O, m * m]
    return jnp.moveaxis(sums.reshape(*sums.shape[:-1], m, m), -3, -1)
