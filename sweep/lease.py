"""One driver at a time on a root.

On a local root the operating system holds the lock (`flock`), so a killed driver frees it at once and nothing
can go stale. On an object store, which has no locks, the holder renews a heartbeat; one that has not been
renewed for a minute is taken over.
"""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.errors import StoreError
from sweep.store import Store

FILE = "driver.json"
HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 60.0


@contextmanager
def hold(store: Store) -> Iterator[None]:
    """Be the only driver on this root.

    Raises:
      StoreError: another driver holds it: who, where and since when.
    """
    with _hold_local(store) if store.local else _hold_remote(store):
        yield


def holder(store: Store) -> dict[str, Any] | None:
    """The driver that is at work on this root now, if any: pid, host, since."""
    content = store.read_json(FILE)
    if not content:
        return None
    if not store.local:
        return content if time.time() - content["heartbeat"] < STALE_SECONDS else None
    with open(Path(store.base) / FILE) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return content
    return None


def _description() -> dict[str, Any]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "heartbeat": time.time()}


def _refuse(store: Store, content: dict[str, Any]) -> StoreError:
    who = f"process {content.get('pid', '?')} on {content.get('host', '?')} since {content.get('since', '?')}"
    return StoreError(
        f"{store.root}: another driver is at work here ({who}): wait for it, or name another --root"
    )


@contextmanager
def _hold_local(store: Store) -> Iterator[None]:
    path = Path(store.base) / FILE
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open(path, "a+"))
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refuse(store, store.read_json(FILE)) from None
        file.truncate(0)
        file.write(json.dumps(_description()))
        file.flush()
        yield


@contextmanager
def _hold_remote(store: Store) -> Iterator[None]:
    if other := holder(store):
        raise _refuse(store, other)
    mine = _description()
    store.write_json(FILE, mine)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            store.write_json(FILE, mine | {"heartbeat": time.time()})

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        store.write_json(FILE, mine | {"heartbeat": 0})
