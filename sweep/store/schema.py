"""Columns and metadata of stored files: names, types and units, per schema version."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from model.parameters import PARAMETERS
from sweep.store.errors import Damaged, NewerVersion

METADATA_KEY = b"lecun1989_sweep"

OK, DIVERGED = "ok", "diverged"

Kind = Literal["epochs", "labels", "weights"]

# Each column with the schema version that added it. A column added after version 1 must be nullable: files of earlier
# versions are read as if it were null in every row.
_COLUMNS: dict[Kind, list[tuple[int, pa.Field]]] = {
    "epochs": [
        (1, pa.field("variant", pa.string(), False)),  # "base", "base@karpathy", "base,epochs=4"
        (1, pa.field("recipe", pa.string(), False)),
        (1, pa.field("dataset", pa.string(), False)),  # "mnist", "mnist,antialias=False"
        (1, pa.field("seed", pa.int64(), False)),
        (1, pa.field("epoch", pa.int32(), False)),  # from 1
        (1, pa.field("learning_rate", pa.float32(), False)),  # of the epoch's last update
        (1, pa.field("train_loss", pa.float32())),  # mean; squared error, or cross-entropy in nats
        (1, pa.field("train_error", pa.float32())),  # misses as a fraction of the split
        (1, pa.field("train_misses", pa.int32())),  # wrongly classified digits
        (1, pa.field("test_loss", pa.float32())),
        (1, pa.field("test_error", pa.float32())),
        (1, pa.field("test_misses", pa.int32())),
        (1, pa.field("status", pa.string(), False)),  # "diverged": loss, error and misses are null
    ],
    "labels": [
        (1, pa.field("variant", pa.string(), False)),
        (1, pa.field("recipe", pa.string(), False)),
        (1, pa.field("dataset", pa.string(), False)),
        (1, pa.field("seed", pa.int64(), False)),
        (1, pa.field("predictions", pa.binary())),  # label of each test digit, uint8; null if diverged
        (2, pa.field("margins", pa.list_(pa.float16()))),  # of each test digit: see `Engine.margins`
    ],
    "weights": [
        (1, pa.field("variant", pa.string(), False)),
        (1, pa.field("recipe", pa.string(), False)),
        (1, pa.field("dataset", pa.string(), False)),
        (1, pa.field("seed", pa.int64(), False)),
        # Parameters after the last epoch in row-major order; null if diverged.
        *((1, pa.field(name, pa.list_(pa.field("element", pa.float32())))) for name in PARAMETERS),
    ],
}
SCHEMA_VERSION = max(since for columns in _COLUMNS.values() for since, _ in columns)


def schema(kind: Kind, version: int = SCHEMA_VERSION) -> pa.Schema:
    """Columns of a kind of file in a schema version."""
    return pa.schema([column for since, column in _COLUMNS[kind] if since <= version])


EPOCHS, LABELS, WEIGHTS = schema("epochs"), schema("labels"), schema("weights")


def conform(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """The table with exactly the wanted columns; a nullable column that it lacks is null in every row.

    Raises:
      KeyError: it lacks a column that is not nullable.
    """
    for column in wanted:
        if column.nullable and column.name not in table.column_names:
            table = table.append_column(column, pa.nulls(len(table), column.type))
    return table.select(wanted.names).cast(wanted)


@dataclass(frozen=True)
class FileMetadata:
    """Description of a stored file: identity first, then provenance."""

    variant: dict[str, Any]  # `Variant.to_stored()`
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
    environment: dict[str, str] = field(default_factory=dict)  # host, and the devices visible to the worker
    schema_version: int = SCHEMA_VERSION

    @property
    def seeds(self) -> range:
        """Seeds of the file's runs."""
        return range(self.first_seed, self.last_seed + 1)

    @property
    def key(self) -> tuple[str, str]:
        """Cell key: digests of the variant and of the data set."""
        return self.variant_digest, self.dataset_digest

    def encode(self) -> bytes:
        """As JSON, the value of `METADATA_KEY` in a file's key-value metadata."""
        return json.dumps(vars(self), sort_keys=True).encode()

    @staticmethod
    def decode(metadata: dict[bytes, bytes] | None) -> "FileMetadata":
        """Read from a file's key-value metadata.

        Raises:
          Damaged: not a file of this program.
          NewerVersion: written by a newer version.
        """
        text = (metadata or {}).get(METADATA_KEY)
        if text is None:
            raise Damaged("was not written by this program")
        fields = json.loads(text)
        if fields.get("schema_version", 0) > SCHEMA_VERSION:
            raise NewerVersion.of(fields["schema_version"], SCHEMA_VERSION)
        known = FileMetadata.__dataclass_fields__
        return FileMetadata(**{name: value for name, value in fields.items() if name in known})
