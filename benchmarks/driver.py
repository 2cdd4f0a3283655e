"""Throughput of the driver: planning, writing, memory and streaming.

    python benchmarks/driver.py

Plans 5,000 shards with 100,000 seeds on an empty and on a full store, stores simulated shards that finish at
once, and streams messages from 64 Ray workers to one driver on this machine.
"""

import resource
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from sweep.driver.driver import missing, train
from sweep.messages import Finished, Message, Progress, Started
from sweep.spec.shard import Shard
from sweep.spec.spec import parse
from sweep.store.schema import FileMetadata
from sweep.store.store import Store
from sweep.worker.measure import Measured, epochs_table, labels_table

SHARDS, WIDTH, DIGITS = 5_000, 20, 2_007
WORKERS, ITEMS = 64, 500


def simulated(
    shards: list[Shard], resume_from: Callable[[Shard], bytes | None]
) -> Iterator[tuple[Shard, Message]]:
    """An executor whose shards finish immediately: 23 epochs of 20 seeds with 2,007 labels per seed.

    The tables of all shards differ only in their seeds, because building them is the work of a worker.
    """
    first = shards[0]
    variant, name = first.cell.variant, first.cell.dataset
    losses, misses = np.full(WIDTH, 0.1, np.float32), np.arange(WIDTH, dtype=np.int32)
    rows = [Measured(losses, misses, losses, misses, np.ones(WIDTH, bool))] * 23
    predictions = np.random.default_rng(0).integers(0, 10, (WIDTH, DIGITS), np.int8)
    epochs = epochs_table(variant, name, first.seeds, rows, [0.03] * 23, 7291, DIGITS)
    labels = labels_table(variant, name, first.seeds, predictions, rows[-1].finite)
    for shard in shards:
        metadata = FileMetadata(
            variant=variant.to_stored(),
            variant_digest=variant.digest,
            dataset={"name": name, "n_train": 7291, "n_test": DIGITS},
            dataset_digest=shard.cell.dataset_digest,
            first_seed=shard.seeds.start,
            last_seed=shard.seeds[-1],
            epochs=23,
            engine="simulated",
            device="none",
            code="benchmark",
            versions={},
            started="1989-12-01T00:00:00",
            seconds=0.0,
        )
        yield shard, Started(0, "simulated", "none", None)
        yield shard, Progress(23, [0.05] * WIDTH)
        yield shard, Finished(_with_seeds(epochs, shard, 23), _with_seeds(labels, shard, 1), metadata)


def _with_seeds(table: pa.Table, shard: Shard, rows: int) -> pa.Table:
    at = table.schema.get_field_index("seed")
    seeds = pa.array(np.repeat(np.array(shard.seeds, np.int64), rows))
    return table.set_column(at, table.schema.field(at), seeds)


def streaming() -> tuple[int, float]:
    """Stream items in order from 64 concurrent tasks. Returns the number of items and the seconds."""
    import ray

    from sweep.executors.connection import connect
    from sweep.executors.environment import set_ray_environment

    set_ray_environment(None)
    with connect(None, WORKERS):

        def count(worker: int) -> Iterator[tuple[int, int]]:
            for item in range(ITEMS):
                yield worker, item

        task = ray.remote(num_returns="streaming", max_retries=0, num_cpus=1)(count)
        streams = {task.remote(worker): worker for worker in range(WORKERS)}
        expected, received, began = [0] * WORKERS, 0, 0.0
        while streams:
            ray.wait(list(streams), num_returns=1, fetch_local=False)
            for stream in ray.wait(list(streams), num_returns=len(streams), timeout=0, fetch_local=False)[0]:
                try:
                    worker, item = ray.get(next(stream))
                except StopIteration:
                    del streams[stream]
                    continue
                if item != expected[worker]:
                    raise AssertionError(f"worker {worker}: item {item} instead of {expected[worker]}")
                began = began or time.monotonic()
                expected[worker] += 1
                received += 1
        return received, time.monotonic() - began


def main() -> None:
    """Run and print all measurements."""
    from model.numerics import configure

    configure(platform="cpu", threads=1)
    spec = parse(
        {"variants": "base", "seeds": f"0:{SHARDS * WIDTH}", "set": {"epochs": 23}, "shard_width": WIDTH}
    )
    datasets = {options.key: {"digest": "d" * 64, "name": "mnist5k"} for _, options in spec.cells()}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/results")
        began = time.monotonic()
        planned = missing(spec, store, datasets)
        _print(
            f"plan of {len(planned):,} shards, {SHARDS * WIDTH:,} seeds", f"{time.monotonic() - began:.2f} s"
        )
        store.open_for_writing()
        began = time.monotonic()
        done = train(spec, store, datasets, simulated)
        _print("stored", f"{len(done.finished) / (time.monotonic() - began):,.0f} shards per second")
        began = time.monotonic()
        left = missing(spec, Store(f"{folder}/results"), datasets)
        _print("plan from the full store", f"{time.monotonic() - began:.2f} s, {len(left)} left")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print("peak memory of the driver", f"{peak:.0f} MiB")
    received, seconds = streaming()
    _print(
        f"{WORKERS} workers streamed",
        f"{received:,} of {WORKERS * ITEMS:,} items, {received / seconds:,.0f} per second",
    )


def _print(name: str, value: str) -> None:
    print(f"{name:40s}{value}", flush=True)


if __name__ == "__main__":
    main()
