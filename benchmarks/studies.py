"""Lists runs, wall time and training time of studies, from the event logs of their roots.

    python -m benchmarks.studies ROOT… [--out docs/results/studies.csv]

Roots with the same folder name count as one study. The wall time of an interrupted study is the sum over its parts,
each from the begin of the training to its last event.
"""

import argparse
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.driver.eventlog import LOG

SEEDS = re.compile(r"\[(\d+):(\d+)\]$")


def parts(log: Path) -> Iterator[list[dict[str, Any]]]:
    """The events of each command that trained in the root."""
    part: list[dict[str, Any]] = []
    for line in log.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["event"] == "begin" and part:
            yield part
            part = []
        part.append(event)
    if part:
        yield part


def row(root: Path, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Runs and times of one command."""
    begin, end = (datetime.fromisoformat(event["time"]) for event in (events[0], events[-1]))
    finished = [event for event in events if event["event"] == "finished"]
    ranges = [match for event in finished if (match := SEEDS.search(event["shard"]))]
    return {
        "study": root.name,
        "date": f"{begin:%Y-%m-%d}",
        "device": ", ".join(sorted({event["device"] for event in events if "device" in event})),
        "engine": ", ".join(sorted({event["engine"] for event in events if "engine" in event})),
        "commands": 1,
        "runs": sum(int(match[2]) - int(match[1]) for match in ranges),
        "wall_seconds": (end - begin).total_seconds(),
        "core_seconds": sum(event["seconds"] for event in finished),
    }


def studies(roots: list[Path]) -> pd.DataFrame:
    """One row per folder name of the roots, with the columns of `row`."""
    rows = pd.DataFrame([row(root, events) for root in roots for events in parts(root / LOG)])
    keys = ["study", "date", "device", "engine"]
    return rows.groupby(keys, sort=False).sum(numeric_only=True).round().reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("roots", nargs="+", type=Path, metavar="ROOT")
    parser.add_argument("--out", type=Path, default=Path("docs/results/studies.csv"), metavar="FILE")
    arguments = parser.parse_args()
    table = studies(arguments.roots)
    table.to_csv(arguments.out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
