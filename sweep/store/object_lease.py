"""A lease on a root in an object store, as one object that only conditional puts change.

Acquire: create the object if it is absent, or replace an expired one if it is unchanged. Renew and release: replace
it if it is unchanged since the last own put. The object store decides every race. The holder renews its heartbeat
every `HEARTBEAT_SECONDS`; a lease that has not been renewed for `STALE_SECONDS` is expired. The clocks of the
machines must agree to within a few seconds.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from sweep.errors import StoreError, one_line
from sweep.store.address import conditional_store
from sweep.store.folder import Folder

HEARTBEAT_SECONDS = 15.0
STALE_SECONDS = 60.0
ATTEMPTS = 5  # of a put whose outcome is unknown
PAUSE_SECONDS = 0.5

Version = dict[str, str]  # e_tag, and version on Google Cloud Storage
Refused = Callable[[str, dict[str, Any]], StoreError]


def is_current(content: dict[str, Any]) -> bool:
    """Whether the content of a lease object names a live holder."""
    heartbeat = content.get("heartbeat", 0)
    return isinstance(heartbeat, int | float) and time.time() - heartbeat < STALE_SECONDS


@contextmanager
def hold(
    folder: Folder, path: str, description: dict[str, Any], refused: Refused
) -> Iterator[Callable[[], None]]:
    """Hold the lease while the block runs.

    Args:
      folder: the root.
      path: of the lease object.
      description: the holder; its "id" is unique.
      refused: makes the error that names another holder.

    Yields:
      A function that returns while the lease is held, and raises StoreError once it is lost.

    Raises:
      StoreError: another driver holds the lease, or the object store cannot be reached.
    """
    lease = _Lease(folder, path, description, refused)
    lease.acquire()
    stop = threading.Event()
    thread = threading.Thread(target=lease.keep_renewing, args=(stop,), daemon=True)
    thread.start()
    try:
        yield lease.check
    finally:
        stop.set()
        thread.join()
        with suppress(StoreError):  # it expires
            lease.release()


class _Lease:
    def __init__(self, folder: Folder, path: str, description: dict[str, Any], refused: Refused) -> None:
        self._root, self._path, self._description, self._refused = folder.root, path, description, refused
        self._objects = conditional_store(folder)
        self._lock = threading.Lock()  # of the version, between the renewing thread and `check`
        self._version: Version = {}
        self._renewed = 0.0

    def acquire(self) -> None:
        with self._lock:
            content, version = self._get()
            if is_current(content):
                raise self._refused(self._root, content)
            self._put(time.time(), version or "create")

    def check(self) -> None:
        """Accept a recent renewal; after a pause of the process or the network, renew first."""
        if time.time() - self._renewed > STALE_SECONDS / 2:
            self.renew()

    def renew(self) -> None:
        with self._lock:
            self._put(time.time(), self._version)

    def release(self) -> None:
        with self._lock:
            self._put(0.0, self._version)

    def keep_renewing(self, stop: threading.Event) -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(StoreError):  # lost, or the network is down: `check` raises it in the driver
                self.renew()

    def _get(self) -> tuple[dict[str, Any], Version]:
        """Content and version of the object; both empty if it does not exist."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            found = obstore.get(self._objects, self._path)
            text, meta = bytes(found.bytes()), found.meta
        except FileNotFoundError:
            return {}, {}
        except (BaseError, OSError) as error:
            raise self._unreachable(error) from None
        version = {"e_tag": meta["e_tag"], "version": meta["version"]}
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        return content if isinstance(content, dict) else {}, _known(version)

    def _put(self, heartbeat: float, expected: Version | Literal["create"]) -> None:
        """Put the lease if the object is as expected, and remember its version.

        A put whose response was lost may have succeeded, so each failed put is followed by a read. An object with
        the own id is the result of an own put, also of an earlier one.
        """
        import obstore
        from obstore.exceptions import BaseError

        content = self._description | {"heartbeat": heartbeat}
        for attempt in range(ATTEMPTS):
            try:
                put = obstore.put(
                    self._objects,
                    self._path,
                    json.dumps(content).encode(),
                    mode=expected,  # type: ignore[arg-type]
                    use_multipart=False,
                )
                self._version = _known({"e_tag": put["e_tag"], "version": put["version"]})
                self._renewed = heartbeat
                return
            except (BaseError, OSError) as error:
                failure = error
            time.sleep(PAUSE_SECONDS * attempt)
            try:
                found, version = self._get()
            except StoreError:
                continue
            if found == content:
                self._version, self._renewed = version, heartbeat
                return
            if found.get("id") == content["id"]:
                expected = version
            elif version != ({} if expected == "create" else expected):
                raise self._refused(self._root, found)
        raise self._unreachable(failure)

    def _unreachable(self, error: Exception) -> StoreError:
        return StoreError(f"{self._root}/{self._path}: cannot be written: {one_line(error)}")


def _known(version: dict[str, str | None]) -> Version:
    return {key: value for key, value in version.items() if value is not None}
