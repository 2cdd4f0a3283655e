"""Verify every file of a root: its digests, and that its name and folder match its content.

Nothing is changed; `sweep doctor --repair` quarantines the damaged files.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from model.identity import UnknownField
from model.parameters import PARAMETERS
from model.variants import Variant
from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Cell, Shard
from sweep.store import parquet
from sweep.store.checkpoint import unpack
from sweep.store.errors import Damaged, NewerVersion
from sweep.store.folder import is_temporary
from sweep.store.records import SweepRecord
from sweep.store.schema import FileMetadata, Kind, schema
from sweep.store.store import LAYOUT_VERSION, MARKER, QUARANTINES, Store

Severity = Literal["damaged", "unverified", "harmless"]
FOLDERS = ("epochs", "labels", "weights", "checkpoints", "failures", "sweeps")


@dataclass(frozen=True)
class Finding:
    """A file that is not as expected.

    Attributes:
      path: below the root.
      what: the reason; with the path before it, a sentence.
      severity: damaged files can be quarantined. An unverified file cannot be read by this program or by this
        user. A harmless one does not affect results.
    """

    path: str
    what: str
    severity: Severity = "damaged"


def examine(store: Store) -> list[Finding]:
    """The findings of a root, by path; [] if every file is as expected.

    A finished shard is an epochs and a labels file. If one is damaged, so is the other, because the shard is
    trained again.

    Raises:
      StoreError: the root cannot be read.
    """
    paths = [p for p in store.folder.everything() if not p.startswith(tuple(f"{q}/" for q in QUARANTINES))]
    with ThreadPoolExecutor(16) as pool:
        results = dict(zip(paths, pool.map(lambda path: _examine_file(store, path), paths), strict=True))
    findings = [r for r in results.values() if isinstance(r, Finding)]
    findings += [*_examine_pairs(results), *_examine_weights(results)]
    stored = {p: r for p, r in results.items() if isinstance(r, FileMetadata) and p.startswith("epochs/")}
    findings += _overlaps(stored)
    return sorted(findings, key=lambda finding: finding.path)


def _examine_file(store: Store, path: str) -> Finding | FileMetadata | None:
    top = path.partition("/")[0]
    if top not in FOLDERS and path != MARKER and not is_temporary(path):
        return None  # the lock, the log, and files of other programs
    if is_temporary(path):
        return Finding(
            path, "is the temporary file of an interrupted write; the next run deletes it", "harmless"
        )
    try:
        content = store.folder.read(path)
    except FileNotFoundError:
        return None  # deleted since it was listed
    except StoreError as error:
        return Finding(path, str(error).partition(f"{path}: ")[2] or str(error), "unverified")
    try:
        return _examine_content(path, content)
    except NewerVersion as error:
        return Finding(path, str(error), "unverified")
    except Damaged as error:
        return Finding(path, str(error))
    except Exception as error:  # readers report damage as any of a dozen classes
        return Finding(path, f"cannot be read ({type(error).__name__})")


def _examine_content(path: str, content: bytes) -> Finding | FileMetadata | None:
    top, _, rest = path.partition("/")
    match top, path.rpartition(".")[2]:
        case _ if path == MARKER:
            _examine_marker(content)
        case "epochs" | "labels" | "weights" as kind, "parquet":
            return check_table(content, kind, path)[1]
        case "checkpoints", "npz":
            if unpack(content).shard != path.rpartition("/")[2].removesuffix(".npz"):
                raise Damaged("is the checkpoint of another shard")
        case "sweeps", "json":
            record = SweepRecord.decode(content)
            if record.name != rest.removesuffix(".json"):
                raise Damaged(f"is the record of {record.name}")
        case "failures", "txt":
            content.decode()
        case _:
            return Finding(path, "is not a file of this program", "harmless")
    return None


def _examine_marker(content: bytes) -> None:
    version = json.loads(content)["schema_version"]
    if version not in range(1, LAYOUT_VERSION + 1):
        raise Damaged(f"has an unknown schema version: {version!r}")


def check_table(content: bytes, kind: Kind, path: str) -> tuple[pa.Table, FileMetadata]:
    """The rows and metadata of a stored table, after a check of its digests, columns, rows, name and folder.

    Args:
      content: of the file.
      kind: of the table.
      path: of the file below the root.

    Raises:
      Damaged: a check fails.
      NewerVersion: written by a newer version.
      pyarrow.ArrowException, OSError, ValueError, …: not a readable Parquet file.
    """
    table, metadata = parquet.verify(content)
    if not table.schema.remove_metadata().equals(schema(kind, metadata.schema_version)):
        raise Damaged(f"does not have the columns of schema version {metadata.schema_version}")
    _examine_identity(metadata, kind, path)
    seeds = range(metadata.first_seed, metadata.last_seed + 1)
    epochs = np.arange(1, metadata.epochs + 1)
    expected = np.repeat(seeds, len(epochs)) if kind == "epochs" else np.array(seeds)
    if not np.array_equal(table["seed"].to_numpy(), expected):
        raise Damaged("does not contain each of its seeds once")
    if kind == "epochs" and not np.array_equal(table["epoch"].to_numpy(), np.tile(epochs, len(seeds))):
        raise Damaged("does not contain each epoch of each seed once")
    for name, shape in PARAMETERS.items() if kind == "weights" else ():
        if set(table[name].combine_chunks().value_lengths().to_pylist()) - {None, math.prod(shape)}:
            raise Damaged(f"does not have {math.prod(shape)} values of {name} in each row")
    return table, metadata


def shard_of(metadata: FileMetadata) -> Shard:
    """The shard that a stored table contains.

    Raises:
      UnknownField: its variant has a field of a newer version.
    """
    dataset = metadata.dataset
    cell = Cell(
        Variant.from_stored(metadata.variant), dataset["name"], metadata.dataset_digest, dataset["n_train"]
    )
    return Shard(cell, range(metadata.first_seed, metadata.last_seed + 1))


def _examine_identity(metadata: FileMetadata, kind: Kind, path: str) -> None:
    """Raise if the digests of the variant, the file name or the folder do not match the metadata."""
    try:
        shard = shard_of(metadata)
    except UnknownField as error:
        raise NewerVersion(f"needs a newer lecun1989-sweep: its variant {error}") from None
    if shard.cell.variant.digest != metadata.variant_digest:
        raise Damaged("contains a variant that does not match its digest")
    if path != f"{kind}/{shard.path}.parquet":
        raise Damaged(f"contains {shard.path}, so its name or folder is wrong")


def _examine_pairs(results: dict[str, Finding | FileMetadata | None]) -> Iterator[Finding]:
    for path, result in results.items():
        kind, _, rest = path.partition("/")
        if kind not in ("epochs", "labels") or not isinstance(result, FileMetadata):
            continue
        other = results.get(f"{'labels' if kind == 'epochs' else 'epochs'}/{rest}")
        if isinstance(other, Finding) and other.severity == "damaged":
            yield Finding(path, f"is intact, but its {other.path.partition('/')[0]} file is damaged")
        elif other is None and kind == "epochs":
            yield Finding(path, "has no labels file")
        elif other is None:
            yield Finding(
                path, "belongs to no finished shard; the next run deletes or replaces it", "harmless"
            )


def _examine_weights(results: dict[str, Finding | FileMetadata | None]) -> Iterator[Finding]:
    """Weights whose runs are not finished."""
    files = [(path, file) for path, file in results.items() if isinstance(file, FileMetadata)]
    finished: dict[tuple[str, str], list[range]] = defaultdict(list)
    for path, file in files:
        if path.startswith("epochs/"):
            finished[file.key].append(file.seeds)
    for path, file in files:
        if path.startswith("weights/") and SeedRanges([file.seeds]) - SeedRanges(finished[file.key]):
            yield Finding(
                path,
                "contains runs that are not finished; the next run that trains them deletes it",
                "harmless",
            )


def _overlaps(stored: dict[str, FileMetadata]) -> Iterator[Finding]:
    """Runs that are stored twice count once. Two drivers on a root without locks can store them."""
    cells: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for path, file in stored.items():
        cells[file.variant_digest, file.dataset_digest].append((file.first_seed, file.last_seed, path))
    for files in cells.values():
        _, reached, widest = min(files)
        for first, last, path in sorted(files)[1:]:
            if first <= reached:
                yield Finding(
                    path, f"contains seeds that {widest} also contains; each counts once", "harmless"
                )
            if last > reached:
                reached, widest = last, path
