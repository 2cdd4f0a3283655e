"""The Ray task that trains one shard, as it runs in a worker process."""

import gc
import os
from collections.abc import Iterator
from typing import Any

import ray
from ray.experimental import internal_kv

from data.dataset import Dataset
from model.engines import Platform
from model.numerics import configure
from sweep.executors import native
from sweep.messages import Message
from sweep.settings import PLATFORM
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard

JAX_PLATFORM: dict[Platform, str] = {"cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}
RESOURCES: dict[Platform, dict[str, Any]] = {
    "cpu": {},
    "gpu": {"num_gpus": 1},
    "tpu": {"resources": {"TPU": 1}},
}
_ONE_CHIP = {
    "TPU_CHIPS_PER_PROCESS_BOUNDS": "1,1,1",
    "TPU_PROCESS_BOUNDS": "1,1,1",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "true",
}


def _train(
    shard: Shard,
    dataset: Dataset,
    engine: str,
    device: Platform,
    checkpoint_seconds: float,
    checkpoint: bytes | None,
    keep_weights: SeedRanges,
    stop_key: bytes,
) -> Iterator[Message]:
    """Set up this process for one device and train a shard. Arguments as for `run_shard`.

    The driver writes `stop_key` into Ray's key-value store when the run is about to end.
    """
    _set_up(device)
    from sweep.worker.worker import run_shard  # imports JAX

    yield from run_shard(
        shard,
        dataset,
        engine,
        checkpoint,
        checkpoint_seconds,
        keep_weights,
        lambda: bool(internal_kv._internal_kv_exists(stop_key)),
    )


def _set_up(device: Platform) -> None:
    # Almost every object that an import creates stays. Collecting them in between takes a sixth of the import of JAX.
    gc.set_threshold(100_000)
    # Workers inherit the driver's JAX_PLATFORMS, which is "cpu". Naming one platform also prevents a silent fallback
    # and the use of a device that the task was not given: CPU tasks see a GPU too.
    platform = JAX_PLATFORM[device]
    if device != "cpu":
        platform = os.environ.get(PLATFORM, platform)
    if device == "tpu":
        os.environ.update(_ONE_CHIP)
    configure(platform, threads=1)  # one core per shard: `num_cpus=1`
    native.provide()


_task = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)
_task_once = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1, max_calls=1)
train_on_cpu = _task(_train)
# A process holds its accelerator until it ends. `max_calls` has an effect in the decorator only.
train_on_accelerator = _task_once(_train)
