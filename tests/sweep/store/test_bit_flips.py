"""Every flipped bit of a stored file is reported by `examine`, or provably has no effect on any reader."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from model.variants import variant
from sweep.analysis.tables.table import make_table
from sweep.driver.driver import train
from sweep.errors import StoreError
from sweep.spec.shard import Cell, Shard
from sweep.spec.spec import parse
from sweep.store.check import Finding, examine
from sweep.store.checkpoint import Arrays, pack, unpack
from sweep.store.errors import Damaged
from sweep.store.store import MARKER, Store
from tests.simulation.workers import Workers

SHARD = Shard(Cell(variant("base"), "digits", "d" * 64, 40), range(4))
CHECKPOINT = Arrays(
    SHARD.name,
    2,
    {
        "state_0": np.arange(60, dtype=np.float32).reshape(4, 15),
        "rows_test_misses": np.ones((2, 4), np.int32),
    },
)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """One finished shard, its record, and a checkpoint."""
    path = tmp_path_factory.mktemp("flips") / "results"
    store = Store(str(path))
    store.open_for_writing()
    spec = parse({"variants": "base", "seeds": "0:6", "set": {"epochs": 3}})
    datasets = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in spec.cells()}
    train(spec, store, datasets, Workers(random.Random(0), 0.0))
    store.checkpoints.save(SHARD, pack(CHECKPOINT))
    assert examine(Store(str(path))) == []
    return path


def findings(root: Path) -> list[Finding]:
    try:
        return examine(Store(str(root)))
    except StoreError as error:  # a marker of a newer version
        return [Finding(MARKER, str(error))]


def flip(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def reported(root: Path, path: Path) -> bool:
    name = str(path.relative_to(root))
    return any(f.path == name and f.severity != "harmless" for f in findings(root))


def file_of(root: Path, kind: str) -> Path:
    (path,) = (p for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0] == kind)
    return path


def unreported(root: Path, kind: str, count: int) -> list[bytes]:
    """Contents with one flipped bit that `examine` does not report."""
    path = file_of(root, kind)
    whole, missed = path.read_bytes(), []
    chance, bits = random.Random(kind), range(8 * len(whole))
    for bit in chance.sample(bits, count) if count < len(bits) else bits:
        path.write_bytes(flip(whole, bit))
        if not reported(root, path):
            missed.append(path.read_bytes())
    path.write_bytes(whole)
    return missed


COUNTS = [pytest.param(40, id="40"), pytest.param(1000, marks=pytest.mark.slow, id="1000")]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kind", ["epochs", "labels", "sweeps", MARKER])
def test_every_flipped_bit_of_a_result_is_reported(root, kind, count):
    assert unreported(root, kind, count) == []


@pytest.mark.parametrize("count", COUNTS)
def test_a_flipped_bit_of_a_checkpoint_is_reported_or_has_no_effect(root, count):
    for content in unreported(root, "checkpoints", count):
        check_is_unaltered(unpack(content))


def test_no_flipped_bit_of_a_checkpoint_alters_an_array():
    whole = pack(CHECKPOINT)
    for bit in range(8 * len(whole)):
        with suppress(Damaged):
            check_is_unaltered(unpack(flip(whole, bit)))


def check_is_unaltered(loaded: Arrays) -> None:
    """Equal, except that arrays may be missing: then the worker ignores the checkpoint and trains from the start."""
    assert (loaded.shard, loaded.epoch) == (CHECKPOINT.shard, CHECKPOINT.epoch)
    for name in loaded.arrays.keys() & CHECKPOINT.arrays.keys():
        assert loaded.arrays[name].dtype == CHECKPOINT.arrays[name].dtype
        assert np.array_equal(loaded.arrays[name], CHECKPOINT.arrays[name])


def with_pandas(root: Path, kind: str) -> str:
    return pd.read_parquet(root / kind).to_csv()


def with_duckdb(root: Path, kind: str) -> str:
    """All rows, and rows behind a filter, for which DuckDB trusts the statistics of a file."""
    files = f"read_parquet('{root}/{kind}/**/*.parquet')"
    queries = (f"select * from {files} order by all", f"select count(*) from {files} where seed >= 3")
    return str([duckdb.sql(query).fetchall() for query in queries])


def with_table(root: Path, kind: str) -> str:
    table, _ = make_table(Store(str(root)), "summary")
    return table.to_csv() + Store(str(root)).labels().to_csv()


@pytest.mark.parametrize(
    "count", [pytest.param(10, id="10"), pytest.param(1000, marks=pytest.mark.slow, id="1000")]
)
@pytest.mark.parametrize("read", [with_pandas, with_duckdb, with_table])
@pytest.mark.parametrize("kind", ["epochs", "labels"])
def test_a_flipped_bit_that_changes_what_a_reader_returns_is_reported(root, kind, read, count):
    path, chance = file_of(root, kind), random.Random(f"{kind} {read.__name__}")
    whole, right = path.read_bytes(), read(root, kind)
    silent = failed = 0
    for bit in chance.sample(range(8 * len(whole)), count):
        path.write_bytes(flip(whole, bit))
        outcome = result_of(read, root, kind)
        silent += outcome not in (None, right)
        failed += outcome is None
        assert outcome == right or reported(root, path), f"bit {bit}"
    path.write_bytes(whole)
    assert failed + silent > 0 or count < 1000
    print(f"{kind}, {read.__name__}: of {count} flips {silent} change the result, {failed} end in an error")


def result_of(read: Callable[[Path, str], str], root: Path, kind: str) -> str | None:
    """What a reader returns; None if it raises an error."""
    with suppress(Exception):  # readers report damage as any of a dozen classes
        return read(root, kind)
    return None
