"""At most one driver per root.

Local roots use a file lock (`flock`), which the operating system releases when the driver ends, however it ends.
Object stores use a lease (`sweep.store.object_lease`).
"""

import fcntl
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.errors import StoreError, one_line
from sweep.store import object_lease
from sweep.store.store import Store

FILE = "driver.json"


class InUse(StoreError):
    """Another driver holds the root."""


Check = Callable[[], None]
"""Called before each write; raises StoreError if another driver has taken over."""


@contextmanager
def hold(store: Store, sweep: str = "") -> Iterator[Check]:
    """Hold the root while the block runs.

    Args:
      store: the root.
      sweep: the sweep that is trained, for other drivers; "" if none is.

    Yields:
      The check to call before each write.

    Raises:
      InUse: another driver holds it (process, host and start time).
      StoreError: the root cannot be written.
    """
    description = this_process() | ({"sweep": sweep} if sweep else {}) | {"id": uuid.uuid4().hex}
    if store.local:
        with _lock_file(store, description):
            yield lambda: None
    else:
        with object_lease.hold(store.folder, FILE, description, refused) as check:
            yield check


def holder(store: Store) -> dict[str, Any] | None:
    """The driver that holds the root now (pid, host, since, and sweep if it trains one), or None."""
    if not store.local:
        content = _content(store)
        return content if object_lease.is_current(content) else None
    try:
        with open(Path(store.folder.base) / FILE) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return {"pid": "?", "host": "?", "since": "?"} | _content(store)
    except OSError as error:
        raise StoreError(f"{store.root}/{FILE}: cannot be read: {one_line(error)}") from None
    return None


def named(driver: dict[str, Any]) -> str:
    """Process, host, start time and sweep of a driver, as text."""
    who = f"process {driver.get('pid', '?')} on {driver.get('host', '?')} since {driver.get('since', '?')}"
    return f"{who}, sweep {driver['sweep']}" if driver.get("sweep") else who


def refused(root: str, other: dict[str, Any]) -> InUse:
    """The error for a root that another driver holds."""
    return InUse(
        f"{root}: is in use by another driver ({named(other)}): repeat the command when it has ended "
        "(`sweep run --wait` waits for it), or name another --root"
    )


def _content(store: Store) -> dict[str, Any]:
    try:
        return store.folder.read_json(FILE)
    except StoreError:  # its writer was killed before it was complete
        return {}


def this_process() -> dict[str, Any]:
    """Process, host and present time (pid, host, since)."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


@contextmanager
def _lock_file(store: Store, description: dict[str, Any]) -> Iterator[None]:
    path = Path(store.folder.base) / FILE
    try:
        file = open(path, "a+")  # noqa: SIM115, closed below
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {one_line(error)}") from None
    with file:
        try:
            if not _lock(file.fileno()):
                raise refused(store.root, _content(store))
            file.truncate(0)
            file.write(json.dumps(description))
            file.flush()
        except OSError as error:
            raise StoreError(f"{path}: cannot be locked: {one_line(error)}") from None
        yield


def _lock(descriptor: int) -> bool:
    """Take the lock. It is retried for half a second, because `holder` in another process takes it for an instant."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False
