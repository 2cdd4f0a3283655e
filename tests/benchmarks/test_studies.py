"""Wall times of studies."""

import json
from pathlib import Path

from benchmarks.studies import studies


def write(root: Path, *events: tuple[str, dict[str, object]]) -> Path:
    root.mkdir(parents=True)
    lines = [{"time": f"2026-01-02T03:{minute}:00+00:00", **event} for minute, event in events]
    (root / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def test_the_parts_of_an_interrupted_study_are_added(tmp_path):
    begin = {"event": "begin", "runs": 32}
    started = {"event": "started", "shard": "base[0:16]", "device": "cpu: X", "engine": "lanes"}
    first = {"event": "finished", "shard": "base[0:16]", "seconds": 50.0}
    second = {"event": "finished", "shard": "base,order_seed=1[16:20]", "seconds": 20.0}
    a = write(tmp_path / "a" / "study", ("00", begin), ("00", started), ("02", first), ("03", started))
    b = write(
        tmp_path / "b" / "study",
        ("10", begin),
        ("11", started),
        ("20", begin),
        ("20", started),
        ("21", second),
    )
    [row] = studies([a, b]).to_dict("records")
    assert (row["runs"], row["commands"]) == (20, 3)
    assert (row["wall_seconds"], row["core_seconds"]) == (3 * 60 + 60 + 60, 70)
