"""The autoscaler adds nodes with fake TPU chips, one node is killed, another replaces it, and no run is lost.

Uses Ray's autoscaler and its fake provider, which starts one raylet per node. Ray assigns chips as on a TPU VM,
but JAX opens the CPU.
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
import ray
import yaml

from sweep.driver.session import run
from sweep.messages import Observer, Progress, Retried, Started
from sweep.settings import CLUSTER_FILE, PLATFORM, Settings
from sweep.store.store import Store
from tests.sweep.cluster.hosts import MARK, end_host
from tests.sweep.cluster.hosts import run as execute
from tests.sweep.small import assert_same_rows, rows, run_inline, small_spec

HEAD = "f" * 51 + "00000"  # the fake provider counts node IDs upwards from here
CHIPS = 2


@pytest.fixture
def address(tmp_path, monkeypatch):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    here = ray.util.get_node_ip_address()
    config = {
        "cluster_name": "fake",
        "max_workers": 3,
        "idle_timeout_minutes": 5,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": f"{here}:{port}",
            "head_node_id": HEAD,
            "launch_multiple": True,
        },
        **{f"{kind}setup_commands": [] for kind in ("", "head_", "worker_")},
        **{f"{kind}_start_ray_commands": [] for kind in ("head", "worker")},
        "initialization_commands": [],
        "auth": {},
        "file_mounts": {},
        "cluster_synced_files": [],
        "rsync_exclude": [],
        "rsync_filter": [],
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "tpu": {
                "resources": {"CPU": 4, "TPU": CHIPS},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 3,
            },
        },
    }
    (tmp_path / "fake.yaml").write_text(yaml.safe_dump(config))
    folder = tempfile.mkdtemp(prefix="fake", dir="/tmp")  # the path of a socket is limited to 107 characters
    environment = os.environ | {
        MARK: folder,
        PLATFORM: "cpu",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_FAKE_CLUSTER": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "RAY_TMPDIR": folder,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_autoscaler_v2": "1",
    }
    start = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--num-cpus=0", f"--port={port}"]
    start += ["--include-dashboard=false", f"--autoscaling-config={tmp_path / 'fake.yaml'}"]
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv(CLUSTER_FILE, str(tmp_path / "fake.yaml"))
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("no node started in time"))
    try:
        begun = execute(*start, environment=environment)
        assert begun.returncode == 0, begun.stdout + begun.stderr
        yield f"{here}:{port}"
    finally:
        ray.shutdown()
        end_host(folder)
        shutil.rmtree(folder, ignore_errors=True)


def kill_node(node: str) -> None:
    """Kill the raylet of a node. Its workers end with it."""
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(OSError):
            line = " ".join(process.info["cmdline"] or [])
            if "/raylet " in line and node.encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                os.kill(process.pid, signal.SIGKILL)


class Watch(Observer):
    """Kills the first node after the second epoch of one of its shards."""

    def __init__(self):
        self.started, self.notes, self.killed = [], [], False

    def message(self, shard, message):
        match message:
            case Started():
                self.started.append((shard, message.environment))
            case Progress(epoch) if epoch >= 2 and not self.killed:
                self.killed = True
                kill_node(HEAD[:-1] + "1")
            case Retried(text):
                self.notes.append(text)


@pytest.mark.slow
def test_a_lost_node_causes_no_lost_run(address, tmp_path):
    spec = small_spec(
        variants="base,softmax,augment,dropout", seeds="0:8", set={"epochs": 40}, engine="lanes"
    )
    watch = Watch()
    signal.alarm(150)  # a sweep waits forever for a node that never starts
    store = Store(str(tmp_path / "results"))
    outcome = run(spec, store, Settings(address=address, checkpoint_seconds=0.0), watch)
    signal.alarm(0)
    assert not outcome.failed
    assert watch.killed
    assert {environment["JAX_PLATFORMS"] for _, environment in watch.started} == {"cpu"}  # set by PLATFORM
    assert any("next attempt in" in note for note in watch.notes)
    assert len(watch.started) > 4  # at least one shard started twice

    # Every attempt saw exactly one chip.
    chips = [environment["TPU_VISIBLE_CHIPS"] for _, environment in watch.started]
    assert set(chips) <= {str(i) for i in range(CHIPS)}
    assert len(set(chips)) == CHIPS
    assert {e["TPU_CHIPS_PER_HOST_BOUNDS"] for _, e in watch.started} == {"1,1,1"}
    recorded = [file.metadata.environment for file in store.files]
    assert len(recorded) == 4  # the seeds of a variant were joined because they fit one chip
    assert all(e["TPU_VISIBLE_CHIPS"] in chips for e in recorded)
    assert "tpu" not in os.environ["JAX_PLATFORMS"]  # of the driver

    run_inline(tmp_path / "inline", spec)
    assert_same_rows(rows(tmp_path / "results"), rows(tmp_path / "inline"))
