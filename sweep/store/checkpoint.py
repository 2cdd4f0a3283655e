"""The checkpoint format: a NumPy .npz of plain arrays with the name of the shard and the epoch.

A checkpoint is a cache. Deleting one costs time, never results. Nothing is unpickled or decompressed; the archive's
CRC-32 of each array detects damage. `sweep.worker.checkpoint` converts between arrays and replica states.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from sweep.store.errors import Damaged


@dataclass(frozen=True)
class Arrays:
    """Content of a checkpoint file."""

    shard: str  # `Shard.name`
    epoch: int  # the last completed one
    arrays: Mapping[str, np.ndarray]


def pack(content: Arrays) -> bytes:
    """As the bytes of a file."""
    arrays: dict[str, Any] = {"shard": np.array(content.shard), "epoch": np.int64(content.epoch)}
    buffer = io.BytesIO()
    np.savez(buffer, **(arrays | dict(content.arrays)))
    return buffer.getvalue()


def unpack(content: bytes) -> Arrays:
    """Read from the bytes of a file.

    Raises:
      Damaged: they are not a whole checkpoint.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            members: list[zipfile.ZipInfo] = archive.zip.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise Damaged("is compressed, which no checkpoint of this program is")
            arrays = dict(archive)
        return Arrays(str(arrays.pop("shard")), int(arrays.pop("epoch")), arrays)
    except Damaged:
        raise
    except Exception as error:  # damage is reported as any of a dozen classes
        raise Damaged(f"cannot be read ({type(error).__name__})") from None


def read_epoch(source: BinaryIO) -> int | None:
    """Epoch of a checkpoint, without reading its arrays; None if it is damaged."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            return int(archive["epoch"])
    except Exception:  # as in `unpack`
        return None
