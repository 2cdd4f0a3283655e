"""`ray up`, submit, follow, stop, resubmit, fetch and `ray down` on simulated hosts."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from sweep.store.store import Store
from tests.sweep.cluster.hosts import (
    HEAD,
    PROJECT,
    end_host,
    free_port,
    local_cluster_file,
    run,
    write_programs,
)
from tests.sweep.small import assert_same_rows, rows

SPEC = """
name: up
variants: [base, dropout]
seeds: 0:16
set: {epochs: 60}
dataset: {name: mnist5k, n_train: 600, n_test: 60}
engine: lanes
shard_width: 4
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster started by `ray up`: folder, cluster file and environment."""
    folder = tmp_path_factory.mktemp("up")
    ray_folder = tempfile.mkdtemp(
        prefix="up", dir="/tmp"
    )  # the path of a socket is limited to 107 characters
    environment = os.environ | {
        "PATH": f"{write_programs(folder)}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_TMPDIR": ray_folder,
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    (folder / "token").write_text("3f" * 32)
    dashboard = free_port()
    port = free_port()
    file = local_cluster_file(folder, port, dashboard)
    environment["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{dashboard}"
    try:
        up = run("ray", "up", "-y", "--no-config-cache", str(file), environment=environment)
        assert up.returncode == 0, up.stdout + up.stderr
        wait_for_both_hosts(environment | {"RAY_ADDRESS": f"{HEAD}:{port}"})
        yield folder, file, environment
        down = run("ray", "down", "-y", str(file), environment=environment)
        assert down.returncode == 0, down.stdout + down.stderr
    finally:
        for home in (folder / "hosts").glob("*"):
            end_host(str(home))
        shutil.rmtree(ray_folder, ignore_errors=True)


def wait_for_both_hosts(environment):
    end = time.monotonic() + 120
    while "/2.0 CPU" not in (status := run("ray", "status", environment=environment)).stdout:
        assert time.monotonic() < end, status.stdout + status.stderr
        time.sleep(1)


def sweep(*arguments, environment, code=0):
    done = run(sys.executable, "-m", "sweep", *arguments, environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.strip()


QUEUED = """
name: {name}
variants: [base]
seeds: 0:16
set: {{epochs: {epochs}}}
dataset: {{name: mnist5k, n_train: 120, n_test: 60}}
"""


@pytest.mark.slow
def test_submissions_to_one_root_take_turns(cluster, tmp_path):
    """Submitted without a pause: the first one trains, and the others wait by priority and time."""
    folder, _, environment = cluster
    names = {}
    for name, epochs, priority in (("first", 99999, 0), ("second", 1, 0), ("third", 2, 0), ("urgent", 3, 1)):
        spec = tmp_path / f"{name}.yaml"
        spec.write_text(QUEUED.format(name=name, epochs=epochs))
        options = ("--root", "queued", "--priority", str(priority))
        names[name] = sweep("submit", str(spec), *options, environment=environment)

    def waiting():
        found = json.loads(sweep("jobs", "--json", environment=environment))["jobs"]
        return {job["name"]: job["waiting"] for job in found if job["root"] == "~/queued" and job["waiting"]}

    end = time.monotonic() + 60
    while len(waiting()) < 3:
        assert time.monotonic() < end, sweep("logs", names["first"], environment=environment)
    assert list(waiting().items()) == [(names["urgent"], 1), (names["second"], 2), (names["third"], 3)]
    assert "WAITING 3  " in sweep("jobs", environment=environment)
    address = ("--address", environment["RAY_API_SERVER_ADDRESS"], "--root", "queued")
    status = sweep("status", *address, environment=environment)
    queue = [line for line in status.splitlines() if line.startswith("waiting, ")]
    for line, name in zip(queue, ("urgent", "second", "third"), strict=True):
        assert f"sweep {name}-" in line
    sweep("stop", names["second"], environment=environment)
    assert list(waiting().items()) == [(names["urgent"], 1), (names["third"], 2)]
    sweep("stop", names["first"], environment=environment)
    log = sweep("logs", names["third"], "--follow", environment=environment)
    assert "waiting for process" in log
    assert "this driver holds" in log
    files = Store(str(folder / "hosts" / HEAD / "queued")).files
    assert [f.metadata.epochs for f in sorted(files, key=lambda f: f.metadata.started)] == [3, 2]


@pytest.mark.slow
def test_stopped_and_resubmitted_sweep_gives_the_rows_of_a_local_run(cluster, tmp_path):
    folder, file, environment = cluster
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    local = tmp_path / "local"
    sweep("run", str(spec), "--root", str(local), "--executor", "inline", environment=environment)

    submit = ("submit", str(spec), "--checkpoint-seconds", "0")
    first = sweep(*submit, environment=environment)
    on_head = folder / "hosts" / HEAD / "results"
    following = subprocess.Popen(
        [sys.executable, "-m", "sweep", "logs", first, "--follow"],
        env=environment, cwd=PROJECT, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    end = time.monotonic() + 90
    while not list(on_head.glob("epochs/**/*.parquet")):
        assert time.monotonic() < end, sweep("logs", first, environment=environment)
        time.sleep(0.05)
    assert sweep(*submit, environment=environment) == first  # active: nothing is submitted
    assert "dropout" in sweep(
        "status", "--address", environment["RAY_API_SERVER_ADDRESS"], environment=environment
    )
    sweep("stop", first, environment=environment)
    assert "32 runs to train in 8 shards" in following.communicate(timeout=20)[0]
    done = len(list(on_head.glob("epochs/**/*.parquet")))
    assert 0 < done < 8

    second = sweep(*submit, "--follow", environment=environment)
    assert second.startswith(f"{first}~2")
    assert f"{4 * done:,} already stored" in second
    listed = sweep("jobs", environment=environment)
    assert "STOPPED" in listed
    assert "SUCCEEDED" in listed
    assert {
        job["status"] for job in json.loads(sweep("jobs", "--json", environment=environment))["jobs"]
    } == {
        "STOPPED",
        "SUCCEEDED",
    }
    third = sweep(*submit, "--follow", environment=environment)
    assert "nothing to train: 32 runs already stored" in third

    assert "8 finished shards" in sweep(
        "fetch", str(file), "--to", str(tmp_path / "fetched"), environment=environment
    )
    assert_same_rows(rows(tmp_path / "fetched"), rows(local))
    assert {f.metadata.engine for f in Store(str(tmp_path / "fetched")).files} == {"lanes"}
