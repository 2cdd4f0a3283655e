"""Connect to Ray: to a cluster, or to a local Ray that this process starts."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import ray
import yaml
from ray._common.utils import get_default_system_temp_dir
from ray._private import ray_constants, services, utils, worker
from ray._private.node import Node as RayNode
from ray._private.parameter import RayParams
from ray.job_config import JobConfig

from sweep.errors import SpecError, one_line
from sweep.executors import cleanup
from sweep.executors.placement import Fleet, Node, capacity_to_come
from sweep.network import require_answer
from sweep.settings import CLUSTER_FILE

PACKAGES = Path(__file__).parents[2]  # the directory with data/, model/ and sweep/
OBJECT_STORE_BYTES = 256 * 2**20
ANSWER_SECONDS = 10.0
REGISTRATION_SECONDS = 10.0


@dataclass(frozen=True)
class Connection:
    """A connection to Ray.

    Attributes:
      server: the processes of a local Ray; None for a cluster, which may grow.
    """

    server: RayNode | None

    def fleet(self) -> Fleet:
        """Nodes that are alive, and the most that the autoscaler may add.

        Ray has no interface for the latter. `ray up` leaves its file on the head, where drivers run.
        """
        self.check()
        nodes = [Node(n["NodeID"], n["Resources"]) for n in ray.nodes() if n["Alive"]]
        if self.server:
            return Fleet(nodes)
        file = Path(os.environ.get(CLUSTER_FILE, "~/ray_bootstrap_config.yaml")).expanduser()
        return Fleet(nodes, capacity_to_come(yaml.safe_load(file.read_text())) if file.is_file() else {})

    def check(self) -> None:
        """Raise an error if a process of the local Ray has ended.

        Raises:
          ConnectionError: which process.
        """
        ended = [name for name, _ in self.server.dead_processes()] if self.server else []
        if ended:
            raise ConnectionError(f"a process of the local Ray ended unexpectedly: {', '.join(ended)}")


@contextmanager
def connect(address: str | None, workers: int | None) -> Iterator[Connection]:
    """Join a cluster, or start Ray on this machine if there is no address.

    Args:
      address: "auto", "host:port" or "ray://host:port".
      workers: cores to use on this machine; None for all. Only without an address.

    Raises:
      ConnectionError: no cluster answers at the address, or Ray does not start.
    """
    with _cluster(address) if address else _local_ray(workers) as connection:
        yield connection


@contextmanager
def _cluster(address: str) -> Iterator[Connection]:
    try:
        _check_answers(address)
        _init(address)
    except (ConnectionError, SpecError):
        raise
    except Exception as error:  # Ray raises Exception, RuntimeError, ValueError …
        message = f"the Ray cluster at {address} does not answer: {one_line(error)}"
        raise ConnectionError(message) from None
    try:
        yield Connection(None)
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise an error if no Ray cluster answers within 20 s. Ray itself would print warnings for ten minutes."""
    client = "://" in address
    found = address if client else services.canonicalize_bootstrap_address_or_die(address)
    require_answer(found)
    if client:
        return
    # Only Ray's own client knows the protocol, and only the end of its process interrupts it.
    probe = [sys.executable, "-c", f"from ray._raylet import GcsClient; GcsClient(address={found!r})"]
    try:
        subprocess.run(probe, capture_output=True, check=True, timeout=ANSWER_SECONDS)
    except subprocess.SubprocessError:
        reason = "not a Ray cluster of this version, or it requires another token"
        raise ConnectionError(f"{address}: no cluster answers ({reason})") from None


@contextmanager
def _local_ray(workers: int | None) -> Iterator[Connection]:
    folder = Path(tempfile.mkdtemp(prefix="sweep-ray-", dir=get_default_system_temp_dir()))
    # In a new session, because Ctrl-C at a terminal must not end it.
    cleaner = subprocess.Popen(
        [sys.executable, "-I", "-S", cleanup.__file__, str(folder)],
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    server: RayNode | None = None
    try:
        try:
            server = _start(workers, folder)
        except Exception as error:
            raise ConnectionError(f"Ray does not start on this machine: {one_line(error)}") from None
        for name, processes in server.all_processes.items():
            _tell(cleaner, "".join(f"{name} {info.process.pid}\n" for info in processes))
        connection = Connection(server)
        try:
            yield connection
        except Exception:
            connection.check()  # Ray reports a dead server by many exceptions
            raise
        finally:
            _tell(cleaner, f"{cleanup.CLOSING}\n")
            _stop(server)
    finally:
        _tell(cleaner, f"{cleanup.CLOSING}\n")
        if server is None or server.remaining_processes_alive():
            cleaner.communicate()


def _tell(cleaner: subprocess.Popen[str], lines: str) -> None:
    assert cleaner.stdin is not None
    with suppress(BrokenPipeError):  # it was killed
        cleaner.stdin.write(lines)
        cleaner.stdin.flush()


def _start(workers: int | None, folder: Path) -> RayNode:
    ray.shutdown()  # of an earlier Ray in this process that died
    with _local_settings():
        server = _Server(
            RayParams(
                num_cpus=workers,
                object_store_memory=OBJECT_STORE_BYTES,
                include_log_monitor=False,  # type: ignore[arg-type]  # a flag, annotated as text
                no_monitor=True,
                temp_dir=str(folder),
            ),
            head=True,
            shutdown_at_exit=False,
            spawn_reaper=True,
        )
        # Workers import the packages of this process. Without `_client_job`, Ray puts the working directory before
        # them, where a user's file `model.py` would hide the package `model`.
        _init(server.address, JobConfig(_py_driver_sys_path=[str(PACKAGES)], _client_job=True))
    return server


class _Server(RayNode):
    """The processes of a Ray without dashboard, autoscaler and log monitor: a third of its start-up time."""

    def start_api_server(self, **_: object) -> None:
        """Start no dashboard."""

    def start_ray_processes(self) -> None:
        """Start the raylet and wait until it is registered. Ray itself looks for it once a second."""
        super().start_ray_processes()  # type: ignore[no-untyped-call]
        deadline = time.monotonic() + REGISTRATION_SECONDS  # Ray waits longer
        gcs = self.get_gcs_client()  # type: ignore[no-untyped-call]
        while not gcs.get_all_node_info() and time.monotonic() < deadline:
            time.sleep(0.02)


def _stop(server: RayNode) -> None:
    """Stop Ray, unless a server died.

    Ray's own shutdown waits for the dead process. It runs when this process exits, after the error was printed. The
    second process kills the others then, because Ray ends this process when it loses its raylet.
    """
    if server.remaining_processes_alive():
        ray.shutdown()
        server.kill_all_processes(check_alive=False, allow_graceful=True)


def _init(address: str, job_config: JobConfig | None = None) -> None:
    """Connect this process. Ray's handler of SIGTERM, which ends a process at once, is replaced by the one before."""
    on_sigterm = signal.getsignal(signal.SIGTERM)
    # Otherwise the last lines of a dead raylet's log are printed, even with `log_to_driver=False`.
    worker.print_to_stdstream = lambda *_, **__: None
    options: dict[str, Any] = {
        "job_config": job_config,
        "logging_level": logging.ERROR,
        "log_to_driver": False,
    }
    ray.init(address=address, **options)
    signal.signal(signal.SIGTERM, on_sigterm)


@contextmanager
def _local_settings() -> Iterator[None]:
    """Change constants and functions of Ray while a local Ray starts."""
    before = [getattr(module, name) for module, name, _ in _LOCAL]
    for module, name, value in _LOCAL:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(_LOCAL, before, strict=True):
            setattr(module, name, value)


_LOCAL: tuple[tuple[ModuleType, str, object], ...] = (
    # Listen on the loopback interface only. This is Ray's default on macOS and Windows. On Linux it listens on every
    # interface, and an explicit address "127.0.0.1" is replaced by a reachable one.
    (ray_constants, "ENABLE_RAY_CLUSTER", False),
    # The dashboard's agent loads only what it needs without a dashboard.
    (utils, "get_dashboard_dependency_error", lambda: ImportError("no dashboard")),
)
