"""Run a program over any number of replicas in blocks of one fixed width.

XLA does not guarantee that a batched program computes the same bits at different batch widths
(github.com/jax-ml/jax/issues/26308). A fixed width guarantees it, and needs only one compilation for all shards.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from model.engines import block_width

Results = TypeVar("Results")


@cache
def block() -> int:
    """Replicas in a block on this process's device."""
    device = jax.devices()[0]
    memory = (device.memory_stats() or {}).get("bytes_limit", 0) if device.platform != "cpu" else 0
    return block_width(memory)


def in_blocks(program: Callable[[Any], Results], replicas: Any) -> Results:
    """Apply a program to replicas, one block at a time.

    Args:
      program: maps a tree with leaves [block(), …] to another one.
      replicas: tree with leaves [R, …]. The last block is padded with copies of the last replica, which
        diverge only if that replica does.

    Returns:
      The program's results, leaves [R, …].
    """
    count = jax.tree.leaves(replicas)[0].shape[0]
    width = block()
    rows = np.minimum(np.arange(-(-count // width) * width), count - 1).reshape(-1, width)
    blocks = [program(jax.tree.map(lambda leaf, row=row: leaf[row], replicas)) for row in rows]
    joined: Results = jax.tree.map(lambda *parts: jnp.concatenate(parts)[:count], *blocks)
    return joined
