"""The laws of the store on a real S3 server process, behind a network that drops and delays."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from sweep.driver.driver import train
from sweep.errors import StoreError
from sweep.spec.spec import parse
from sweep.store import lease
from sweep.store.check import examine
from sweep.store.store import Store
from tests.simulation.workers import Workers
from tests.sweep.small import assert_same_rows, rows
from tests.sweep.unreliable import Proxy

SECRET = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY"
SPEC = parse({"variants": "base,softmax", "seeds": "0:9", "set": {"epochs": 4}, "shard_width": 3})
DATASETS = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in SPEC.cells()}


@pytest.fixture(scope="module")
def network():
    """A server, and the proxy through which all of this module sees it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    proxy = Proxy(port)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.2)
        yield proxy
    proxy.close()
    server.kill()
    server.wait()


@pytest.fixture
def calm(network):
    """The network without trouble before and after a test."""
    network.drop = network.delay = 0.0
    yield network
    network.drop = network.delay = 0.0


@pytest.fixture
def quick(monkeypatch):
    """A lease that goes stale in a second."""
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(lease, "SETTLING_SECONDS", 0.1)


def drive(root: str, seed: int, trouble: float = 0.0) -> None:
    store = Store(root)
    store.open_for_writing()
    train(SPEC, store, DATASETS, Workers(random.Random(seed), trouble))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("local") / "results"
    drive(str(root), 0)
    return rows(root)


def test_dropped_and_slow_connections_and_dying_drivers_cost_no_row(calm, undisturbed):
    root, chance, deaths = "s3://bucket/dropped", random.Random(5), 0
    calm.drop, calm.delay = 0.04, 0.004
    for seed in range(3):
        try:
            store = Store(root)
            store.open_for_writing()
            workers, left = Workers(random.Random(seed), 0.05), chance.randint(10, 60)

            def dying(shards, resume_from, workers=workers, left=left):
                for count, event in enumerate(workers(shards, resume_from)):
                    if count == left:
                        raise KeyboardInterrupt
                    yield event

            train(SPEC, store, DATASETS, dying)
        except (StoreError, KeyboardInterrupt):
            deaths += 1
    assert calm.dropped > 5
    assert deaths > 0
    calm.drop = calm.delay = 0.0
    drive(root, 9)
    assert_same_rows(rows(root), undisturbed)
    assert examine(Store(root)) == []
    assert not Store(root).checkpoints()


def test_the_command_writes_to_an_object_store_and_tells_no_secret(calm, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "dataset: {name: mnist5k, n_train: 40, n_test: 20}\nvariants: base\nset: {epochs: 1}\nseeds: 0:2"
    )
    root = "s3://bucket/command"
    said = b""
    for command in (["run", str(spec), "--executor", "inline"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "sweep", *command, "--root", root],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"LECUN1989_LOG": "DEBUG"},
        )
        assert done.returncode == 0, done.stderr.decode()
        said += done.stdout + done.stderr
    assert len(rows(root)) == 2
    store = Store(root)
    stored = b"".join(store.read(path) for path in store.everything())
    local = b"".join(path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file())
    for told in (said, stored, local):
        assert SECRET.encode() not in told
        assert b"AKIAIOSFODNN7EXAMPLE" not in told


def test_an_unreachable_store_is_one_line(calm, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("sweep.store.files.S3_ATTEMPTS", 2)
    with pytest.raises(StoreError, match="cannot be reached") as error:
        Store("s3://bucket/results")
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_bucket_that_is_not_there_is_one_line(calm):
    with pytest.raises(StoreError) as error:
        Store("s3://no-such-bucket/results").open_for_writing()
    assert "\n" not in str(error.value)


def test_a_second_driver_is_refused_and_a_dead_one_is_replaced(calm, quick):
    drive("s3://bucket/lease", 0)
    store, other = Store("s3://bucket/lease"), Store("s3://bucket/lease")
    with lease.hold(store) as check:
        time.sleep(1.5)  # longer than a lease lives unrenewed
        check()
        with pytest.raises(StoreError, match=f"process {os.getpid()} on .* since 20"), lease.hold(other):
            pass
    assert lease.holder(store) is None
    store.write_json(
        lease.FILE, {"pid": 1, "host": "gone", "since": "…", "id": "x", "heartbeat": time.time() - 2}
    )
    with lease.hold(other):
        assert lease.holder(store)["pid"] == os.getpid()


def test_a_driver_that_slept_too_long_writes_no_more(calm, quick):
    """Its lease went stale and was taken over: it must notice before its next write, and leave the other's be."""
    drive("s3://bucket/slept", 0)
    store = Store("s3://bucket/slept")
    taken = {"pid": 7, "host": "other", "since": "now", "id": "theirs", "heartbeat": time.time() + 100}
    with lease.hold(store) as check:
        store.write_json(lease.FILE, taken)
        time.sleep(1.2)
        with pytest.raises(StoreError, match="process 7 on other"):
            check()
    assert store.read_json(lease.FILE) == taken


def test_a_lease_outlives_a_network_that_is_down_for_a_moment(calm, quick):
    drive("s3://bucket/moment", 0)
    with lease.hold(Store("s3://bucket/moment")) as check:
        calm.drop = 1.0
        time.sleep(0.6)
        calm.drop = 0.0
        time.sleep(0.6)
        check()


def test_of_two_that_come_at_once_one_yields(calm, quick):
    drive("s3://bucket/race", 0)
    first, second = Store("s3://bucket/race"), Store("s3://bucket/race")
    write = Store.write_json

    def overtaken(store, path, content):
        write(store, path, content)
        if store is first:
            write(second, path, content | {"id": "another's"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "write_json", overtaken)
        with pytest.raises(StoreError, match="another driver"), lease.hold(first):
            pass
