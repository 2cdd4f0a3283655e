"""One driver at a time on a root.

On a local root the operating system holds the lock (`flock`), so a killed driver frees it at once and nothing
can go stale. On an object store, which has no locks, the holder renews a heartbeat; one that has not been
renewed for a minute is taken over, and a holder that finds another's name in its place stops before it writes
again. Clocks of the machines must agree to some seconds, as those of clouds do.
"""

import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.errors import StoreError, one_line
from sweep.store.store import Store

FILE = "driver.json"
HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 60.0
SETTLING_SECONDS = 1.0  # between writing a claim on an object store and reading whose it became

Check = Callable[[], None]


@contextmanager
def hold(store: Store) -> Iterator[Check]:
    """Be the only driver on this root.

    Yields:
      A check to be made before each write; raises StoreError when another driver has taken over.

    Raises:
      StoreError: another driver holds it: who, where and since when; or the root cannot be written.
    """
    with _hold_local(store) if store.local else _hold_remote(store) as check:
        yield check


def holder(store: Store) -> dict[str, Any] | None:
    """The driver that is at work on this root now, if any: pid, host, since."""
    if not store.local:
        content = _claim(store)
        return content if time.time() - content.get("heartbeat", 0) < STALE_SECONDS else None
    try:
        with open(Path(store.base) / FILE) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return {"pid": "?", "host": "?", "since": "?"} | _claim(store)
    return None


def _claim(store: Store) -> dict[str, Any]:
    """What the file says; {} where there is none, or its writer was stopped before it was whole."""
    try:
        return store.read_json(FILE)
    except StoreError:
        return {}


def _description() -> dict[str, Any]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "id": uuid.uuid4().hex}


def _refuse(store: Store, other: dict[str, Any]) -> StoreError:
    who = f"process {other.get('pid', '?')} on {other.get('host', '?')} since {other.get('since', '?')}"
    return StoreError(
        f"{store.root}: another driver is at work here ({who}): wait for it, or name another --root"
    )


@contextmanager
def _hold_local(store: Store) -> Iterator[Check]:
    path = Path(store.base) / FILE
    try:
        file = open(path, "a+")  # noqa: SIM115, closed below
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {one_line(error)}") from None
    with file:
        if not _lock(file.fileno()):
            raise _refuse(store, _claim(store))
        try:
            file.truncate(0)
            file.write(json.dumps(_description()))
            file.flush()
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {one_line(error)}") from None
        yield lambda: None


def _lock(descriptor: int) -> bool:
    """Take the lock; for half a second `sweep status`, which looks whether it is free, may be in the way."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


@contextmanager
def _hold_remote(store: Store) -> Iterator[Check]:
    if other := holder(store):
        raise _refuse(store, other)
    mine = _description()
    renewed = 0.0  # when the claim was last known to be ours

    def write() -> None:
        nonlocal renewed
        now = time.time()
        store.write_json(FILE, mine | {"heartbeat": now})
        renewed = now

    def renew() -> None:
        if (other := store.read_json(FILE)).get("id") != mine["id"]:
            raise _refuse(store, other)
        write()

    def check() -> None:
        """Trust a fresh heartbeat; after a silence (a stopped process, a lost network) look who is there."""
        if time.time() - renewed > STALE_SECONDS / 2:
            renew()

    def keep_renewing() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(StoreError):  # taken over, or a network that is down: `check` tells the driver
                renew()

    write()
    time.sleep(SETTLING_SECONDS)  # of two that came at once, the one whose claim was overwritten yields
    renew()
    stop = threading.Event()
    thread = threading.Thread(target=keep_renewing, daemon=True)
    thread.start()
    try:
        yield check
    finally:
        stop.set()
        thread.join()
        with suppress(StoreError):  # it goes stale by itself
            if _claim(store).get("id") == mine["id"]:
                store.write_json(FILE, mine | {"heartbeat": 0})
