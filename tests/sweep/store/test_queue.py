"""Drivers that wait for a root: their order, and real processes of which one is killed."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.errors import StoreError
from sweep.store import lease, object_lease, queue
from sweep.store.check import examine
from sweep.store.queue import FOLDER, Ticket, in_order
from sweep.store.status import status
from sweep.store.store import Store
from sweep.store.tidy import tidy
from tests.sweep.cli.command import sweep
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec


def ticket(number: int, priority: int = 0, enqueued: float = 0.0, heartbeat: float | None = None) -> Ticket:
    now = time.time() if heartbeat is None else heartbeat
    return Ticket(f"sweep-{number}", priority, number, "host", "2026", enqueued, now, id=f"{number:04d}")


def write(store: Store, *tickets: Ticket) -> None:
    for t in tickets:
        content = {key: value for key, value in vars(t).items() if key != "id"}
        store.folder.write_json(t.path, content)


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(str(tmp_path / "root"))
    store.open_for_writing()
    return store


@settings(max_examples=200, deadline=None)
@given(events=st.lists(st.one_of(st.integers(-2, 2), st.sampled_from(["leaves", "takes"])), max_size=30))
def test_the_root_goes_to_the_highest_priority_and_among_equals_to_the_earliest(events):
    """Against a model: a queue of lists by priority, to which drivers come, and from which some leave."""
    model: dict[int, list[int]] = {}
    tickets: dict[int, Ticket] = {}
    for number, event in enumerate(events):
        occupied = [p for p in sorted(model, reverse=True) if model[p]]
        if isinstance(event, int):
            model.setdefault(event, []).append(number)
            tickets[number] = ticket(number, event, enqueued=float(number))
        elif occupied and event == "takes":
            first = model[occupied[0]].pop(0)
            assert in_order(reversed(tickets.values()))[0] is tickets.pop(first)
        elif occupied:
            del tickets[model[occupied[-1]].pop()]
    expected = [number for p in sorted(model, reverse=True) for number in model[p]]
    assert [t.pid for t in in_order(tickets.values())] == expected


def test_expired_and_foreign_tickets_count_as_none_and_are_deleted_by_the_next_driver(store):
    old = time.time() - object_lease.STALE_SECONDS - 1
    write(
        store,
        ticket(1, enqueued=2.0),
        ticket(2, enqueued=1.0),
        ticket(3, heartbeat=old),
        ticket(4, priority=1),
    )
    store.folder.write(f"{FOLDER}/half.json", b'{"sweep": "a", "pri')
    store.folder.write(f"{FOLDER}/other.json", b'{"sweep": "a", "priority": "high"}')
    assert [t.pid for t in queue.waiting(store)] == [4, 2, 1]
    assert [waits.sweep for waits in status(store).waiting] == ["sweep-4", "sweep-2", "sweep-1"]
    assert examine(store) == []
    tidy(store, [], [])
    assert store.folder.names(FOLDER) == ["0001.json", "0002.json", "0004.json"]


def test_a_driver_that_waits_says_for_whom_and_takes_the_root_in_its_turn(store, monkeypatch):
    monkeypatch.setattr(queue, "LOCAL_POLL_SECONDS", 0.01)
    other = ticket(7, priority=3)
    seen: list[str] = []

    def waits(driver: str, seconds: float) -> None:
        seen.append(driver)
        if seen.count(driver) == 3:
            assert [t.sweep for t in queue.waiting(store)] == ["sweep-7", "mine"]
            held.set() if driver.endswith("sweep first") else store.folder.drop(other.path)

    held, began = threading.Event(), threading.Event()

    def hold() -> None:
        with lease.hold(Store(store.root), "first"):
            began.set()
            held.wait(10)

    write(store, other)
    thread = threading.Thread(target=hold)
    thread.start()
    began.wait(10)
    with queue.hold(store, "mine", 0, waits, lambda: False) as check:
        assert check is not None
        driver = lease.holder(store)
        assert driver is not None
        assert driver["sweep"] == "mine"
        assert queue.waiting(store) == []
    thread.join()
    first, second = dict.fromkeys(seen)
    assert first.endswith("sweep first")
    assert second.startswith("process 7 on host since 2026, sweep sweep-7, which waits with priority 3")
    assert lease.holder(store) is None


def test_a_driver_gives_up_at_its_time_limit_and_leaves_no_ticket(store, monkeypatch):
    monkeypatch.setattr(queue, "LOCAL_POLL_SECONDS", 0.01)
    calls: list[float] = []
    with (
        lease.hold(store, "first"),
        queue.hold(
            Store(store.root), "mine", 0, lambda _, s: calls.append(s), lambda: len(calls) > 2
        ) as check,
    ):
        assert check is None
    assert len(calls) == 3
    assert store.folder.names(FOLDER) == []


def test_a_ticket_that_was_deleted_or_could_not_be_written_is_written_again(store, monkeypatch):
    monkeypatch.setattr(queue, "LOCAL_POLL_SECONDS", 0.01)
    monkeypatch.setattr(object_lease, "HEARTBEAT_SECONDS", 0.05)
    real, counts = store.folder.write_json, [0, 0]

    def failing(path, content):
        counts[0] += 1
        if counts[0] == 1:
            raise StoreError("no space left")
        real(path, content)

    object.__setattr__(store.folder, "write_json", failing)

    def waits(driver: str, seconds: float) -> None:
        for t in queue.waiting(store):
            counts[1] += 1
            store.folder.drop(t.path)

    with lease.hold(Store(store.root)), queue.hold(store, "mine", 0, waits, lambda: counts[1] == 2) as check:
        assert check is None


# --- real processes ---

DRIVER = """
import sys
from sweep.store import object_lease, queue
object_lease.HEARTBEAT_SECONDS, object_lease.STALE_SECONDS = 0.3, 2.0
queue.LOCAL_POLL_SECONDS = queue.OBJECT_POLL_SECONDS = 0.1
from sweep.cli.main import main
main(sys.argv[1:])
"""


class Driver:
    """A process of `sweep run --wait` on a few digits."""

    def __init__(self, root: str, name: str, *options: str, epochs: int = 1) -> None:
        spec = ["--variants", "base", "--seeds", name, "--n-train", "120", "--epochs", str(epochs)]
        command = [sys.executable, "-c", DRIVER, "run", *spec, "--executor", "inline", "--root", root]
        self.process = subprocess.Popen(
            [*command, "--wait", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ended(self) -> tuple[int, str]:
        """Exit code, and the lines on stderr."""
        _, lines = self.process.communicate(timeout=120)
        return self.process.returncode, lines


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def trained(store: Store) -> list[int]:
    """First seeds of the finished shards, in the order in which they were trained."""
    return [f.metadata.first_seed for f in sorted(Store(store.root).files, key=lambda f: f.metadata.started)]


def run_four_and_kill_two(root: str) -> None:
    """Three drivers wait for a fourth. It is killed, and so is one that waits. The others follow in order."""
    store, drivers = Store(root), list[Driver]()
    try:
        drivers.append(Driver(root, "9:10", epochs=9999))
        until(lambda: Store(root).exists and lease.holder(store))
        for place, options in enumerate((["0:1"], ["1:2"], ["2:3", "--priority", "1"]), 1):
            drivers.append(Driver(root, *options))
            until(lambda place=place: len(queue.waiting(store)) == place)
        assert [w.priority for w in status(Store(root)).waiting] == [1, 0, 0]
        for driver in drivers[:2]:
            driver.process.kill()
            driver.process.communicate()
        for driver in drivers[:1:-1]:
            code, lines = driver.ended()
            assert code == 0, lines
            assert re.search(
                f"waiting for process {drivers[0].process.pid} on .* since 20.*, sweep sweep-", lines
            )
            waited = [line for line in lines.splitlines() if line.startswith("waiting for")]
            assert len(waited) == len({*waited})
            assert f"this driver holds {root}" in lines
        assert trained(store) == [2, 1]
        assert store.folder.names(FOLDER) == []
    finally:
        for driver in drivers:
            driver.process.kill()


@pytest.mark.slow
def test_real_drivers_take_turns_in_order_and_the_dead_lose_theirs(tmp_path):
    run_four_and_kill_two(str(tmp_path / "root"))


def test_a_killed_driver_that_waits_does_not_keep_the_next_one_waiting(store):
    with lease.hold(store, "first"):
        drivers = [Driver(store.root, "0:1"), Driver(store.root, "1:2", "--priority", "1")]
        until(lambda: len(queue.waiting(store)) == 2)
        drivers[1].process.kill()
        drivers[1].process.communicate()
    code, lines = drivers[0].ended()
    assert code == 0
    assert "sweep first\n" in lines
    assert ", which waits with priority 1\n" in lines
    assert trained(store) == [0]


def test_an_interrupted_driver_that_waits_says_so_in_one_line(store):
    with lease.hold(store, "first"):
        driver = Driver(store.root, "0:1")
        until(lambda: queue.waiting(store))
        driver.process.send_signal(signal.SIGINT)
        code, lines = driver.ended()
        assert code == 130
        assert lines.splitlines()[-1].startswith(
            f"interrupted while waiting for {store.root}; nothing was trained. To"
        )
        assert queue.waiting(store) == []
        assert not store.folder.names("epochs")


def test_a_driver_that_does_not_wait_names_the_option(store):
    spec = ("run", "--variants", "base", "--seeds", "0:1", "--executor", "inline", "--root", store.root)
    with lease.hold(store, "first"):
        ended = sweep(*spec)
        assert ended.code == 2
        assert "sweep first): repeat the command when it has ended (`sweep run --wait` waits" in ended.err
        assert (
            sweep(*spec, "--wait", "--max-hours", 0).err.count("the time limit of 0 h is reached, 1 run left")
            == 1
        )
    ended = sweep(*spec, "--priority", 2)
    assert (ended.code, ended.err) == (2, "sweep: --priority 2 orders the drivers that wait: add --wait\n")


def test_a_run_that_waits_trains_what_the_other_left(tmp_path):
    few, all = (small_spec(variants="base", seeds=seeds, set={"epochs": 1}) for seeds in ("0:2", "0:3"))
    run_inline(tmp_path / "waited", few)
    run_inline(tmp_path / "waited", all, wait=True)
    run_inline(tmp_path / "other", all)
    assert_same_rows(rows(tmp_path / "waited"), rows(tmp_path / "other"))
