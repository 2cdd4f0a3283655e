"""Every flipped bit of a stored file is reported by `examine`, or provably has no effect."""

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from model.variants import variant
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


def unreported(root: Path, kind: str, count: int) -> list[bytes]:
    """Contents with one flipped bit that `examine` does not report."""
    (path,) = (p for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0] == kind)
    whole, missed = path.read_bytes(), []
    chance, bits = random.Random(kind), range(8 * len(whole))
    for bit in chance.sample(bits, count) if count < len(bits) else bits:
        path.write_bytes(flip(whole, bit))
        name = str(path.relative_to(root))
        if not any(f.path == name and f.severity != "harmless" for f in findings(root)):
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
