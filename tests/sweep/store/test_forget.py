"""`sweep forget` deletes all files of the named variants and nothing else."""

from pathlib import Path

import pytest

from sweep.store import lease
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.store.test_check import files
from tests.sweep.store.test_merge import trained


@pytest.fixture
def root(tmp_path) -> Path:
    """A sweep of two variants, and one of a third."""
    trained(tmp_path / "results", variants="base,softmax")
    return trained(tmp_path / "results", variants="adamw")


def paths(root: Path) -> set[str]:
    return {name for name in files(root) if "/" in name}


def test_the_files_of_a_variant_are_deleted_and_its_record_stays_while_others_need_it(root):
    before, name = paths(root), "softmax,epochs=3"
    dry = sweep("forget", "--variants", name, "--root", root, "--dry-run")
    assert (dry.code, paths(root)) == (0, before)
    assert f"{name} on mnist5k: 6 runs would be deleted" in dry.out
    ended = sweep("forget", "--variant", name, "--root", root)
    assert ended.code == 0
    assert "its record stays and `sweep resume` trains these runs again" in ended.out
    gone = before - paths(root)
    assert len(gone) == 4
    assert all(path.split("/")[1].startswith("softmax") for path in gone)
    store = Store(str(root))
    assert examine(store) == []
    assert len(recorded_sweeps(store)) == 2
    assert {file.metadata.variant["name"] for file in store.files} == {"base,epochs=3", "adamw,epochs=3"}


def test_the_record_goes_with_the_last_variant_of_its_sweep(root):
    ended = sweep("forget", "--variants", "base,*,softmax,*", "--root", root)
    assert ended.code == 0, ended.err
    assert "the record of this sweep deleted" in ended.out
    store = Store(str(root))
    assert examine(store) == []
    assert [record.spec.cells().__next__()[0].name for record in recorded_sweeps(store).values()] == [
        "adamw,epochs=3"
    ]


def test_checkpoints_and_failures_are_deleted_too(root):
    for kind, ending in (("checkpoints", "npz"), ("failures", "txt")):
        shard = Path(Store(str(root)).files[0].path)
        path = root / kind / shard.with_suffix(f".{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    sweep("forget", "--variants", "adamw,*", "--root", root)
    assert not [path for path in paths(root) if path.startswith(("checkpoints", "failures"))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--variants", "sofmax,epochs=3"), "did you mean 'softmax,epochs=3'"),
        (("--variants", "base,epochs=3", "--dataset", "usps"), "no run has data set 'usps'"),
        ((), "--variant"),
    ],
)
def test_a_wrong_name_deletes_nothing(root, options, message):
    before = paths(root)
    ended = sweep("forget", *options, "--root", root)
    assert (ended.code, paths(root)) == (2, before)
    assert message in ended.err


def test_a_root_that_a_driver_holds_is_refused(root):
    before = paths(root)
    with lease.hold(Store(str(root))):
        ended = sweep("forget", "--variants", "base,*", "--root", root)
    assert (ended.code, paths(root)) == (2, before)
    assert "is in use by another driver" in ended.err
