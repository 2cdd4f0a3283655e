"""The columns: names, types and units of what is stored. Nothing else in the project spells them out."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 1
METADATA_KEY = b"lecun1989_sweep"
DIGEST_KEY = b"lecun1989_sweep_digest"

OK, DIVERGED = "ok", "diverged"

EPOCHS = pa.schema(
    [
        pa.field("variant", pa.string(), False),  # "base", "base@karpathy", "base,learning_rate=0.01"
        pa.field("recipe", pa.string(), False),
        pa.field("dataset", pa.string(), False),  # "mnist", "mnist,antialias=False"
        pa.field("seed", pa.int64(), False),
        pa.field("epoch", pa.int32(), False),  # from 1
        pa.field("learning_rate", pa.float32(), False),  # of the epoch's last update
        pa.field("train_loss", pa.float32()),  # mean over the split; squared error, or cross-entropy in nats
        pa.field("train_error", pa.float32()),  # misses as a fraction of the split
        pa.field("train_misses", pa.int32()),  # wrongly classified digits
        pa.field("test_loss", pa.float32()),
        pa.field("test_error", pa.float32()),
        pa.field("test_misses", pa.int32()),
        pa.field("status", pa.string(), False),  # "ok", or "diverged": then loss, error and misses are null
    ]
)

LABELS = pa.schema(
    [
        pa.field("variant", pa.string(), False),
        pa.field("recipe", pa.string(), False),
        pa.field("dataset", pa.string(), False),
        pa.field("seed", pa.int64(), False),
        pa.field("predictions", pa.binary()),  # one byte a test digit, its predicted label; null if diverged
    ]
)


class NewerVersion(ValueError):
    """A file whose schema version this program does not know."""


@dataclass(frozen=True)
class FileMetadata:
    """What a stored file says of itself: identity first, then how it was made."""

    variant: dict[str, Any]  # every field of the Variant
    variant_digest: str
    dataset: dict[str, Any]  # description of the data set
    dataset_digest: str
    first_seed: int
    last_seed: int  # included
    epochs: int
    engine: str
    device: str
    code: str  # version and commit that made it
    versions: dict[str, str]  # of the libraries that decide numbers
    started: str  # ISO 8601, UTC
    seconds: float  # spent on this shard by the worker that finished it
    environment: dict[str, str] = field(default_factory=dict)  # host, and which devices the worker could see
    schema_version: int = SCHEMA_VERSION

    def encode(self, table: pa.Table) -> dict[bytes, bytes]:
        """As Parquet key-value metadata of a table, with a digest over itself and the table's rows."""
        text = json.dumps(vars(self), sort_keys=True).encode()
        return {METADATA_KEY: text, DIGEST_KEY: content_digest(table, text).encode()}

    @staticmethod
    def decode(metadata: dict[bytes, bytes] | None) -> "FileMetadata":
        """Read back from Parquet key-value metadata.

        Raises:
          ValueError: not a file of this project.
          NewerVersion: written by a newer version of it.
        """
        text = (metadata or {}).get(METADATA_KEY)
        if text is None:
            raise ValueError("is not a table of this program")
        fields = json.loads(text)
        if fields.get("schema_version", 0) > SCHEMA_VERSION:
            raise NewerVersion(
                f"has schema version {fields['schema_version']}, this program reads up to {SCHEMA_VERSION}: "
                "install a newer lecun1989-sweep"
            )
        known = FileMetadata.__dataclass_fields__
        return FileMetadata(**{name: value for name, value in fields.items() if name in known})


def content_digest(table: pa.Table, metadata: bytes) -> str:
    """SHA-256 (64 hex digits) over a table's rows and what its file says of itself.

    It is over names, types and values, not over Parquet's bytes, which change with the library's version.
    """
    digest = hashlib.sha256(metadata)
    for about, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"{about.name} {about.type} {len(column)}".encode())
        digest.update(np.packbits(column.is_valid().to_numpy()).tobytes())
        if pa.types.is_string(about.type) or pa.types.is_binary(about.type):
            array = column.cast(pa.binary()).fill_null(b"").combine_chunks()
            _, ends, content = array.buffers()
            ends = np.frombuffer(ends, np.int32)[array.offset : array.offset + len(array) + 1]
            digest.update(np.diff(ends).astype("<i8").tobytes())
            digest.update(memoryview(content)[ends[0] : ends[-1]] if content else b"")
        else:
            values = column.fill_null(0).to_numpy()
            digest.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
