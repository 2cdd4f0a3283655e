"""Drivers that wait for a root, in order: higher priority first, and the earlier one first among equals.

<root>/queue/ID.json   the ticket of a waiting driver

Only the waiting driver writes its ticket, and renews it as a lease is renewed: a ticket that has not been renewed for
`object_lease.STALE_SECONDS` is expired. The lease alone decides who writes, so a wrong order does no harm.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from sweep.errors import StoreError
from sweep.store import lease, object_lease
from sweep.store.store import Store

FOLDER = "queue"
WAITING, HOLDING = "waiting for ", "this driver holds "  # first words of lines in the output of a driver
LOCAL_POLL_SECONDS = 1.0  # between two looks at the lease
OBJECT_POLL_SECONDS = 5.0


@dataclass(frozen=True)
class Ticket:
    """A waiting driver."""

    sweep: str
    priority: int
    pid: int
    host: str
    since: str
    enqueued: float  # Unix time in seconds
    heartbeat: float  # Unix time of the last renewal
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def path(self) -> str:
        """Of its file, below the root."""
        return f"{FOLDER}/{self.id}.json"


_KINDS: dict[str, Callable[[Any], Any]] = {
    "sweep": str, "priority": int, "pid": int, "host": str, "since": str, "enqueued": float, "heartbeat": float,
}  # fmt: skip


def in_order(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Tickets in the order in which their drivers take the root."""
    return sorted(tickets, key=lambda ticket: (-ticket.priority, ticket.enqueued, ticket.id))


def waiting(store: Store) -> list[Ticket]:
    """Live tickets of a root, in order.

    Raises:
      StoreError: the root cannot be read.
    """
    found = (_read(store, name) for name in store.folder.names(FOLDER, ".json"))
    return in_order(ticket for ticket in found if ticket and _is_live(ticket))


def drop_expired(store: Store) -> None:
    """Delete the tickets of drivers that ended without doing so.

    Raises:
      StoreError: the root cannot be read or written.
    """
    for name in store.folder.names(FOLDER, ".json"):
        ticket = _read(store, name)
        if not ticket or not _is_live(ticket):  # a driver that still waits writes its ticket again
            store.folder.drop(f"{FOLDER}/{name}.json")


@contextmanager
def hold(
    store: Store,
    sweep: str,
    priority: int,
    waits: Callable[[str, float], None],
    ended: Callable[[], bool],
) -> Iterator[lease.Check | None]:
    """Hold the root while the block runs, after all drivers that come first.

    Args:
      store: the root, which exists.
      sweep: the sweep that is trained, for other drivers.
      priority: drivers with a higher one go first.
      waits: called about every second with the driver that is waited for, and the seconds waited.
      ended: whether to give up.

    Yields:
      The check to call before each write (see `lease.hold`); None if `ended` became true.

    Raises:
      StoreError: the root cannot be read or written.
    """
    with ExitStack() as stack:
        yield _acquire(stack, store, sweep, priority, waits, ended)


def _acquire(
    stack: ExitStack,
    store: Store,
    sweep: str,
    priority: int,
    waits: Callable[[str, float], None],
    ended: Callable[[], bool],
) -> lease.Check | None:
    began = time.time()
    ticket = Ticket(
        sweep=sweep, priority=priority, enqueued=began, heartbeat=0.0, **lease.this_process()
    )  # written once there is somebody to wait for
    poll = LOCAL_POLL_SECONDS if store.local else OBJECT_POLL_SECONDS
    written = False
    try:
        while not ended():
            before = _before(store, ticket)
            if before is None:
                with suppress(lease.InUse):
                    return stack.enter_context(lease.hold(store, sweep))
                continue
            if time.time() - ticket.heartbeat > object_lease.HEARTBEAT_SECONDS:
                written = True  # before the file exists: an interruption may come in between
                ticket = _renewed(store, ticket)
            waits(before, time.time() - began)
            time.sleep(poll)
        return None
    finally:
        if written:
            with suppress(StoreError):  # it expires
                store.folder.drop(ticket.path)


def _before(store: Store, ticket: Ticket) -> str | None:
    """The driver that holds the root, or that takes it before the owner of a ticket; None if it is its turn."""
    if driver := lease.holder(store):
        return lease.named(driver)
    first = in_order([ticket, *(other for other in waiting(store) if other.id != ticket.id)])[0]
    return (
        None
        if first is ticket
        else f"{lease.named(asdict(first))}, which waits with priority {first.priority}"
    )


def _renewed(store: Store, ticket: Ticket) -> Ticket:
    """The ticket with a new heartbeat, written; as it was, to be tried again, if it cannot be written now."""
    new = replace(ticket, heartbeat=time.time())
    try:
        store.folder.write_json(new.path, {k: v for k, v in asdict(new).items() if k != "id"})
    except StoreError:
        return ticket
    return new


def _read(store: Store, name: str) -> Ticket | None:
    """The ticket in a file; None if it is gone or not readable."""
    try:
        content = store.folder.read_json(f"{FOLDER}/{name}.json")
        return Ticket(id=name, **{key: kind(content[key]) for key, kind in _KINDS.items()})
    except (StoreError, LookupError, TypeError, ValueError):
        return None


def _is_live(ticket: Ticket) -> bool:
    return object_lease.is_current(asdict(ticket))
