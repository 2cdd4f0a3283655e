"""Five hundred drawn histories of deaths end in the right rows; `python -m tests.simulation` runs ten thousand."""

import pytest

from sweep.errors import StoreError
from sweep.store.folder import Folder
from sweep.store.store import Store
from sweep.worker import checkpoint
from tests.simulation.disk import Disk
from tests.simulation.history import History


@pytest.mark.parametrize("first", range(0, 500, 100))
def test_every_history_ends_in_exactly_the_right_rows(first):
    assert sum(History(seed).live().faults for seed in range(first, first + 100)) > 100


def test_a_history_is_reproduced_from_its_seed():
    one, other = History(7).live(), History(7).live()
    assert one.disk.operations == other.disk.operations
    assert {p: i.content for p, i in one.disk.names.items()} == {
        p: i.content for p, i in other.disk.names.items()
    }


def found(first: int = 0) -> bool:
    """Whether some history tells of the mistake that a test has planted."""
    for seed in range(first, first + 100):
        try:
            History(seed).live()
        except (AssertionError, StoreError):  # a wrong row, or a damaged file under a final name
            return True
    return False


def test_it_finds_writing_without_sync(monkeypatch):
    monkeypatch.setattr(Disk, "sync", lambda disk, path: None)
    assert found()


def test_it_finds_writing_in_place(monkeypatch):
    def in_place(folder, path, content):
        if folder.sync:
            folder._make_folder(f"{folder.base}/{path}".rpartition("/")[0])
        folder._put(f"{folder.base}/{path}", content)

    monkeypatch.setattr(Folder, "_replace", in_place)
    assert found()


def test_it_finds_labels_written_after_the_epochs_that_vouch_for_them(monkeypatch):
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
    assert found()


def test_it_finds_a_plan_that_forgets_what_is_stored(monkeypatch):
    monkeypatch.setattr(Store, "completed", lambda store: {})
    assert found()


def test_it_finds_checkpoints_believed_whosever_they_are(monkeypatch):
    load, dump = checkpoint.load, checkpoint.dump
    monkeypatch.setattr(checkpoint, "dump", lambda content, shard: dump(content, ""))
    monkeypatch.setattr(checkpoint, "load", lambda content, fresh, shard: load(content, fresh, ""))
    assert found(first=600)  # rare: two checkpoints of equal shape must be swapped
