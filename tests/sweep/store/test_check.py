"""`sweep doctor` reports every damaged file and quarantines it with --repair; the next run trains its seeds again."""

import json
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sweep.cli.main import app
from sweep.driver.driver import train
from sweep.errors import StoreError
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.schema import LABELS, METADATA_KEY, SCHEMA_VERSION
from sweep.store.store import MARKER, Store
from tests.simulation.workers import Workers
from tests.sweep.small import assert_same_rows, rows

VERSION_1 = Path(__file__).parent / "roots" / "version1"  # written by version 0.1; never rewrite it
VERSION_2 = Path(__file__).parent / "roots" / "version2"  # the same sweep, with the column "margins"


@pytest.fixture
def root(tmp_path):
    return Path(shutil.copytree(VERSION_1, tmp_path / "results"))


def again(root: Path) -> None:
    """Run the recorded sweep again, with the simulated workers that wrote it."""
    ((spec, datasets),) = recorded_sweeps(Store(str(root))).values()
    train(spec, Store(str(root)), datasets, Workers(random.Random(0), 0.0))


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def doctor(root: Path, *arguments: str):
    return CliRunner().invoke(app, ["doctor", "--root", str(root), *arguments])


def first(root: Path, kind: str) -> Path:
    return sorted((root / kind).rglob("*.parquet"))[0]


def altered(path: Path, change) -> None:
    """Replace a file by a valid Parquet file with other rows or metadata."""
    table = change(pq.read_table(path))
    pq.write_table(table, path)


def other_version(table):
    text = table.schema.metadata[METADATA_KEY].replace(b'"schema_version": 1', b'"schema_version": 99')
    return table.replace_schema_metadata({METADATA_KEY: text})


def one_more_miss(table):
    at = table.schema.get_field_index("test_misses")
    values = table["test_misses"].to_pylist()
    values[-1] = (values[-1] or 0) + 1
    return table.set_column(at, table.schema.field(at), pa.array(values, pa.int32()))


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "emptied": lambda path: path.write_bytes(b""),
    "a flipped bit": lambda path: flip(path, 600),
    "foreign": lambda path: altered(path, lambda table: table.replace_schema_metadata({})),
    "other rows": lambda path: altered(path, one_more_miss),
    "a row less": lambda path: altered(path, lambda table: table.slice(1)),
    "another file's": lambda path: path.write_bytes(sorted(path.parent.glob("*"))[-1].read_bytes()),
}


def test_a_root_of_version_1_is_read_and_intact(root):
    assert SCHEMA_VERSION == 2, "keep a fixture of the new version too"
    assert examine(Store(str(root))) == []
    assert len(rows(root)) == 2 * 4 * 3
    assert doctor(root).output == "4 finished shards, no damage found\n"
    assert Store(str(root)).labels()["margins"].isna().all()


def test_a_root_of_version_2_has_the_rows_of_version_1_and_margins():
    store = Store(str(VERSION_2))
    assert examine(store) == []
    assert_same_rows(rows(VERSION_2), rows(VERSION_1))
    labels, old = store.labels(), Store(str(VERSION_1)).labels()
    assert labels["predictions"].equals(old["predictions"])
    trained = labels[labels["predictions"].notna()]
    assert len(trained) > 0
    for predictions, margins in zip(trained["predictions"], trained["margins"], strict=True):
        np.testing.assert_array_equal(margins, np.frombuffer(predictions, np.uint8).astype(np.float16) / 8)
    assert labels["margins"].isna().equals(labels["predictions"].isna())


def test_labels_of_several_versions_are_read_together_with_the_newest_schema(tmp_path):
    for name, version in (("old", VERSION_1), ("new", VERSION_2)):
        shutil.copytree(version / "labels", tmp_path / name)
    assert pd.read_parquet(tmp_path, schema=LABELS)["margins"].notna().sum() == len(
        pd.read_parquet(tmp_path / "new").dropna()
    )


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_reported_quarantined_and_trained_again(root, name):
    path = first(root, "epochs")
    DAMAGE[name](path)
    before = files(root)
    result = doctor(root)
    assert result.exit_code == 1
    assert path.name in result.output
    assert files(root) == before
    assert doctor(root, "--repair").exit_code == 0
    after = files(root)
    assert sorted(after.pop("driver.json", b"") and after.values()) == sorted(before.values())
    assert doctor(root).exit_code == 0
    again(root)
    assert_same_rows(rows(root), rows(VERSION_1))
    assert len(Store(str(root)).labels()) == 8


@pytest.mark.parametrize("kind", ["epochs", "labels"])
def test_a_flipped_bit_of_version_1_is_reported_or_changes_no_row(root, kind):
    path, chance = first(root, kind), random.Random(2)
    whole = path.read_bytes()
    read = {"epochs": Store.epochs, "labels": Store.labels}[kind]
    expected = read(Store(str(root)))
    for at in chance.sample(range(len(whole)), 150):
        flip(path, at)
        try:
            found = read(Store(str(root)))
        except StoreError:
            assert examine(Store(str(root)))
        else:
            assert found[expected.columns].equals(expected) or examine(Store(str(root)))
        path.write_bytes(whole)


def test_files_of_a_newer_version_are_refused_and_never_moved(root):
    path = first(root, "epochs")
    altered(path, other_version)
    with pytest.raises(StoreError, match=f"reads up to {SCHEMA_VERSION}: install a newer"):
        Store(str(root)).completed()
    assert doctor(root, "--repair").exit_code == 1
    assert path.exists()
    (root / MARKER).write_text('{"schema_version": 99}')
    with pytest.raises(StoreError, match="newer"):
        Store(str(root))


def test_other_files_in_a_root(root):
    cell = first(root, "epochs").parent.relative_to(root / "epochs")
    orphan = root / "labels" / cell / "seeds-3-3-6aedc984.parquet"
    (root / "epochs" / cell / orphan.name).unlink()
    stale = root / "epochs" / cell / "_seeds-9-9-00000000.parquet.123"
    stale.write_bytes(b"half")
    checkpoints = root / "checkpoints" / cell
    checkpoints.mkdir(parents=True, exist_ok=True)
    (checkpoints / "seeds-3-3-6aedc984.npz").write_bytes(b"PK nonsense")
    packed = checkpoints / "seeds-4-4-00000000.npz"
    np.savez_compressed(packed, state_0=np.zeros(10**6))
    pickled = checkpoints / "seeds-5-5-00000000.npz"
    np.savez(pickled, shard=np.array("seeds-5-5-00000000"), epoch=np.array([{"a": 1}], object))
    (root / "sweeps" / "sweep-00000000.json").write_text('{"spec": {"seeds": "0:4"}, "datasets": {}}')
    (root / MARKER).write_bytes(b"")
    (root / "epochs" / "notes.txt").write_text("mine")
    found = {finding.path: finding for finding in examine(Store(str(root)))}
    assert len(found) == 8
    harmless = {f.path for f in found.values() if f.severity != "damaged"}
    assert harmless == {"epochs/notes.txt", str(orphan.relative_to(root)), str(stale.relative_to(root))}
    assert doctor(root, "--repair").exit_code == 0
    assert (root / "epochs" / "notes.txt").exists()
    assert json.loads((root / MARKER).read_text())["schema_version"] == 1
    assert len(list((root / "quarantine").rglob("*.*"))) == 5
    again(root)
    assert_same_rows(rows(root), rows(VERSION_1))


def test_checkpoints_are_neither_unpickled_nor_decompressed(root, tmp_path):
    """The worker ignores a malicious checkpoint: no code runs and no memory is filled."""
    from sweep.worker import checkpoint

    class Hostile:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    fresh = {"state": np.zeros(3)}
    pickled, bomb = tmp_path / "pickled.npz", tmp_path / "bomb.npz"
    np.savez(pickled, shard=np.array("s"), epoch=np.array(Hostile(), object), state_0=fresh["state"])
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("state_0.npy", bytes(10**8))
    assert checkpoint.load(pickled.read_bytes(), fresh, "s") is None
    assert checkpoint.load(bomb.read_bytes(), fresh, "s") is None
    assert not (tmp_path / "ran").exists()
