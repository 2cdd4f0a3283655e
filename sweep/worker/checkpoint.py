"""Convert the replica states and measured rows of one shard to a checkpoint and back.

`sweep.store.checkpoint` owns the file format.
"""

from typing import NamedTuple

import jax
import numpy as np

from model.training import ReplicaState
from sweep.store.checkpoint import Arrays, pack, unpack
from sweep.store.errors import Damaged
from sweep.worker.measure import Measured


class Checkpoint(NamedTuple):
    """State of a shard between two epochs."""

    epoch: int  # number of finished epochs
    states: ReplicaState  # leaves [R, …]
    rows: list[Measured]  # of epochs 1..epoch


def dump(checkpoint: Checkpoint, shard: str) -> bytes:
    """The bytes of a checkpoint file. shard: `Shard.name`."""
    leaves = jax.tree.leaves(checkpoint.states)
    arrays = {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    for field in Measured._fields:
        arrays[f"rows_{field}"] = np.stack([getattr(m, field) for m in checkpoint.rows])
    return pack(Arrays(shard, checkpoint.epoch, arrays))


def load(content: bytes, fresh: ReplicaState, shard: str) -> Checkpoint | None:
    """Read a checkpoint; None if it is damaged or belongs to another shard.

    Args:
      content: what `dump` returned, possibly truncated or overwritten since.
      fresh: initial states of the same shard, for their structure, shapes and dtypes.
      shard: `Shard.name`.
    """
    leaves, structure = jax.tree.flatten(fresh)
    try:
        stored = unpack(content)
        states = [stored.arrays[f"state_{i}"] for i in range(len(leaves))]
        rows = {field: stored.arrays[f"rows_{field}"] for field in Measured._fields}
    except (Damaged, KeyError):
        return None
    matching = all(s.shape == f.shape and s.dtype == f.dtype for s, f in zip(states, leaves, strict=True))
    lengths = {len(column) if column.ndim else -1 for column in rows.values()}
    if stored.shard != shard or not matching or lengths != {stored.epoch}:
        return None
    measured = [Measured(*(rows[field][i] for field in Measured._fields)) for i in range(stored.epoch)]
    return Checkpoint(stored.epoch, jax.tree.unflatten(structure, states), measured)
