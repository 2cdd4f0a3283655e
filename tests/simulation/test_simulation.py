"""500 random histories end with the correct rows. `python -m tests.simulation` runs 10,000."""

import pytest

from sweep.errors import StoreError
from sweep.store.folder import Folder
from sweep.store.store import Store
from sweep.worker import checkpoint
from tests.simulation.disk import Disk
from tests.simulation.history import History


@pytest.mark.parametrize("first", range(0, 500, 100))
def test_every_history_ends_with_the_correct_rows(first):
    assert sum(History(seed).run().faults for seed in range(first, first + 100)) > 100


def test_a_history_is_reproduced_from_its_seed():
    one, other = History(7).run(), History(7).run()
    assert one.disk.operations == other.disk.operations
    assert {p: i.content for p, i in one.disk.names.items()} == {
        p: i.content for p, i in other.disk.names.items()
    }


def detected(first: int = 0) -> bool:
    """Whether any of 100 histories detects the bug that a test has injected."""
    for seed in range(first, first + 100):
        try:
            History(seed).run()
        except (AssertionError, StoreError):  # a wrong row, or a corrupt file under a final name
            return True
    return False


def test_detects_missing_sync(monkeypatch):
    monkeypatch.setattr(Disk, "sync", lambda disk, path: None)
    assert detected()


def test_detects_writing_in_place(monkeypatch):
    def in_place(folder, path, content):
        if folder.sync:
            folder._make_folder(f"{folder.base}/{path}".rpartition("/")[0])
        folder._put(f"{folder.base}/{path}", content)

    monkeypatch.setattr(Folder, "_replace", in_place)
    assert detected()


def test_detects_labels_written_after_epochs(monkeypatch):
    write = Folder.write
    late = []

    def epochs_first(folder, path, content):
        if path.startswith("labels/"):
            late.append((path, content))
            return
        write(folder, path, content)
        if path.startswith("epochs/"):
            write(folder, *late.pop())

    monkeypatch.setattr(Folder, "write", epochs_first)
    assert detected()


def test_detects_a_plan_that_ignores_stored_runs(monkeypatch):
    monkeypatch.setattr(Store, "completed", lambda store: {})
    assert detected()


def test_detects_checkpoints_of_other_shards(monkeypatch):
    load, dump = checkpoint.load, checkpoint.dump
    monkeypatch.setattr(checkpoint, "dump", lambda content, shard: dump(content, ""))
    monkeypatch.setattr(checkpoint, "load", lambda content, fresh, shard: load(content, fresh, ""))
    assert detected(first=600)  # rare: two checkpoints of equal shape must be swapped
