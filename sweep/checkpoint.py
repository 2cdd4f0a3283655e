"""Save and resume of one shard. A checkpoint is a cache: deleting it costs time, never truth.

The format is a NumPy .npz of plain arrays (nothing is unpickled): the leaves of the replica states in tree
order, the rows so far, and the epoch they stand at. The archive's CRCs tell a damaged file from a whole one.
"""

import io
import zipfile
from typing import Any, NamedTuple

import jax
import numpy as np

from model.training import ReplicaState
from sweep.measure import Measured


class Checkpoint(NamedTuple):
    """One shard between two epochs."""

    epoch: int  # the last one finished
    states: ReplicaState  # leaves [R, …]
    rows: list[Measured]  # of epochs 1..epoch


def dump(checkpoint: Checkpoint) -> bytes:
    """As bytes, to be written whole."""
    leaves = jax.tree.leaves(checkpoint.states)
    arrays: dict[str, Any] = {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    for field in Measured._fields:
        arrays[f"rows_{field}"] = np.stack([getattr(m, field) for m in checkpoint.rows])
    buffer = io.BytesIO()
    np.savez(buffer, epoch=np.int64(checkpoint.epoch), **arrays)
    return buffer.getvalue()


def load(content: bytes, fresh: ReplicaState) -> Checkpoint | None:
    """Back from bytes; None when they are damaged or of another shape.

    Args:
      content: what `dump` gave, possibly truncated or overwritten since.
      fresh: states of the same shard at its start, for their structure.
    """
    leaves, structure = jax.tree.flatten(fresh)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            epoch = int(archive["epoch"])
            stored = [archive[f"state_{i}"] for i in range(len(leaves))]
            rows = {field: archive[f"rows_{field}"] for field in Measured._fields}
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, NotImplementedError):
        return None
    alike = all(s.shape == f.shape and s.dtype == f.dtype for s, f in zip(stored, leaves, strict=True))
    if not alike or any(len(column) != epoch for column in rows.values()):
        return None
    measured = [Measured(*(rows[field][i] for field in Measured._fields)) for i in range(epoch)]
    return Checkpoint(epoch, jax.tree.unflatten(structure, stored), measured)
