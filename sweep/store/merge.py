"""Copy the finished shards and the records of other roots into one root.

Every file is verified before the first write. A run that the target already has is not copied. A file is copied
unchanged if the target has none of its runs; otherwise the missing runs are written to new files. Weights are copied
with their runs, and also for runs that the target has with the same rows and without weights.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from sweep.errors import StoreError
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.store.check import check_table, shard_of
from sweep.store.errors import Damaged, NewerVersion
from sweep.store.records import SweepRecord, recorded_sweeps
from sweep.store.schema import EPOCHS, SCHEMA_VERSION, FileMetadata, Kind
from sweep.store.store import READ_ERRORS, Store, StoredFile
from sweep.store.weights import save_weights

THREADS = 16
_NUMBERS = [column.name for column in EPOCHS if not pa.types.is_string(column.type)]

Key = tuple[str, str]
Holders = dict[Key, list[tuple[Store, StoredFile]]]


@dataclass(frozen=True)
class Copy:
    """Runs of one stored file that the target lacks."""

    source: Store
    file: StoredFile
    seeds: tuple[range, ...]

    @property
    def runs(self) -> int:
        """Number of runs to copy."""
        return sum(map(len, self.seeds))

    def read(self, kind: Kind) -> tuple[bytes, pa.Table, FileMetadata]:
        """`_read` for the epochs or the labels of the file."""
        return _read(self.source, kind, f"{kind}/{self.file.path}.parquet")


@dataclass(frozen=True)
class WeightsCopy:
    """Weights of one stored file that the target lacks."""

    source: Store
    path: str
    seeds: SeedRanges

    def read(self) -> tuple[bytes, pa.Table, FileMetadata]:
        """`_read` for the file."""
        return _read(self.source, "weights", self.path)


@dataclass
class Contribution:
    """What a source adds to the target."""

    root: str
    copies: list[Copy] = field(default_factory=list)
    weights: list[WeightsCopy] = field(default_factory=list)
    equal: list[Copy] = field(
        default_factory=list
    )  # runs with the rows of the target or of an earlier source
    present: int = 0  # runs that the target, or an earlier source, already has
    different: int = 0  # of those, runs with other values

    @property
    def runs(self) -> int:
        """Number of runs to copy."""
        return sum(copy.runs for copy in self.copies)

    @property
    def kept(self) -> int:
        """Number of runs whose weights are to be copied."""
        return sum(len(copy.seeds) for copy in self.weights)


@dataclass(frozen=True)
class Merge:
    """A verified plan.

    Attributes:
      contributions: of the sources, in order.
      records: to write, by name.
    """

    contributions: list[Contribution]
    records: dict[str, SweepRecord]


def plan_merge(target: Store, sources: Sequence[Store]) -> Merge:
    """Compare the sources with the target, and verify every file that will be copied. Nothing is written.

    Args:
      target: the root to copy to; it need not exist.
      sources: the roots to copy from. Of a run that several have, the first is copied.

    Raises:
      StoreError: a file is damaged, or a sweep was run on different data in two of the roots.
    """
    holders: Holders = defaultdict(list)
    for file in target.files if target.exists else ():
        holders[file.key].append((target, file))
    contributions = [_contribution(source, holders) for source in sources]
    _in_parallel(_verify, contributions)
    held = target.weights.seeds() if target.exists else {}
    for source, found in zip(sources, contributions, strict=True):
        found.weights = _missing_weights(source, found, held)
        for copy in found.weights:
            copy.read()
    return Merge(contributions, _records(target, sources))


def copy(target: Store, merge: Merge, check: Callable[[], None]) -> None:
    """Write the records, then the files. If it is interrupted, a second merge copies the rest.

    Args:
      target: the root, held by this process.
      merge: the plan.
      check: called before each write; raises StoreError if another driver has taken over the root.

    Raises:
      StoreError: a source was damaged meanwhile, or the target cannot be written.
    """
    for name, record in merge.records.items():
        check()
        target.folder.write(f"sweeps/{name}.json", record.encode())

    for found in merge.contributions:  # before the runs: a finished run has all its files
        for weights in found.weights:
            check()
            _copy_weights(target, weights)

    def write(copy: Copy) -> None:
        content = {kind: copy.read(kind) for kind in ("labels", "epochs")}
        shard = shard_of(copy.file.metadata)
        check()
        if copy.seeds == (shard.seeds,):
            for kind, (file, _, _) in content.items():
                target.folder.write(f"{kind}/{copy.file.path}.parquet", file)
            target.checkpoints.drop(shard)
            target.failures.drop(shard)
            return
        for seeds in copy.seeds:
            parts = [_of_seeds(content[kind][1], seeds) for kind in ("epochs", "labels")]
            metadata = _of_part(copy.file.metadata, seeds)
            target.append(Shard(shard.cell, seeds), parts[0], parts[1], metadata)

    _in_parallel(write, merge.contributions)
    target.refresh()


def _contribution(source: Store, holders: Holders) -> Contribution:
    found = Contribution(source.root)
    for file in source.files:
        others = [(store, other) for store, other in holders[file.key] if _common(file, other)]
        held = SeedRanges([other.seeds for _, other in others])
        missing = SeedRanges([file.seeds]) - held
        found.present += len(file.seeds) - len(missing)
        for store, other in others:
            different = _different(source, file, store, other)
            found.different += different
            if not different:
                found.equal.append(Copy(source, file, (_common(file, other),)))
        if missing:
            found.copies.append(Copy(source, file, missing.ranges))
            holders[file.key].append((source, file))
    return found


def _common(file: StoredFile, other: StoredFile) -> range:
    return range(max(file.seeds.start, other.seeds.start), min(file.seeds.stop, other.seeds.stop))


def _different(source: Store, file: StoredFile, store: Store, other: StoredFile) -> int:
    """Number of common runs whose rows differ."""
    common = _common(file, other)
    frames = []
    for root, stored in ((source, file), (store, other)):
        rows = root.epochs(_NUMBERS, files=[stored])[_NUMBERS].fillna(-1)  # null if diverged
        frames.append(rows[rows["seed"].between(common[0], common[-1])].set_index(["seed", "epoch"]))
    return len(frames[0].compare(frames[1]).index.unique("seed"))


def _records(target: Store, sources: Sequence[Store]) -> dict[str, SweepRecord]:
    known = recorded_sweeps(target) if target.exists else {}
    changed = {}
    for source in sources:
        for name, record in recorded_sweeps(source).items():
            merged = _merged_record(source, record, known.get(name, record))
            if known.get(name) != merged:
                known[name] = changed[name] = merged
    return changed


def _merged_record(source: Store, record: SweepRecord, known: SweepRecord) -> SweepRecord:
    """The known record, with the true labels of the other one where it has none."""
    for key, entry in known.datasets.items():
        if record.datasets[key]["digest"] != entry["digest"]:
            raise StoreError(
                f"{source.root}: the sweep {record.name} was run on other arrays of {entry['name']} "
                f"(digest {record.datasets[key]['digest'][:8]}) than in the target or an earlier root "
                f"({entry['digest'][:8]}): keep these roots apart"
            )
    datasets = {key: {**record.datasets[key], **entry} for key, entry in known.datasets.items()}
    return SweepRecord(known.spec, datasets)


def _verify(copy: Copy) -> None:
    copy.read("epochs")
    copy.read("labels")


def _of_seeds(table: pa.Table, seeds: range) -> pa.Table:
    column = table["seed"].to_numpy()
    return table.filter(pa.array(np.isin(column, np.arange(seeds.start, seeds.stop))))


def _of_part(metadata: FileMetadata, seeds: range) -> FileMetadata:
    share = len(seeds) / (metadata.last_seed - metadata.first_seed + 1)
    return replace(
        metadata,
        first_seed=seeds[0],
        last_seed=seeds[-1],
        seconds=metadata.seconds * share,
        schema_version=SCHEMA_VERSION,
    )


def _read(source: Store, kind: Kind, path: str) -> tuple[bytes, pa.Table, FileMetadata]:
    """Content, rows and metadata of a stored table.

    Raises:
      StoreError: the file is missing or damaged.
    """
    try:
        content = source.folder.read(path)
        table, metadata = check_table(content, kind, path)
    except FileNotFoundError:
        reason = "is missing"
    except (Damaged, NewerVersion) as error:
        reason = str(error)
    except READ_ERRORS as error:
        reason = f"cannot be read ({type(error).__name__})"
    else:
        return content, table, metadata
    root = source.root
    raise StoreError(f"{root}/{path}: {reason}; `sweep doctor --repair --root {root}` quarantines it")


def _missing_weights(source: Store, found: Contribution, held: dict[str, SeedRanges]) -> list[WeightsCopy]:
    """Weights of the runs that are copied, and of equal runs whose weights are not held yet. Adds them to `held`."""
    cells = {_folder(c): shard_of(c.file.metadata).cell for c in (*found.copies, *found.equal)}
    copies = []
    for folder, cell in cells.items():
        has = held.get(folder, SeedRanges())
        wanted = _seeds(found.copies, folder) | (_seeds(found.equal, folder) - has)
        for seeds in source.weights.shards().get(folder, []):
            if chosen := wanted & SeedRanges([seeds]):
                copies.append(WeightsCopy(source, f"weights/{Shard(cell, seeds).path}.parquet", chosen))
                has = held[folder] = has | chosen
    return copies


def _folder(copy: Copy) -> str:
    """Folder of the cell."""
    return copy.file.path.rpartition("/")[0]


def _seeds(copies: Sequence[Copy], folder: str) -> SeedRanges:
    """Seeds of the copies of one cell."""
    return SeedRanges(seeds for copy in copies if _folder(copy) == folder for seeds in copy.seeds)


def _copy_weights(target: Store, copy: WeightsCopy) -> None:
    content, rows, metadata = copy.read()
    shard = shard_of(metadata)
    if copy.seeds == SeedRanges([shard.seeds]):
        target.folder.write(copy.path, content)
        return
    for seeds in copy.seeds.ranges:
        save_weights(target, shard, _of_seeds(rows, seeds), metadata)


def _in_parallel(function: Callable[[Copy], None], contributions: Sequence[Contribution]) -> None:
    """Call a function for each copy; raises the first error."""
    copies = [copy for contribution in contributions for copy in contribution.copies]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(function, copies):
            pass
