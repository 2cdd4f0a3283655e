"""The store on real S3 and Google Cloud Storage server processes, behind a network that drops and delays."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweep.driver.driver import train
from sweep.errors import StoreError
from sweep.spec.spec import parse
from sweep.store import lease, object_lease
from sweep.store.check import examine
from sweep.store.store import Store
from tests.simulation.workers import Workers
from tests.sweep.small import assert_same_rows, rows
from tests.sweep.store.test_queue import run_four_and_kill_two
from tests.sweep.unreliable import Proxy

SECRET = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY"
SPEC = parse({"variants": "base,softmax", "seeds": "0:9", "set": {"epochs": 4}, "shard_width": 3})
DATASETS = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in SPEC.cells()}


class Network(Proxy):
    """A server process and the proxy through which the tests reach it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        s3 = ["moto.server", "-H", "127.0.0.1", "-p", str(port)]
        module = s3 if kind == "s3" else ["tests.sweep.store.gcs_emulator", str(port)]
        self.server = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        method, path = ("PUT", "bucket") if kind == "s3" else ("GET", "storage/v1/b/bucket")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", method=method)
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.2)
        # Over plain HTTP, Google's client takes a response cut in its headers for a complete one.
        super().__init__(port, reset=kind == "gs")

    def root(
        self, name: str, bucket: str = "bucket", port: int | None = None, retry_seconds: int = 20
    ) -> str:
        """Address of a root."""
        if self.kind == "s3":
            return f"s3://{bucket}/{name}"
        endpoint = f"127.0.0.1:{port or self.port}"
        options = f"scheme=http&endpoint_override={endpoint}&retry_limit_seconds={retry_seconds}"
        return f"gs://anonymous@{bucket}/{name}?{options}"


@pytest.fixture(scope="module", params=["s3", "gs"])
def network(request) -> Iterator[Network]:
    network = Network(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{network.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield network
    network.close()
    network.server.kill()
    network.server.wait()


@pytest.fixture
def calm(network) -> Iterator[Network]:
    """The network without faults before and after a test."""
    network.drop = network.delay = 0.0
    yield network
    network.drop = network.delay = 0.0


@pytest.fixture
def quick(monkeypatch) -> None:
    """A lease that expires after a second."""
    monkeypatch.setattr(object_lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(object_lease, "STALE_SECONDS", 1.0)


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
    root, chance, deaths = calm.root("dropped"), random.Random(5), 0
    calm.drop, calm.delay = 0.04, 0.004
    for seed in range(3 if calm.kind == "s3" else 1):  # Google's client waits for seconds after each drop
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
    assert deaths > 0 or calm.kind == "gs"
    calm.drop = calm.delay = 0.0
    drive(root, 9)
    assert_same_rows(rows(root), undisturbed)
    assert examine(Store(root)) == []
    assert not Store(root).checkpoints.paths()


def test_the_command_writes_to_an_object_store_and_reveals_no_secret(calm, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "dataset: {name: mnist5k, n_train: 40, n_test: 20}\nvariants: base\nset: {epochs: 1}\nseeds: 0:2"
    )
    root = calm.root("command")
    output = b""
    for command in (["run", str(spec), "--executor", "inline"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "sweep", *command, "--root", root],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"LECUN1989_LOG": "DEBUG"},
        )
        assert done.returncode == 0, done.stderr.decode()
        output += done.stdout + done.stderr
    assert len(rows(root)) == 2
    store = Store(root)
    stored = b"".join(store.folder.read(path) for path in store.folder.everything())
    local = b"".join(path.read_bytes() for path in Path(tmp_path).rglob("*") if path.is_file())
    for content in (output, stored, local):
        assert SECRET.encode() not in content
        assert b"AKIAIOSFODNN7EXAMPLE" not in content


def test_an_unreachable_store_is_one_line(calm, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("sweep.store.address.ATTEMPTS", 2)
    with pytest.raises(StoreError, match="cannot be reached") as error:
        Store(calm.root("results", port=9, retry_seconds=2))
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_missing_bucket_is_one_line(calm):
    with pytest.raises(StoreError) as error:
        Store(calm.root("results", bucket="no-such-bucket")).open_for_writing()
    assert "\n" not in str(error.value)


def test_a_second_driver_is_refused_and_a_dead_one_is_replaced(calm, quick):
    root = calm.root("lease")
    store, other = Store(root), Store(root)
    with lease.hold(store) as check:
        time.sleep(1.5)  # longer than a lease lives without renewal
        check()
        with pytest.raises(StoreError, match=f"process {os.getpid()} on .* since 20"), lease.hold(other):
            pass
    assert lease.holder(store) is None
    store.folder.write_json(
        lease.FILE, {"pid": 1, "host": "gone", "since": "…", "id": "x", "heartbeat": time.time() - 2}
    )
    with lease.hold(other):
        assert lease.holder(store)["pid"] == os.getpid()


def test_a_lease_of_version_0_1_is_respected_and_replaced_once_expired(calm, quick):
    root = calm.root("former")
    store = Store(root)
    former = {"pid": 5, "host": "old", "since": "2025", "id": "x", "heartbeat": time.time()}
    store.folder.write_json(lease.FILE, former)
    with pytest.raises(StoreError, match="process 5 on old since 2025"), lease.hold(store):
        pass
    store.folder.write_json(lease.FILE, former | {"heartbeat": 0})
    with lease.hold(store):
        pass


def test_a_driver_that_lost_its_lease_stops_writing(calm, quick):
    """It must notice before its next write, and leave the lease of the other driver as it is."""
    store = Store(calm.root("lost"))
    taken = {"pid": 7, "host": "other", "since": "now", "id": "theirs", "heartbeat": time.time() + 100}
    with lease.hold(store) as check:
        store.folder.write_json(lease.FILE, taken)
        time.sleep(1.2)
        with pytest.raises(StoreError, match="process 7 on other"):
            check()
    assert store.folder.read_json(lease.FILE) == taken


def test_a_lease_survives_a_short_network_outage(calm, quick):
    with lease.hold(Store(calm.root("outage"))) as check:
        calm.drop = 1.0
        time.sleep(0.6)
        calm.drop = 0.0
        time.sleep(0.6)
        check()


def acquire(store: Store, while_held) -> str:
    """Hold the lease of a root for the time of a call; "" or why it was refused."""
    try:
        with lease.hold(store) as check:
            while_held(check)
            return ""
    except StoreError as error:
        return str(error)


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_drivers_at_once_exactly_one_holds_the_lease(calm, expired):
    root = calm.root(f"race-{expired}")
    Store(root).open_for_writing()
    if expired:
        Store(root).folder.write_json(lease.FILE, {"id": "gone", "heartbeat": 0})
    start, done = threading.Barrier(8), threading.Event()

    def compete(_: int) -> str:
        start.wait()
        return acquire(Store(root), lambda check: done.wait(20))  # until all others have been refused

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(compete, i) for i in range(8)]
        end = time.monotonic() + 20
        while sum(future.done() for future in futures) < 7 and time.monotonic() < end:
            time.sleep(0.05)
        done.set()
        refused = [reason for future in futures if (reason := future.result())]
    assert len(refused) == 7
    assert all("another driver" in reason for reason in refused)


def test_a_renewal_whose_response_was_lost_is_an_own_renewal(calm):
    """The driver then knows an old version of its own lease."""
    store = Store(calm.root("renewal"))
    mine = object_lease._Lease(store.folder, lease.FILE, {"pid": 1, "id": "mine"}, lease.refused)
    mine.acquire()
    before = mine._version
    mine.renew()
    mine._version = before
    mine.renew()
    assert mine._version != before
    mine._version = before
    mine.release()
    assert lease.holder(store) is None


def test_a_lost_response_neither_loses_nor_doubles_the_lease(calm, monkeypatch):
    """A put may succeed although its response is lost: the driver then holds the lease, and no other does."""
    monkeypatch.setattr(object_lease, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("sweep.store.address.ATTEMPTS", 2)
    root, refused = calm.root("response"), []

    def while_held(check) -> None:
        calm.drop = 0.0
        check()
        assert f"process {os.getpid()}" in acquire(Store(root), lambda check: None)

    Store(root).open_for_writing()
    for _ in range(8):
        store = Store(root)
        calm.drop = 0.3
        refused.append(acquire(store, while_held))
        calm.drop = 0.0
        store.folder.drop(lease.FILE)  # of a lease whose release was lost
    assert refused.count("") > 3
    assert not [reason for reason in refused if "another driver" in reason]


@pytest.mark.slow
def test_real_drivers_take_turns_on_an_object_store(calm):
    run_four_and_kill_two(calm.root("queue"))
