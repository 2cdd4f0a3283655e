"""Shards on Ray: one task a shard, every missing shard submitted at once, retries by class of error.

The only file that imports Ray. It keeps no truth: all it does is turn shards into a stream of messages.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # else a driver under `uv run` ships its own environment
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes longer than Ray's 30 s

import ray
import yaml
from ray._private import ray_constants
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskUnschedulableError,
    WorkerCrashedError,
)
from ray.job_config import JobConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweep.executors import native
from sweep.executors.metrics import Metrics
from sweep.executors.placement import Device, Fleet, Node, bite, join, merged, to_come
from sweep.executors.retry import Attempt, Fault, after
from sweep.messages import Digits, Message, Repartitioned
from sweep.spec.shard import Shard

_PACKAGES = Path(__file__).parents[2]  # the folder that holds data/, model/ and sweep/
LOOK_SECONDS = 5.0  # between two looks at which machines are there

_RESOURCES: dict[str, dict[str, Any]] = {"gpu": {"num_gpus": 1}, "tpu": {"resources": {"TPU": 1}}}
_PLATFORM: dict[Device, str] = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}  # as JAX calls them

# Environment of a driver: the file that its cluster was started with.
CLUSTER_FILE = "LECUN1989_CLUSTER_FILE"
# Environment of a node, for tests: what JAX opens there in the place of an accelerator.
PLATFORM = "LECUN1989_PLATFORM"
_ONE_CHIP = {
    "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
    "TPU_PROCESS_BOUNDS": "1,1,1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}


@dataclass
class _Flight:
    """A task that was submitted."""

    attempt: Attempt
    helper: str | None  # ID of the machine of another kind that it was given to
    begun: bool = False


_joined = False  # a cluster, which may grow; not a Ray of this process' own, which does not


def connect(address: str | None, workers: int | None) -> None:
    """Join a cluster, or start Ray on this machine when there is no address.

    Args:
      address: "auto", "host:port" or "ray://host:port".
      workers: cores to use on this machine; None for all. Only without an address.

    Raises:
      ConnectionError: no cluster answers there, or Ray does not start.
    """
    # Local Ray listens on the loopback only and is gone with the driver; clusters use Ray's token.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled" if address is None else "token")
    global _joined
    _joined = address is not None
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "configure_logging": True}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    clusters = ray_constants.ENABLE_RAY_CLUSTER
    try:
        if address is None:
            # Off, as it is by default on other systems: else Ray listens on every interface, and takes "127.0.0.1"
            # for a wish to be reachable.
            ray_constants.ENABLE_RAY_CLUSTER = False
            own: dict[str, Any] = {
                "address": "local",
                "include_dashboard": False,
                "object_store_memory": 256 * 2**20,
                # Workers import the driver's packages. Without `_client_job`, Ray puts the working directory
                # before them, where a file `model.py` would hide the package `model`.
                "job_config": JobConfig(_py_driver_sys_path=[str(_PACKAGES)], _client_job=True),
            }
            ray.init(
                num_cpus=workers, **own, **quiet
            )  # "local", or a cluster of someone else's here is joined
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises bare Exception, ConnectionError, RuntimeError, ValueError …
        where = (
            f"the Ray cluster at {address} does not answer"
            if address
            else "Ray does not start on this machine"
        )
        reason = str(error).strip().splitlines()[0]
        raise ConnectionError(f"{where}: {reason}") from None
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray puts its own in its place, which ends at once


def disconnect() -> None:
    """Leave the cluster; on this machine's own Ray, end it and every task."""
    ray.shutdown()


def fleet() -> Fleet:
    """The machines that are there, and the most that the autoscaler may bring.

    Ray does not tell what a cluster can grow to. `ray up` leaves its file on the head, where drivers run.
    """
    nodes = [Node(n["NodeID"], n["Resources"]) for n in ray.nodes() if n["Alive"]]
    if not _joined:
        return Fleet(nodes)
    file = Path(os.environ.get(CLUSTER_FILE, "~/ray_bootstrap_config.yaml")).expanduser()
    return Fleet(nodes, to_come(yaml.safe_load(file.read_text())) if file.is_file() else {})


def run_on_ray(
    shards: list[Shard],
    digits: dict[str, Digits],
    engine: str,
    device: Device | None,
    checkpoint_seconds: float,
    resume_from: Callable[[Shard], bytes | None],
) -> Iterator[tuple[Shard, Message]]:
    """Train shards, and say what happens.

    Every shard asks for a device of the fastest kind at once, so that the autoscaler sees the demand. Machines of
    other kinds take work from the end of the queue for as long as there is one.

    Args:
      shards: longest first.
      digits: by data set digest; sent once.
      engine: name, or "auto".
      device: the only kind to be used; None for all that the cluster has.
      checkpoint_seconds: least time between a shard's checkpoints.
      resume_from: the last checkpoint of a shard, asked for whenever it is submitted.

    Yields:
      Messages of `run_shard`, in order for each shard; Note for a retry; Failed, after which the shard is
      given up; Repartitioned for seeds that continue in other shards: after an out-of-memory error, or to suit
      a device.
    """
    stored = {digest: ray.put(d) for digest, d in digits.items()}
    here = fleet()
    main = device or here.device
    metrics = Metrics(max(len(d.train_labels) for d in digits.values()))
    flights: dict[Any, _Flight] = {}  # by stream of messages

    def submit(attempt: Attempt, kind: Device, node: Node | None) -> None:
        shard = attempt.shard
        task = _train if kind == "cpu" else _train_and_free_device
        where = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)} if node else {}
        stream = task.options(name=shard.title, **_RESOURCES.get(kind, {}), **where).remote(
            shard,
            stored[shard.cell.dataset_digest],
            engine,
            kind,
            checkpoint_seconds,
            resume_from(shard),
        )
        flights[stream] = _Flight(attempt, node.id if node else None)

    if main != "cpu":
        begun = {shard for shard in shards if resume_from(shard)}
        for group in join(shards, here.width(main), here.slots(main), begun):
            block = merged(group)
            shards = [block, *(s for s in shards if s not in group)]
            yield group[0], Repartitioned(group, (block,), "device")
        shards.sort(key=lambda s: -s.epochs_of_work)
    waiting = [Attempt(shard) for shard in shards]
    looked = time.monotonic()
    while waiting or flights:
        now = time.monotonic()
        if now - looked >= LOOK_SECONDS:
            here, looked = fleet(), now
        go = [a for a in waiting if a.not_before <= now]
        waiting = [a for a in waiting if a.not_before > now]
        for node in here.helpers(main) if device is None else []:
            free = node.slots - sum(f.helper == node.id for f in flights.values())
            while free > 0 and len(go) + sum(f.helper is None for f in flights.values()) > here.slots(main):
                if not go and not (go := _call_back(flights)):
                    break
                attempt, free = go.pop(), free - 1
                whole = attempt.shard
                parts = (whole,) if resume_from(whole) else bite(whole, here.width(node.device))
                if len(parts) > 1:
                    yield whole, Repartitioned((whole,), parts, "device")
                    go.append(Attempt(parts[0]))
                    attempt = Attempt(parts[1])
                submit(attempt, node.device, node)
        for attempt in go:
            submit(attempt, main, None)
        timeout = min([LOOK_SECONDS, *(max(0.0, a.not_before - now) for a in waiting)])
        if not flights:
            time.sleep(timeout)
            continue
        if not ray.wait(list(flights), num_returns=1, timeout=timeout, fetch_local=False)[0]:
            continue
        ready, _ = ray.wait(list(flights), num_returns=len(flights), timeout=0, fetch_local=False)
        stream: Any
        for stream in ready:
            flight = flights[stream]
            attempt = flight.attempt
            try:
                message = cast(Message, ray.get(next(stream)))
                flight.begun = True
                metrics.message(attempt.shard, message)
                yield attempt.shard, message
            except StopIteration:
                del flights[stream]
            except RayError as error:
                del flights[stream]
                again, told = after(_fault(error), _name(error), str(error), attempt, time.monotonic())
                waiting += again
                metrics.message(attempt.shard, told)
                yield attempt.shard, told


def _call_back(flights: dict[Any, _Flight]) -> list[Attempt]:
    """The last attempt that still waits for its device, taken from the queue; none when all have begun."""
    queued = [stream for stream, flight in flights.items() if flight.helper is None and not flight.begun]
    if not queued:
        return []
    ray.cancel(queued[-1])
    return [flights.pop(queued[-1]).attempt]


def _fault(error: RayError) -> Fault:
    """Ray's own memory monitor, a worker's allocation and an accelerator's all mean: too many seeds at once."""
    if isinstance(error, OutOfMemoryError):
        return "memory"
    if isinstance(error, RayTaskError):
        cause = error.cause
        return "memory" if isinstance(cause, MemoryError) or "RESOURCE_EXHAUSTED" in str(cause) else "own"
    lost = WorkerCrashedError | NodeDiedError | ObjectLostError | RayActorError | TaskUnschedulableError
    return "lost" if isinstance(error, lost) else "own"


def _name(error: RayError) -> str:
    return type(error.cause if isinstance(error, RayTaskError) else error).__name__


def _run(
    shard: Shard,
    digits: Digits,
    engine: str,
    device: Device,
    checkpoint_seconds: float,
    resume_from: bytes | None,
) -> Iterator[Message]:
    from model.numerics import configure

    # The driver's JAX_PLATFORMS is "cpu" and workers on its machine inherit that, so each says its own: never
    # another device in silence, and none that the task was not given (a GPU is seen by CPU tasks too).
    platform = _PLATFORM[device] if device == "cpu" else os.environ.get(PLATFORM, _PLATFORM[device])
    if device == "tpu":
        os.environ.update(_ONE_CHIP)
    # One core a shard: `num_cpus=1` is what the task was given.
    configure(platform, threads=1)
    native.provide()
    from sweep.worker.worker import run_shard

    yield from run_shard(shard, digits, engine, resume_from, checkpoint_seconds)


# A process that trained on an accelerator holds it until it ends; `max_calls` works only in the decorator.
_train = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)(_run)
_train_and_free_device = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1, max_calls=1)(_run)
