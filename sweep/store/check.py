"""What is wrong with the files of a root: every one is read and held against its name and what it says of itself.

Loads neither JAX nor Ray. Nothing is changed; `sweep.cli.doctor` sets aside what is found when it is told to.
"""

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model.identity import UnknownField
from sweep.spec.shard import Cell, Shard
from sweep.store.lease import FILE as LEASE
from sweep.store.records import SweepRecord
from sweep.store.schema import (
    DIGEST_KEY,
    METADATA_KEY,
    FileMetadata,
    Kind,
    NewerVersion,
    content_digest,
    schema,
)
from sweep.store.store import MARKER, SET_ASIDE, Store


@dataclass(frozen=True)
class Finding:
    """Something wrong with one file."""

    path: str  # below the root
    what: str
    set_aside: bool = True  # what a repair does; else only a person can know what is right


def examine(store: Store) -> list[Finding]:
    """Everything that is wrong below a root, by path; [] for a healthy one.

    A finished shard is two files, epochs and labels: where one is damaged, both are named, since its seeds are
    to be trained again.
    """
    paths = [p for p in store.everything() if not p.startswith(f"{SET_ASIDE}/") and p != LEASE]
    with ThreadPoolExecutor(16) as pool:
        results = dict(zip(paths, pool.map(lambda path: _examine_file(store, path), paths), strict=True))
    findings = [r for r in results.values() if isinstance(r, Finding)]
    findings += _examine_pairs(results)
    stored = {p: r for p, r in results.items() if isinstance(r, FileMetadata) and p.startswith("epochs/")}
    findings += _overlaps(stored)
    return sorted(findings, key=lambda finding: finding.path)


def _examine_file(store: Store, path: str) -> Finding | FileMetadata | None:
    kind, _, rest = path.partition("/")
    name = path.rpartition("/")[2]
    if name.startswith("_"):
        return Finding(path, "was left by a process that was stopped while it wrote")
    try:
        match kind:
            case _ if path == MARKER:
                json.loads(store.read(path))
            case "epochs" | "labels" if name.endswith(".parquet"):
                return _examine_table(store.read(path), kind, path)
            case "checkpoints" if name.endswith(".npz"):
                _examine_checkpoint(store.read(path), name.removesuffix(".npz"))
            case "sweeps" if name.endswith(".json"):
                _examine_record(store.read(path), rest.removesuffix(".json"))
            case "failures":
                store.read(path).decode()
            case _ if kind in _FOLDERS:
                return Finding(path, "is no file of this program", set_aside=False)
    except NewerVersion as error:
        return Finding(path, str(error), set_aside=False)
    except Exception as error:  # whatever a reader says of damaged bytes
        reason = (
            str(error) if type(error) in (_Wrong, ValueError) else f"cannot be read ({type(error).__name__})"
        )
        return Finding(path, reason)
    return None


_FOLDERS = {"epochs", "labels", "checkpoints", "sweeps"}


class _Wrong(Exception):
    """What is wrong with a file that can be read."""


def _examine_table(content: bytes, kind: Kind, path: str) -> FileMetadata:
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    described: dict[bytes, bytes] = file.metadata.metadata or {}
    table = file.read()
    text = described.get(METADATA_KEY)
    if text is None:
        raise _Wrong("is not a table of this program")
    metadata = FileMetadata.decode(described)
    digest = content_digest(table, text)
    if described.get(DIGEST_KEY, digest.encode()).decode() != digest:
        raise _Wrong("does not match its digest")
    if not table.schema.remove_metadata().equals(schema(kind, metadata.schema_version)):
        raise _Wrong(f"does not have the columns of schema version {metadata.schema_version}")
    _examine_identity(metadata, kind, path)
    seeds = range(metadata.first_seed, metadata.last_seed + 1)
    epochs = np.arange(1, metadata.epochs + 1)
    expected = np.repeat(seeds, len(epochs)) if kind == "epochs" else np.array(seeds)
    if not np.array_equal(table["seed"].to_numpy(), expected):
        raise _Wrong("does not hold each of its seeds once")
    if kind == "epochs" and not np.array_equal(table["epoch"].to_numpy(), np.tile(epochs, len(seeds))):
        raise _Wrong("does not hold each epoch of each seed once")
    return metadata


def _examine_identity(metadata: FileMetadata, kind: str, path: str) -> None:
    """The folder and the file's name are what the file says it is."""
    from model.variants import Variant

    try:
        variant = Variant.from_stored(metadata.variant)
    except UnknownField as error:
        raise NewerVersion(f"needs a newer lecun1989-sweep: its variant {error}") from None
    if variant.digest != metadata.variant_digest:
        raise _Wrong("holds a variant that does not match its digest")
    cell = Cell(variant, metadata.dataset["name"], metadata.dataset_digest)
    shard = Shard(cell, range(metadata.first_seed, metadata.last_seed + 1))
    if path != f"{kind}/{shard.path}.parquet":
        raise _Wrong(f"holds {shard.path}: it lies in the wrong place")


def _examine_checkpoint(content: bytes, name: str) -> None:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        members: list[zipfile.ZipInfo] = archive.zip.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise _Wrong("is packed, which no checkpoint of this program is")
        arrays: dict[str, Any] = dict(archive)
    if str(arrays["shard"]) != name:
        raise _Wrong("is of another shard")
    int(arrays["epoch"])


def _examine_record(content: bytes, name: str) -> None:
    record = SweepRecord.decode(content)
    if record.name != name:
        raise _Wrong(f"is the record of {record.name}")


def _examine_pairs(results: dict[str, Finding | FileMetadata | None]) -> Iterator[Finding]:
    for path, result in results.items():
        kind, _, rest = path.partition("/")
        if kind not in ("epochs", "labels") or not isinstance(result, FileMetadata):
            continue
        other = results.get(f"{'labels' if kind == 'epochs' else 'epochs'}/{rest}")
        if isinstance(other, Finding) and other.set_aside:
            yield Finding(path, f"is whole, but its {other.path.partition('/')[0]} are damaged")
        elif other is None:
            said = "its labels are missing" if kind == "epochs" else "of a shard that was never finished"
            yield Finding(path, said)


def _overlaps(stored: dict[str, FileMetadata]) -> Iterator[Finding]:
    """Runs stored twice count once, so they do no harm; two drivers were at work on a root without locks."""
    cells: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for path, file in stored.items():
        cells[file.variant_digest, file.dataset_digest].append((file.first_seed, file.last_seed, path))
    for files in cells.values():
        _, reached, widest = min(files)
        for first, last, path in sorted(files)[1:]:
            if first <= reached:
                yield Finding(path, f"holds seeds that {widest} holds too: they count once", set_aside=False)
            if last > reached:
                reached, widest = last, path
