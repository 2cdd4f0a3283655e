"""Event log: events as JSON lines; and the list of shards in progress, see `sweep.store.active`.

<root>/log.jsonl   one line per event, if the root is a local folder; LECUN1989_LOG=DEBUG adds every epoch
"""

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.messages import Failed, Finished, Message, Observer, Progress, Repartitioned, Retried, Started
from sweep.settings import LOG_LEVEL
from sweep.spec.shard import Shard
from sweep.store.active import write_active
from sweep.store.store import Store

LOG = "log.jsonl"
TOP_SECONDS = 5.0
_LOGGER = logging.getLogger("lecun1989-sweep")


class EventLog(Observer):
    """Writes the log and the list of shards in progress, and forwards every event."""

    def __init__(self, store: Store, then: Observer) -> None:
        self._store, self._then = store, then
        self._in_progress: dict[Shard, dict[str, Any]] = {}
        self._wrote = 0.0

    def phase(self, text: str) -> None:
        """See `Observer`."""
        self._then.phase(text)

    def waiting(self, driver: str, seconds: float) -> None:
        """See `Observer`."""
        self._then.waiting(driver, seconds)

    def begin(self, shards: list[Shard], stored: int) -> None:
        """See `Observer`."""
        if shards:  # a complete root is not modified
            runs = sum(len(s.seeds) for s in shards)
            _log(logging.INFO, "begin", shards=len(shards), runs=runs, stored=stored)
        self._then.begin(shards, stored)

    def message(self, shard: Shard, message: Message) -> None:
        """See `Observer`."""
        now = time.monotonic()
        match message:
            case Started(epoch, engine, device, _, environment):
                chip = environment.get("TPU_VISIBLE_CHIPS") or environment.get("CUDA_VISIBLE_DEVICES", "")
                place = {
                    "host": environment.get("host", ""),
                    "chip": chip,
                    "device": device,
                    "engine": engine,
                }
                self._in_progress[shard] = place | {"from": epoch, "epoch": epoch, "start": now, "rate": 0.0}
                _log(logging.INFO, "started", shard, epoch=epoch, **place)
            case Progress(epoch):
                if row := self._in_progress.get(shard):
                    row["epoch"] = epoch
                    row["rate"] = (epoch - row["from"]) * len(shard.seeds) / max(now - row["start"], 1e-9)
                _log(logging.DEBUG, "epoch", shard, epoch=epoch)
            case Finished(metadata=metadata):
                _log(logging.INFO, "finished", shard, seconds=metadata.seconds)
            case Retried(reason):
                _log(logging.WARNING, "retried", shard, reason=reason)
            case Repartitioned(_, added, reason):
                _log(logging.INFO, "repartitioned", shard, into=[s.title for s in added], reason=reason)
            case Failed(traceback):
                _log(logging.ERROR, "failed", shard, traceback=traceback)
        if not isinstance(message, Started | Progress):
            self._in_progress.pop(shard, None)
        if now - self._wrote >= TOP_SECONDS:
            self._wrote = now
            hidden = ("from", "start")
            rows = {
                s: {k: v for k, v in row.items() if k not in hidden} for s, row in self._in_progress.items()
            }
            write_active(self._store, rows)
        self._then.message(shard, message)


class _JsonLines(logging.Formatter):
    """Formats the fields of an event as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event = {"time": when, "level": record.levelname, "event": record.getMessage()}
        return json.dumps(event | getattr(record, "fields", {}))


@contextmanager
def logged(store: Store) -> Iterator[None]:
    """Write the log while the block runs. The file is created at the first event.

    A root in an object store has no log: objects cannot be appended to.
    """
    if not store.local:
        yield
        return
    handler = logging.FileHandler(Path(store.folder.base) / LOG, delay=True)
    handler.setFormatter(_JsonLines())
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    _LOGGER.setLevel(os.environ.get(LOG_LEVEL, "INFO").upper())
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()


def _log(level: int, event: str, shard: Shard | None = None, **fields: Any) -> None:
    named = {"shard": shard.title, "dataset": shard.cell.dataset} if shard else {}
    _LOGGER.log(level, event, extra={"fields": named | fields})
