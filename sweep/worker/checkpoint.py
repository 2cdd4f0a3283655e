"""Save and resume of one shard. A checkpoint is a cache: deleting it costs time, never truth.

The format is a NumPy .npz of plain arrays (nothing is unpickled): the name of the shard, the leaves of its replica
states in tree order, the rows so far, and the epoch they stand at. The archive's CRCs tell a damaged file from a
whole one, the name tells another shard's.
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

    epoch: int  # the last one finished
    states: ReplicaState  # leaves [R, …]
    rows: list[Measured]  # of epochs 1..epoch


def dump(checkpoint: Checkpoint, shard: str) -> bytes:
    """As bytes, to be written whole; `shard` is the name of whose they are."""
    leaves = jax.tree.leaves(checkpoint.states)
    arrays: dict[str, Any] = {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    for field in Measured._fields:
        arrays[f"rows_{field}"] = np.stack([getattr(m, field) for m in checkpoint.rows])
    buffer = io.BytesIO()
    np.savez(buffer, shard=np.array(shard), epoch=np.int64(checkpoint.epoch), **arrays)
    return buffer.getvalue()


def load(content: bytes, fresh: ReplicaState, shard: str) -> Checkpoint | None:
    """Back from bytes; None when they are damaged or another shard's.

    Args:
      content: what `dump` gave, possibly truncated or overwritten since.
      fresh: states of the same shard at its start, for their structure.
      shard: its name.
    """
    leaves, structure = jax.tree.flatten(fresh)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.zip.infolist()):
                return None  # not ours; a small file must not unpack to a large one
            if str(archive["shard"]) != shard:
                return None
            epoch = int(archive["epoch"])
            stored = [archive[f"state_{i}"] for i in range(len(leaves))]
            rows = {field: archive[f"rows_{field}"] for field in Measured._fields}
    except Exception:  # damage shows as any of a dozen classes, and a cache that cannot be read is no error
        return None
    alike = all(s.shape == f.shape and s.dtype == f.dtype for s, f in zip(stored, leaves, strict=True))
    if not alike or any(len(column) != epoch for column in rows.values()):
        return None
    measured = [Measured(*(rows[field][i] for field in Measured._fields)) for i in range(epoch)]
    return Checkpoint(epoch, jax.tree.unflatten(structure, stored), measured)
