"""The list of shards in progress: the driver writes it, other processes read it.

<root>/top.json   rewritten every few seconds
"""

import time
from datetime import datetime
from typing import Any

from sweep.spec.shard import Shard
from sweep.store import lease
from sweep.store.store import Store

FILE = "top.json"


def write_active(store: Store, rows: dict[Shard, dict[str, Any]]) -> None:
    """Replace the list. rows: what else to list of each shard, as JSON values."""
    workers = [
        {
            "shard": shard.title,
            "cell": shard.cell.folder,
            "seeds": [shard.seeds.start, shard.seeds.stop],
            "epochs": shard.cell.variant.epochs,
        }
        | row
        for shard, row in rows.items()
    ]
    store.folder.write_json(FILE, {"written": time.time(), "workers": workers})


def read_active(store: Store) -> tuple[float, list[dict[str, Any]]]:
    """The list, empty if no driver holds the root.

    Returns:
      Seconds since it was written; and for each shard its title (key "shard"), cell (folder), seeds (start and stop),
      host, chip, device, engine, epoch, epochs and rate (replica-epochs per second).
    """
    content = store.folder.read_json(FILE)
    written = content.get("written", 0.0)
    driver = lease.holder(store)
    if driver is None or written < _since(driver):
        return 0.0, []
    return time.time() - written, [row for row in content.get("workers", []) if "cell" in row]


def _since(driver: dict[str, Any]) -> float:
    """When a driver began to hold the root; the list of an earlier driver is older."""
    try:
        return datetime.fromisoformat(driver["since"]).timestamp()
    except ValueError:  # its description is not written yet
        return time.time()
