"""Converts Flax trees with a leading replica axis to the tiles of blocks and back. Runs outside the kernels."""

from typing import cast

import jax.numpy as jnp
import numpy as np
from jax import Array

from model.engines.pallas.tiles import STARTS, Tensors, Tile, replicas
from model.network import Params

# How the values of one replica in Flax's order become [half, tile]: their shape, and the order of its axes.
_AXES = Tensors(
    w1=((25, 6, 2), (2, 1, 0)),
    b1=((64, 6, 2), (2, 1, 0)),
    w2=((3, 25, 8, 2, 2), (4, 0, 3, 2, 1)),  # group, tap, plane read, pair of the group, half
    b2=((16, 6, 2), (2, 0, 1)),
    w3=((192, 15, 2), (2, 0, 1)),
    b3=((15, 2), (1, 0)),
    w4=((30, 5, 2), (2, 0, 1)),
    b4=((5, 2), (1, 0)),
)


def pack_params(params: Params, tile: Tile) -> Array:
    """A tree of parameters or moments, leaves [R, …], as [blocks, 4880, sublanes, lanes]."""
    groups = [params[f"Conv_{group}"]["kernel"] for group in (1, 2, 3)]
    tensors = Tensors(
        w1=params["Conv_0"]["kernel"],
        b1=params["bias1"],
        w2=jnp.stack(groups, axis=1),
        b2=params["bias2"],
        w3=params["Dense_0"]["kernel"],
        b3=params["bias3"],
        w4=params["Dense_1"]["kernel"],
        b4=params["bias4"],
    )
    count = len(tensors.b4)
    halves = []
    for values, (shape, order) in zip(tensors, _AXES, strict=True):
        axes = (0, *(axis + 1 for axis in order))
        halves.append(values.reshape(count, *shape).transpose(axes).reshape(count, 2, -1))
    return _pack(jnp.concatenate(halves, axis=2), tile)


def unpack_params(tiles: Array, count: int) -> Params:
    """The inverse of `pack_params`, without the copies that fill the last block."""
    halves = jnp.split(_unpack(tiles)[:count], STARTS[1:], axis=2)
    tensors = []
    for values, (shape, order) in zip(halves, _AXES, strict=True):
        axes = (0, *(int(axis) + 1 for axis in np.argsort(order)))
        tensors.append(values.reshape(count, *(shape[axis] for axis in order)).transpose(axes))
    t = Tensors(*tensors)
    groups = t.w2.reshape(count, 3, 5, 5, 8, 4)
    return cast(
        Params,
        {
            "Conv_0": {"kernel": t.w1.reshape(count, 5, 5, 1, 12)},
            **{f"Conv_{i + 1}": {"kernel": groups[:, i]} for i in range(3)},
            "Dense_0": {"kernel": t.w3.reshape(count, 192, 30)},
            "Dense_1": {"kernel": t.w4.reshape(count, 30, 10)},
            "bias1": t.b1.reshape(count, 8, 8, 12),
            "bias2": t.b2.reshape(count, 4, 4, 12),
            "bias3": t.b3.reshape(count, 30),
            "bias4": t.b4.reshape(count, 10),
        },
    )


def pack_shared(values: Array, tile: Tile) -> Array:
    """[R, n] as shared tiles [blocks, n, sublanes, lanes]."""
    return _pack(jnp.stack([values, values], axis=1), tile)


def unpack_shared(tiles: Array, count: int) -> Array:
    """The inverse of `pack_shared`: [blocks, n, sublanes, lanes] as [count, n]."""
    return _unpack(tiles)[:count, 0]


def _pack(halves: Array, tile: Tile) -> Array:
    """[R, 2, n] as [blocks, n, sublanes, lanes]; copies of the last replica fill the last block."""
    count, _, n = halves.shape
    width = replicas(tile)
    blocks = -(-count // width)
    halves = jnp.pad(halves, ((0, blocks * width - count), (0, 0), (0, 0)), mode="edge")
    return halves.reshape(blocks, width, 2, n).transpose(0, 3, 2, 1).reshape(blocks, n, *tile)


def _unpack(tiles: Array) -> Array:
    """The inverse of `_pack`: [blocks, n, sublanes, lanes] as [replicas, 2, n]."""
    blocks, n, sublanes, lanes = tiles.shape
    halves = tiles.reshape(blocks, n, 2, sublanes * lanes // 2)
    return halves.transpose(0, 3, 2, 1).reshape(-1, 2, n)
