"""Train one shard: the loop over epochs, a generator that uses neither Ray nor files.

Importing this module imports JAX: call `model.numerics.configure` before.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import pandas  # noqa: F401  # pyarrow loads it at the first table, in the middle of a shard

from data.dataset import Dataset
from model.engines import Engine, choose, load_engine
from model.streams import presentation_order
from model.training import Evaluation, ReplicaState, learning_rates
from sweep.messages import Finished, Progress, Started
from sweep.provenance import code_id
from sweep.spec.seeds import SeedRanges
from sweep.spec.shard import Shard
from sweep.store.schema import FileMetadata
from sweep.worker import checkpoint
from sweep.worker.checkpoint import Checkpoint
from sweep.worker.measure import Measured, epochs_table, labels_table, weights_table

NO_SEEDS = SeedRanges()
DEVICE_VARIABLES = ("JAX_PLATFORMS", "CUDA_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS", "TPU_CHIPS_PER_HOST_BOUNDS")


def run_shard(
    shard: Shard,
    dataset: Dataset,
    engine: str,
    resume_from: bytes | None = None,
    checkpoint_seconds: float = 30.0,
    keep_weights: SeedRanges = NO_SEEDS,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Started | Progress | Finished]:
    """Train a shard to its last epoch.

    Args:
      shard: variant and seeds.
      dataset: both splits.
      engine: a name in `model.engines.ENGINES`, or "auto".
      resume_from: a checkpoint of this shard; ignored if it cannot be read.
      checkpoint_seconds: minimum time between two checkpoints.
      keep_weights: seeds whose final weights are returned; seeds of other shards are ignored.
      stopping: whether the run is about to end; asked after each epoch, which then returns a checkpoint.

    Yields:
      One Started, one Progress per epoch, one Finished. The tables of a resumed shard equal those of an
      uninterrupted one bit for bit.

    Raises:
      ValueError: the engine does not support the variant on this machine.
    """
    start, started = time.monotonic(), datetime.now(UTC)
    variant = shard.cell.variant
    engine, remark = choose(engine, variant, jax.default_backend())
    runner = load_engine(engine)
    states = runner.init(variant, np.array(shard.seeds, np.uint32))
    loaded = checkpoint.load(resume_from, states, shard.name) if resume_from else None
    epoch, states, rows = loaded or Checkpoint(0, states, [])
    yield Started(epoch, engine, device_kind(), remark, environment())
    saved = time.monotonic()
    rates = [float(learning_rates(variant, e, len(dataset.train))[-1]) for e in range(1, variant.epochs + 1)]
    test = None
    while epoch < variant.epochs:
        epoch += 1
        epoch_start = time.monotonic()
        order = presentation_order(variant.order_seed, epoch, len(dataset.train))
        images, labels = dataset.train.images[order], dataset.train.labels[order]
        states = runner.train_epoch(variant, states, images, labels, epoch)
        measured, test = _measure(runner, shard, states, dataset, rows[-1] if rows else None)
        rows.append(measured)
        content = None
        due = time.monotonic() - saved >= checkpoint_seconds
        if epoch < variant.epochs and (due or stopping()):
            content, saved = checkpoint.dump(Checkpoint(epoch, states, rows), shard.name), time.monotonic()
        errors = measured.test_misses[measured.finite] / len(dataset.test)
        yield Progress(epoch, errors.tolist(), content, time.monotonic() - epoch_start)
    if test is None:  # resumed after the last epoch
        _, test = _measure(runner, shard, states, dataset, None)
    margins = runner.margins(variant, states.params, dataset.test.images)
    n_train, n_test = len(dataset.train), len(dataset.test)
    name, finite = shard.cell.dataset, rows[-1].finite
    yield Finished(
        epochs=epochs_table(variant, name, shard.seeds, rows, rates, n_train, n_test),
        labels=labels_table(variant, name, shard.seeds, np.asarray(test.predictions), finite, margins),
        metadata=_metadata(shard, dataset, engine, started, time.monotonic() - start),
        weights=weights_table(variant, name, shard.seeds, keep_weights, states.params, finite),
    )


def _measure(
    runner: Engine, shard: Shard, states: ReplicaState, dataset: Dataset, before: Measured | None
) -> tuple[Measured, Evaluation]:
    variant = shard.cell.variant
    train = runner.evaluate(variant, states.params, dataset.train.images, dataset.train.labels)
    test = runner.evaluate(variant, states.params, dataset.test.images, dataset.test.labels)
    finite = np.isfinite(train.loss) & np.isfinite(test.loss)
    for leaf in jax.tree.leaves(states.params):
        finite &= np.isfinite(np.asarray(leaf)).reshape(len(finite), -1).all(axis=1)
    if before is not None:
        finite &= before.finite
    scores = (np.asarray(s) for s in (train.loss, train.misses, test.loss, test.misses))
    return Measured._make([*scores, finite]), test


def _metadata(shard: Shard, dataset: Dataset, engine: str, started: datetime, seconds: float) -> FileMetadata:
    variant = shard.cell.variant
    return FileMetadata(
        variant=variant.to_stored(),
        variant_digest=variant.digest,
        dataset=dataset.description
        | {
            "name": shard.cell.dataset,
            "n_train": len(dataset.train),
            "n_test": len(dataset.test),
        },
        dataset_digest=shard.cell.dataset_digest,
        first_seed=shard.seeds.start,
        last_seed=shard.seeds[-1],
        epochs=variant.epochs,
        engine=engine,
        device=device_kind(),
        code=code_id(),
        versions={p: version(p) for p in ("jax", "jaxlib", "flax", "optax", "numpy")},
        started=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """Host of this process, and the variables that select its devices."""
    seen = {name: os.environ[name] for name in DEVICE_VARIABLES if name in os.environ}
    return {"host": platform.node(), **seen}


def device_kind() -> str:
    """Name of the device of this process: "NVIDIA H100", "TPU v5e", "cpu: …"."""
    device = jax.devices()[0]
    return device.device_kind if device.platform != "cpu" else f"cpu: {_processor()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
