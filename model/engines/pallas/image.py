"""Loads an example's image into VMEM, one tile per pixel, with a shift per replica if the variant has shifts."""

import jax.numpy as jnp
from jax import Array

from model.engines.pallas.convolution import SIDE0
from model.engines.pallas.tiles import PIXELS, Ref, Tile, repeat

LANES = 128  # pixels in a row of SMEM


def show(image: Ref, pixels: Ref, example: Array, tile: Tile) -> None:
    """The same image for every replica.

    Args:
      image: [256] tiles in VMEM, row by row; filled.
      pixels: [examples, 2, 128] float32 in SMEM.
      example: [] int32.
      tile: shape of a tile.
    """
    for i in range(PIXELS):
        image[i] = jnp.full(tile, pixels[example, i // LANES, i % LANES], jnp.float32)


def roll(image: Ref, rows: Array, columns: Array, largest: int) -> None:
    """Roll the image of each replica by rows - largest and columns - largest, as numpy.roll.

    A roll by any number of pixels is composed of optional rolls by 1, 2, 4 and 8, with one select per pixel each.
    """

    def roll_lines(start: Array, stride: int, amounts: Array) -> None:
        """Rolls 16 pixels, `stride` apart, within themselves. start: of the first."""
        line = [image[start + i * stride] for i in range(SIDE0)]
        line = [line[(i + largest) % SIDE0] for i in range(SIDE0)]
        for amount in (1, 2, 4, 8):
            if amount <= 2 * largest:
                taken = (amounts & amount) != 0
                line = [jnp.where(taken, line[i - amount], line[i]) for i in range(SIDE0)]
        for i in range(SIDE0):
            image[start + i * stride] = line[i]

    repeat(SIDE0, lambda row: roll_lines(row * SIDE0, 1, columns))
    repeat(SIDE0, lambda column: roll_lines(column, SIDE0, rows))
