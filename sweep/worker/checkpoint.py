"""Checkpoints of one shard. A checkpoint is a cache: deleting it costs time, never a result.

The format is a NumPy .npz of plain arrays (nothing is unpickled): the name of the shard, the leaves of its replica
states in tree order, the rows so far, and the number of finished epochs. The CRCs of the archive detect damage, the
name detects the checkpoint of another shard.
"""

import io
import zipfile
from typing import Any, NamedTuple

import jax
import numpy as np

from model.training import ReplicaState
from sweep.worker.measure import Measured


class Checkpoint(NamedTuple):
    """One shard between two epochs."""

    epoch: int  # number of finished epochs
    states: ReplicaState  # leaves [R, …]
    rows: list[Measured]  # of epochs 1..epoch


def dump(checkpoint: Checkpoint, shard: str) -> bytes:
    """Encode a checkpoint of the shard with this name."""
    leaves = jax.tree.leaves(checkpoint.states)
    arrays: dict[str, Any] = {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    for field in Measured._fields:
        arrays[f"rows_{field}"] = np.stack([getattr(m, field) for m in checkpoint.rows])
    buffer = io.BytesIO()
    np.savez(buffer, shard=np.array(shard), epoch=np.int64(checkpoint.epoch), **arrays)
    return buffer.getvalue()


def load(content: bytes, fresh: ReplicaState, shard: str) -> Checkpoint | None:
    """Decode a checkpoint; None if it is damaged or belongs to another shard.

    Args:
      content: the result of `dump`, possibly truncated or overwritten since.
      fresh: initial states of the same shard, for their structure.
      shard: its name.
    """
    leaves, structure = jax.tree.flatten(fresh)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.zip.infolist()):
                return None  # not written by `dump`; a small file could unpack to a large one
            if str(archive["shard"]) != shard:
                return None
            epoch = int(archive["epoch"])
            stored = [archive[f"state_{i}"] for i in range(len(leaves))]
            rows = {field: archive[f"rows_{field}"] for field in Measured._fields}
    except Exception:  # damage raises many classes of exceptions; an unreadable cache is not an error
        return None
    matches = all(s.shape == f.shape and s.dtype == f.dtype for s, f in zip(stored, leaves, strict=True))
    if not matches or any(len(column) != epoch for column in rows.values()):
        return None
    measured = [Measured(*(rows[field][i] for field in Measured._fields)) for i in range(epoch)]
    return Checkpoint(epoch, jax.tree.unflatten(structure, stored), measured)
