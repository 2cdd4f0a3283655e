"""The JSON documents of `--json` have exactly the keys that docs/json.md lists."""

import json
import os
import random
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from sweep.cli.output import print_json
from sweep.cluster.jobs import Job
from sweep.driver.driver import train
from sweep.driver.eventlog import EventLog
from sweep.messages import Observer
from sweep.store import lease
from sweep.store.store import Store
from tests.simulation.workers import Workers
from tests.sweep.analysis.stored import stored
from tests.sweep.cli.command import sweep
from tests.sweep.small import small_spec

DOCS = Path(__file__).parents[3] / "docs" / "json.md"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    path = tmp_path_factory.mktemp("json") / "results"
    stored(path, {"base": np.random.default_rng(1).random((3, 60)) < 0.2}, epochs=1)
    return path


def document(*arguments):
    ended = sweep(*arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def documented(command):
    """All keys in the first column of a command's table."""
    (section,) = re.findall(rf"^## `sweep {command} --json`\n(.*?)(?=^## |\Z)", DOCS.read_text(), re.M | re.S)
    cells = re.findall(r"^\| (`.*?) \|", section, re.M)
    return set(
        re.findall(r"\w+", " ".join(name for cell in cells for name in re.findall(r"`([^`]+)`", cell)))
    )


def test_plan(tmp_path):
    root = tmp_path / "results"
    stored(root, {"base": np.random.default_rng(1).random((8, 60)) < 0.2}, epochs=1)
    spec = {
        "variants": "base",
        "set": {"epochs": 1},
        "dataset": {"name": "mnist5k", "n_train": 120, "n_test": 60},
    }
    (tmp_path / "my.yaml").write_text(json.dumps(spec))
    cluster = DOCS.parents[1] / "cluster.yaml"
    found = document("plan", tmp_path / "my.yaml", "--find", 2, "--root", root, "--cluster", cluster)
    (cell,) = found["cells"]
    assert found["runs"] == cell["seeds_needed"] - 8
    assert {*found, *cell, *found["machines"][0]} == documented("plan") | {"cells", "machines"}


def test_status(root):
    found = document("status", "--root", root)
    (cells,) = found["sweeps"].values()
    assert cells == [
        {
            "variant": "base,epochs=1",
            "dataset": "mnist5k,n_train=120,n_test=60",
            "wanted": 3,
            "done": 3,
            "running": 0,
            "epoch": "",
            "missing": 0,
            "diverged": 0,
        }
    ]
    assert found["root"] == str(root)
    assert found["driver"] is None
    assert found["in_progress"] == {"runs": 0, "share": 0.0}
    assert {*found, *cells[0]} == documented("status")


def test_status_lists_failures_and_quarantined_files(root):
    (root / "failures" / "x").mkdir(parents=True)
    (root / "failures" / "x" / "seeds-0-1-abc.txt").write_text("base seeds 0:2\nTraceback …\n")
    (root / "quarantine").mkdir()
    (root / "quarantine" / "damaged.parquet").touch()
    found = document("status", "--root", root)
    assert found["failed"] == [{"title": "base seeds 0:2", "path": "failures/x/seeds-0-1-abc.txt"}]
    assert found["quarantined"] == ["quarantine/damaged.parquet"]


def test_top_without_a_driver(root):
    assert document("top", "--root", root) == {"age_seconds": None, "shards": []}


def test_top_while_a_driver_trains(tmp_path, monkeypatch):
    store, seen = Store(str(tmp_path / "r")), []
    monkeypatch.setattr("sweep.driver.eventlog.TOP_SECONDS", 0.0)

    class Snapshot(Observer):
        def message(self, shard, message):
            seen.append(document("top", "--root", store.root))
            seen.append(document("status", "--root", store.root))

    spec = small_spec(variants="base", seeds="0:2")
    datasets = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in spec.cells()}
    store.open_for_writing()
    with lease.hold(store):
        train(spec, store, datasets, Workers(random.Random(0), 0.0), EventLog(store, Snapshot()))
    assert seen[1]["driver"]["pid"] == os.getpid()
    (shard,) = seen[2]["shards"]
    assert (shard["shard"], shard["epoch"], shard["epochs"]) == ("base,epochs=3[0:2]", 1, 3)
    assert {*seen[2], *shard} == documented("top")


def test_compare_has_the_numbers_of_the_sentence_and_no_nan(root):
    found = document("compare", "--misses", 20, "--variant", "base,epochs=1", "--root", root)
    assert found["n"] == 3
    assert found["p_mid"] is None  # below 40 seeds
    assert f"mean {found['mean']:.1f}" in found["sentence"]
    assert found.keys() == documented("compare")


def test_info(root):
    found = document("info", "--root", root)
    assert found["root"] == str(root)
    assert found["engines"]["vmap"]["available"]
    assert found["engines"]["pallas"]["reason"]
    assert found.keys() == documented("info")


def test_the_keys_of_jobs_are_the_fields_of_a_job():
    assert {"jobs", *(field.name for field in fields(Job))} == documented("jobs")


def test_errors_are_one_line_as_without_json(tmp_path):
    ended = sweep("status", "--root", tmp_path / "none", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1


def test_numbers_that_are_not_finite_become_null(capsys):
    print_json({"a": [float("nan"), 1.5], "b": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.5], "b": None}
