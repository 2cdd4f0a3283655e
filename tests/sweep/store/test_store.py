"""Files are complete or absent, and the store lists the existing runs."""

import os
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from model.engines import ENGINES
from sweep.errors import StoreError
from sweep.store import lease
from sweep.store.folder import Folder, write_atomically
from sweep.store.schema import EPOCHS, METADATA_KEY, FileMetadata
from sweep.store.store import Store
from tests.sweep.small import run_inline, small_spec


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "results"
    run_inline(path)
    return path


@pytest.fixture
def copy(root, tmp_path):
    """The root again, to be damaged."""
    target = tmp_path / "results"
    os.system(f"cp -r '{root}' '{target}'")
    return target


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_pandas_reads_the_folder_directly(root):
    frame = pd.read_parquet(f"{root}/epochs")
    assert len(frame) == 2 * 6 * 3
    means = frame.groupby(["variant", "epoch"]).test_error.mean()
    assert list(means.index) == [(v, e) for v in ("base,epochs=3", "dropout,epochs=3") for e in (1, 2, 3)]
    assert means.between(0, 1).all()


def test_completed_seeds_and_metadata(root):
    store = Store(str(root))
    assert list(map(str, store.completed().values())) == ["0:6", "0:6"]
    metadata = store.files[0].metadata
    assert metadata.variant["name"] == "base,epochs=3"
    assert metadata.dataset["n_train"] == 120
    assert metadata.engine in ENGINES
    assert {"jax", "numpy"} <= set(metadata.versions)


def test_last_rows_and_labels_agree(root):
    store = Store(str(root))
    last, labels = store.epochs(last_only=True), store.labels()
    assert (last["epoch"] == 3).all()
    assert len(last) == len(labels) == 12
    assert all(len(p) == 60 for p in labels["predictions"])


def test_seeds_stored_twice_count_once(copy, tmp_path):
    run_inline(tmp_path / "other", small_spec(seeds="2:5"))
    os.system(f"cp -r '{tmp_path}/other/.' '{copy}'")
    assert sum(len(file.seeds) for file in Store(str(copy)).files) == 2 * (6 + 3)
    assert len(Store(str(copy)).epochs()) == 2 * 6 * 3


@pytest.mark.parametrize("runs", [1, 5, 1000])
def test_batches_contain_all_rows(copy, tmp_path, runs):
    run_inline(tmp_path / "other", small_spec(seeds="2:5"))
    os.system(f"cp -r '{tmp_path}/other/.' '{copy}'")
    store = Store(str(copy))
    order = ["variant", "seed", "epoch"]
    whole = store.epochs(EPOCHS.names).astype({"variant": str}).sort_values(order, ignore_index=True)
    batches = list(store.batches("epochs", EPOCHS.names, store.files, runs))
    assert all(len(batch) for batch in batches)
    assert (len(batches) == 1) == (runs == 1000)
    together = pd.concat(batches).astype({"variant": str}).sort_values(order, ignore_index=True)
    assert together[["seed", "epoch", "test_misses"]].equals(whole[["seed", "epoch", "test_misses"]])


def test_a_killed_write_has_no_effect_on_results(copy, tmp_path):
    before = Store(str(copy)).epochs()
    (next((copy / "epochs").rglob("*.parquet")).parent / "_seeds-9-9-00000000.parquet.1").write_bytes(b"half")
    pd.testing.assert_frame_equal(before, Store(str(copy)).epochs())
    assert len(pd.read_parquet(copy / "epochs")) == len(before)


def test_an_atomic_write_replaces_whole_files_and_cleans_up(tmp_path):
    target = tmp_path / "a" / "file"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two"
    assert os.listdir(target.parent) == ["file"]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "file"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, 3)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("damage", ["truncated", "foreign", "newer", "empty"])
def test_a_damaged_file_is_named_and_nothing_is_changed(copy, damage):
    path = next((copy / "epochs").rglob("*.parquet"))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        table = pq.read_table(path)
        metadata = re.sub(
            rb'"schema_version": \d+', b'"schema_version": 99', table.schema.metadata[METADATA_KEY]
        )
        kept = {} if damage == "foreign" else {METADATA_KEY: metadata}
        pq.write_table(table.replace_schema_metadata(kept), path)
    before = files(copy)
    with pytest.raises(StoreError) as error:
        Store(str(copy)).completed()
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(StoreError):
        run_inline(copy, small_spec(seeds="0:8"))
    assert files(copy) == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("chapter one")
    with pytest.raises(StoreError, match="is not a root"):
        Store(str(tmp_path))
    with pytest.raises(StoreError, match="is a file, not a folder"):
        Store(str(tmp_path / "thesis.tex"))


def test_a_second_driver_is_refused_with_the_name_of_the_first(copy):
    store = Store(str(copy))
    with lease.hold(store):
        assert lease.holder(store)["pid"] == os.getpid()
        with pytest.raises(StoreError, match=f"process {os.getpid()}"), lease.hold(Store(str(copy))):
            pass
    assert lease.holder(store) is None
    with lease.hold(store):
        pass


def test_metadata_survive_the_round_trip(root):
    metadata = Store(str(root)).files[0].metadata
    assert FileMetadata.decode({METADATA_KEY: metadata.encode()}) == metadata


def test_a_lost_connection_is_not_reported_as_damage(copy, monkeypatch):
    failures = []
    opened = Folder.open

    def unreliable(self, path):
        failure = failures.pop(0) if failures else OSError("connection reset")
        if failure and path.startswith("epochs/"):
            raise failure
        return opened(self, path)

    monkeypatch.setattr(Folder, "open", unreliable)
    store = Store(str(copy))
    file = (
        "epochs/" + Path(next((copy / "epochs").rglob("*.parquet"))).relative_to(copy / "epochs").as_posix()
    )
    failures[:] = [OSError("connection reset"), None]
    assert store._footer(file).num_rows > 0
    with pytest.raises(StoreError, match="cannot be read: connection reset") as error:
        store._footer(file)
    assert "quarantine" not in str(error.value)


def test_a_file_that_another_request_deleted_first_counts_as_deleted():
    """As after a deletion whose response was lost: the client repeats it."""

    class Gone:
        def get_file_info(self, path):
            return fs.FileInfo(path, fs.FileType.File)

        def delete_file(self, path):
            raise FileNotFoundError(path)

    Folder("gs://bucket/results", Gone(), "bucket/results", None).drop("checkpoints/x")
