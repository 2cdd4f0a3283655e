"""The log and the list of shards in progress, of a real run in this process."""

import json
import time

import pytest
from typer.testing import CliRunner

from sweep.cli.main import app
from sweep.driver.eventlog import EventLog, logged
from sweep.driver.session import run
from sweep.messages import Observer, Progress
from sweep.settings import LOG_LEVEL, Settings
from sweep.store import lease
from sweep.store.active import FILE, read_active
from sweep.store.store import Store
from tests.sweep.small import small_spec


def events(root):
    return [json.loads(line) for line in (root / "log.jsonl").read_text().splitlines()]


def test_every_event_is_a_line_with_a_level(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "r"))
    monkeypatch.setenv(LOG_LEVEL, "debug")
    with logged(store):
        run(small_spec(), store, Settings(executor="inline"), EventLog(store, Observer()))
    logged_events = events(tmp_path / "r")
    assert [e["event"] for e in logged_events].count("finished") == 4
    assert [e["event"] for e in logged_events].count("epoch") == 4 * 3
    assert {e["level"] for e in logged_events} == {"INFO", "DEBUG"}
    assert logged_events[0] | {"time": 0} == {
        "time": 0,
        "level": "INFO",
        "event": "begin",
        "shards": 4,
        "runs": 12,
        "stored": 0,
    }
    assert {e["shard"] for e in logged_events[1:]} == {
        f"{v},epochs=3[{r}]" for v in ("base", "dropout") for r in ("0:4", "4:6")
    }


def test_shards_in_progress_are_visible_to_other_processes(tmp_path, monkeypatch):
    root = tmp_path / "r"
    store = Store(str(root))
    monkeypatch.setattr("sweep.driver.eventlog.TOP_SECONDS", 0.0)
    seen: list[str] = []
    states: list[str] = []

    class Snapshot(Observer):
        def message(self, shard, message):
            seen.append(CliRunner().invoke(app, ["top", "--root", str(root)]).output)
            states.append(CliRunner().invoke(app, ["status", "--root", str(root)]).output)

    run(
        small_spec(variants="base", seeds="0:4"),
        store,
        Settings(executor="inline"),
        EventLog(store, Snapshot()),
    )
    assert "base,epochs=3[0:4]" in seen[1]
    assert "3/3" in seen[-2]
    assert "no shard is in progress" in seen[-1]
    assert "4 (epoch 0)" in states[0]  # before the first checkpoint, as in `top`
    assert "4 runs in progress, 100% done" in states[-2]
    assert "in progress" not in states[-1]
    assert not read_active(store)[1]


def test_top_keeps_whole_names_in_80_columns(tmp_path):
    names = [f"base,learning_rate=0.012{i},weight_decay=0.0001,epochs=3[0:4]" for i in range(2)]
    rows = [
        {
            "shard": name,
            "host": "a-host-with-a-long-name.example",
            "chip": "",
            "device": "cpu",
            "engine": "lanes",
        }
        | {"epoch": 1, "epochs": 3, "rate": 123.4, "cell": "c", "seeds": [0, 4]}
        for name in names
    ]
    store = Store(str(tmp_path / "r"))
    store.open_for_writing()
    with lease.hold(store):
        store.folder.write_json(FILE, {"written": time.time(), "workers": rows})
        output = CliRunner().invoke(app, ["top", "--root", store.root], env={"COLUMNS": "80"}).output
    lines = output.splitlines()
    assert max(map(len, lines)) <= 80
    shard_column = "".join(line[: lines[0].index("host")].strip() for line in lines[1:-1])
    assert shard_column == "".join(names)


def test_top_lists_nothing_after_an_interruption(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "r"))
    monkeypatch.setattr("sweep.driver.eventlog.TOP_SECONDS", 0.0)

    class Interruption(Observer):
        def message(self, shard, message):
            if isinstance(message, Progress):
                raise KeyboardInterrupt

    spec = small_spec(variants="base", seeds="0:4")
    with pytest.raises(KeyboardInterrupt):
        run(spec, store, Settings(executor="inline"), EventLog(store, Interruption()))
    assert (tmp_path / "r" / "top.json").exists()
    assert not read_active(store)[1]
    assert CliRunner().invoke(app, ["top", "--root", store.root]).output == "no shard is in progress\n"
