"""Shards on Ray: one task a shard, every missing shard submitted at once, retries by class of error.

The only file that imports Ray. It keeps no truth: all it does is turn shards into a stream of messages.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # else a driver under `uv run` ships its own environment
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine takes longer than Ray's 30 s

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from sweep.cluster import native
from sweep.messages import Digits, Failed, Message, Note
from sweep.plan import Shard

Device = Literal["cpu", "gpu", "tpu"]

CRASH_RETRIES = 20  # machines are taken away all night long; a shard that kills its worker must still end
LONGEST_PAUSE = 60.0  # seconds between retries of one shard
_RESOURCES: dict[str, dict[str, Any]] = {"gpu": {"num_gpus": 1}, "tpu": {"resources": {"TPU": 1}}}


@dataclass
class _Attempt:
    """A shard on its way: how often it was tried, and when it may be tried again."""

    shard: Shard
    crashes: int = 0
    errors: int = 0
    not_before: float = field(default_factory=time.monotonic)


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
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False, "configure_logging": True}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            ray.init(num_cpus=workers, include_dashboard=False, object_store_memory=256 * 2**20, **quiet)
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
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray puts its own in its place, which ends at once


def disconnect() -> None:
    """Leave the cluster; on this machine's own Ray, end it and every task."""
    ray.shutdown()


def device_here() -> Device:
    """The fastest kind of device the cluster has."""
    resources = ray.cluster_resources()
    return "tpu" if resources.get("TPU") else "gpu" if resources.get("GPU") else "cpu"


def slots(device: Device) -> int:
    """Shards that can run at once now."""
    return int(ray.cluster_resources().get({"cpu": "CPU", "gpu": "GPU", "tpu": "TPU"}[device], 0))


def run_on_ray(
    shards: list[Shard],
    digits: dict[str, Digits],
    engine: str,
    device: Device,
    checkpoint_seconds: float,
    resume_from: Callable[[Shard], bytes | None],
) -> Iterator[tuple[Shard, Message]]:
    """Train shards, and say what happens.

    Args:
      shards: longest first.
      digits: by data set digest; sent once.
      engine: name, or "auto".
      device: what each shard is given one of.
      checkpoint_seconds: least time between a shard's checkpoints.
      resume_from: the last checkpoint of a shard, asked for whenever it is submitted.

    Yields:
      Messages of `run_shard`, in order for each shard; Note for a retry; Failed, after which the shard is
      given up. A shard that runs out of memory is yielded on as its two halves.
    """
    stored = {digest: ray.put(d) for digest, d in digits.items()}
    task = _train if device == "cpu" else _train_and_free_device
    running: dict[Any, _Attempt] = {}
    waiting = [_Attempt(shard) for shard in shards]
    while waiting or running:
        now = time.monotonic()
        for attempt in [a for a in waiting if a.not_before <= now]:
            waiting.remove(attempt)
            shard = attempt.shard
            stream: Any = task.options(name=shard.title, **_RESOURCES.get(device, {})).remote(
                shard,
                stored[shard.cell.dataset_digest],
                engine,
                device,
                checkpoint_seconds,
                resume_from(shard),
            )
            running[stream] = attempt
        if not running:
            time.sleep(max(0.0, min(a.not_before for a in waiting) - time.monotonic()))
            continue
        timeout = max(0.0, min(a.not_before for a in waiting) - now) if waiting else None
        if not ray.wait(list(running), num_returns=1, timeout=timeout, fetch_local=False)[0]:
            continue
        ready, _ = ray.wait(list(running), num_returns=len(running), timeout=0, fetch_local=False)
        for stream in ready:
            attempt = running[stream]
            try:
                yield attempt.shard, cast(Message, ray.get(next(stream)))
            except StopIteration:
                del running[stream]
            except RayError as error:
                del running[stream]
                again, message = _after(error, attempt)
                waiting += again
                yield attempt.shard, message


def _after(error: RayError, attempt: _Attempt) -> tuple[list[_Attempt], Note | Failed]:
    """What to try next, by class of error, and what to tell."""
    shard = attempt.shard
    if isinstance(error, OutOfMemoryError) and len(shard.seeds) > 1:
        middle = shard.seeds.start + len(shard.seeds) // 2
        halves = (range(shard.seeds.start, middle), range(middle, shard.seeds.stop))
        return [_Attempt(Shard(shard.cell, half)) for half in halves], Note("ran out of memory: halved")
    lost = WorkerCrashedError | NodeDiedError | ObjectLostError | RayActorError | OutOfMemoryError
    if isinstance(error, lost) and attempt.crashes < CRASH_RETRIES:
        attempt.crashes += 1
        pause = min(LONGEST_PAUSE, 0.5 * 2**attempt.crashes)
        attempt.not_before = time.monotonic() + pause
        return [attempt], Note(f"{type(error).__name__}: tried again in {pause:.0f} s")
    if isinstance(error, RayTaskError) and attempt.errors < 1:
        attempt.errors += 1
        return [attempt], Note(f"{type(error.cause).__name__}: tried once more")
    return [], Failed(str(error))


def _run(
    shard: Shard,
    digits: Digits,
    engine: str,
    device: Device,
    checkpoint_seconds: float,
    resume_from: bytes | None,
) -> Iterator[Message]:
    from model.numerics import configure

    # One core a shard: `num_cpus=1` is what the task was given. A task for the CPU must not touch a GPU.
    configure(platform="cpu" if device == "cpu" else None, threads=1)
    native.provide()
    from sweep.worker import run_shard

    yield from run_shard(shard, digits, engine, resume_from, checkpoint_seconds)


# A process that trained on an accelerator holds it until it ends; `max_calls` works only in the decorator.
_train = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)(_run)
_train_and_free_device = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1, max_calls=1)(_run)
