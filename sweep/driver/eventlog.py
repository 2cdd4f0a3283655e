"""What a driver tells those who look on: a log of events as JSON lines, and who is at work at what pace.

<root>/log.jsonl   one line an event, for a root that is a folder; LECUN1989_LOG=DEBUG adds every epoch
<root>/top.json    shards under way, rewritten every few seconds: what `sweep top` shows
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

from sweep.messages import Failed, Finished, Message, Note, Observer, Progress, Repartitioned, Started
from sweep.spec.shard import Shard
from sweep.store.store import Store

LEVEL = "LECUN1989_LOG"  # environment: DEBUG, INFO (unless set), WARNING or ERROR
LOG, TOP = "log.jsonl", "top.json"
TOP_SECONDS = 5.0
_LOGGER = logging.getLogger("lecun1989-sweep")


class Watch(Observer):
    """Passes everything on, and keeps the log and the list of shards under way."""

    def __init__(self, store: Store, then: Observer) -> None:
        self._store, self._then = store, then
        self._under_way: dict[Shard, dict[str, Any]] = {}
        self._wrote = 0.0

    def begin(self, shards: list[Shard], stored: int) -> None:
        """See `Observer`."""
        if shards:  # a root where nothing is missing is left as it is
            _log(
                logging.INFO,
                "begin",
                shards=len(shards),
                runs=sum(len(s.seeds) for s in shards),
                stored=stored,
            )
        self._then.begin(shards, stored)

    def message(self, shard: Shard, message: Message) -> None:
        """See `Observer`."""
        now = time.monotonic()
        match message:
            case Started(epoch, engine, device, _, environment):
                chip = environment.get("TPU_VISIBLE_CHIPS") or environment.get("CUDA_VISIBLE_DEVICES", "")
                seen = {"host": environment.get("host", ""), "chip": chip, "device": device, "engine": engine}
                self._under_way[shard] = seen | {"from": epoch, "epoch": epoch, "began": now, "rate": 0.0}
                _log(logging.INFO, "started", shard, epoch=epoch, **seen)
            case Progress(epoch):
                row = self._under_way.get(shard)
                if row:
                    row["epoch"] = epoch
                    row["rate"] = (epoch - row["from"]) * len(shard.seeds) / max(now - row["began"], 1e-9)
                _log(logging.DEBUG, "epoch", shard, epoch=epoch)
            case Finished(metadata=metadata):
                _log(logging.INFO, "finished", shard, seconds=metadata.seconds)
            case Note(text):
                _log(logging.WARNING, "again", shard, why=text)
            case Repartitioned(_, added, reason):
                _log(logging.INFO, "repartitioned", shard, into=[s.title for s in added], reason=reason)
            case Failed(traceback):
                _log(logging.ERROR, "failed", shard, traceback=traceback)
        if not isinstance(message, Started | Progress):
            self._under_way.pop(shard, None)
        if now - self._wrote >= TOP_SECONDS:
            self._wrote = now
            self._store.write_json(TOP, {"written": time.time(), "workers": self._rows()})
        self._then.message(shard, message)

    def _rows(self) -> list[dict[str, Any]]:
        hidden = ("from", "began")
        return [
            {"shard": shard.title, "epochs": shard.cell.variant.epochs}
            | {key: value for key, value in row.items() if key not in hidden}
            for shard, row in self._under_way.items()
        ]


@contextmanager
def logged(store: Store) -> Iterator[None]:
    """Write the log while the block runs, from its first event on.

    A root in an object store has none: nothing can be appended there.
    """
    if not store.local:
        yield
        return
    handler = logging.FileHandler(Path(store.base) / LOG, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    _LOGGER.setLevel(os.environ.get(LEVEL, "INFO").upper())
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        handler.close()


def workers(store: Store) -> tuple[float, list[dict[str, Any]]]:
    """Seconds since the list was written, and the shards under way then: shard, host, chip, device, epoch, rate
    (replica-epochs per second)."""
    content = store.read_json(TOP)
    return time.time() - content.get("written", 0.0), content.get("workers", [])


def _log(level: int, event: str, shard: Shard | None = None, **fields: Any) -> None:
    if _LOGGER.isEnabledFor(level):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        what = {"time": now, "level": logging.getLevelName(level), "event": event}
        named = {"shard": shard.title, "dataset": shard.cell.dataset} if shard else {}
        _LOGGER.log(level, "%s", json.dumps(what | named | fields))
