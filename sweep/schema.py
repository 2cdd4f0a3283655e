"""The columns: names, types and units of what is stored. Nothing else in the project spells them out."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1
METADATA_KEY = b"lecun1989_sweep"

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

    def encode(self) -> dict[bytes, bytes]:
        """As Parquet key-value metadata."""
        return {METADATA_KEY: json.dumps(asdict(self), sort_keys=True).encode()}

    @staticmethod
    def decode(metadata: dict[bytes, bytes] | None) -> "FileMetadata":
        """Read back from Parquet key-value metadata.

        Raises:
          ValueError: not a file of this project, or written by a newer version of it.
        """
        text = (metadata or {}).get(METADATA_KEY)
        if text is None:
            raise ValueError("is not a table of this program")
        fields = json.loads(text)
        if fields.get("schema_version", 0) > SCHEMA_VERSION:
            raise ValueError(
                f"has schema version {fields['schema_version']}, this program reads up to {SCHEMA_VERSION}: "
                "install a newer lecun1989-sweep"
            )
        return FileMetadata(**fields)
