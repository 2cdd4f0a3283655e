"""A rerun deletes what killed drivers and earlier plans left, and `doctor` reports it as harmless meanwhile."""

import random
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweep.cli.main import app
from sweep.driver.driver import train
from sweep.spec.shard import Shard
from sweep.spec.spec import parse
from sweep.store.check import examine
from sweep.store.folder import Folder
from sweep.store.records import cells, recorded_sweeps
from sweep.store.store import Store
from sweep.store.tidy import tidy
from tests.simulation.workers import Workers
from tests.sweep.small import assert_same_rows, rows
from tests.sweep.store.test_check import VERSION_1, doctor, files


@pytest.fixture
def root(tmp_path) -> Path:
    return Path(shutil.copytree(VERSION_1, tmp_path / "results"))


def rerun(root: Path, **changes) -> None:
    ((spec, datasets),) = recorded_sweeps(Store(str(root))).values()
    spec = parse(spec.to_stored() | changes)
    train(spec, Store(str(root)), datasets, Workers(random.Random(0), 0.0))


LEFTOVERS = (
    "sweeps/_sweep-8b8dd0a9.json.17",
    "epochs/base,epochs-3-29dce30b/mnist5k-dddddddd/_seeds-0-2-de135537.parquet.4711",
    "labels/base,epochs-3-29dce30b/mnist5k-dddddddd/_seeds-0-2-de135537.parquet.4711",
    "checkpoints/base,epochs-3-29dce30b/mnist5k-dddddddd/_seeds-0-2-de135537.npz.4711",
    "_top.json.4711",
)


def test_temporary_files_of_a_killed_driver_are_harmless_and_deleted(root):
    for name in LEFTOVERS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"half")
    found = examine(Store(str(root)))
    assert {(finding.path, finding.severity) for finding in found} == {(n, "harmless") for n in LEFTOVERS}
    assert doctor(root).exit_code == 0
    rerun(root)
    assert examine(Store(str(root))) == []
    assert files(root) == files(VERSION_1)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_deleted_file_is_retrained_with_another_shard_width(root, width):
    deleted = sorted((root / "epochs").rglob("seeds-0-2-*.parquet"))[0]
    deleted.unlink()
    (finding,) = examine(Store(str(root)))
    assert (finding.path.partition("/")[0], finding.severity) == ("labels", "harmless")
    assert doctor(root).exit_code == 0
    rerun(root, shard_width=width)
    assert examine(Store(str(root))) == []
    assert_same_rows(rows(root), rows(VERSION_1))
    assert len(Store(str(root)).labels()) == 8


def test_files_of_other_cells_and_of_users_are_kept(root):
    kept = [
        "epochs/notes.txt",
        "_notes/_draft.md.1",
        "checkpoints/other-00000000/digits-dddddddd/seeds-0-2-00000000.npz",
    ]
    for name in kept:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"mine")
    rerun(root)
    assert all((root / name).exists() for name in kept)


def test_quarantine_folders_of_both_versions_are_ignored_and_counted(root):
    for top in ("quarantine", "set-aside"):
        target = root / top / "epochs" / "damaged.parquet"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"damaged")
    assert examine(Store(str(root))) == []
    status = CliRunner().invoke(app, ["status", "--root", str(root)])
    assert "2 damaged files in quarantine" in status.output
    assert Store(str(root)).quarantined() == [
        "quarantine/epochs/damaged.parquet",
        "set-aside/epochs/damaged.parquet",
    ]


def test_an_incomplete_listing_deletes_no_labels_of_a_finished_shard(root, monkeypatch):
    store = Store(str(root))
    ((spec, datasets),) = recorded_sweeps(store).values()
    names = Folder.names
    monkeypatch.setattr(
        Folder, "names", lambda self, top, *rest: [] if top == "epochs" else names(self, top, *rest)
    )
    assert store.files == []
    tidy(store, cells(spec, datasets), [])
    assert files(root) == files(VERSION_1)


def test_labels_of_a_planned_shard_are_replaced_and_not_deleted(root):
    """A deletion that the network repeats late would hit the new file."""
    store = Store(str(root))
    ((spec, datasets),) = recorded_sweeps(store).values()
    file = store.files[0]
    shard = next(Shard(cell, file.seeds) for cell in cells(spec, datasets) if cell.key == file.key)
    (root / "epochs" / f"{file.path}.parquet").unlink()
    store.refresh()
    tidy(store, cells(spec, datasets), [shard])
    assert (root / "labels" / f"{file.path}.parquet").exists()
    tidy(store, cells(spec, datasets), [])
    assert not (root / "labels" / f"{file.path}.parquet").exists()
