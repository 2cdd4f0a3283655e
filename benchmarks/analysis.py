"""Time and memory of `sweep table` on stores of 100,000 runs × 80 epochs and more.

    python benchmarks/analysis.py --runs 100000 1000000 --format text csv

Each store is written by the store's code from synthetic results (no network is trained). Each table is then computed
in a new process, so the times include start-up and reading. Prints one line per table: wall time, CPU time (more
reliable on a busy machine) and peak memory of the process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from model.variants import variant
from sweep.spec.shard import Cell, Shard
from sweep.store.schema import FileMetadata
from sweep.store.store import Store
from sweep.worker.measure import Measured, epochs_table, labels_table

EPOCHS = 80
N_TRAIN, N_TEST = 7291, 2007


def write_store(root: Path, runs: int, width: int) -> None:
    """Write a store of `runs` runs of `dropout` with about 35 final misses of 2,007; one run in 1,000 diverges."""
    store = Store(str(root))
    store.open_for_writing()
    cell = Cell(variant("dropout"), "mnist", "5" * 64, N_TRAIN)
    rng = np.random.default_rng(1989)
    level = 35 + 300 / np.arange(1, EPOCHS + 1)
    for start in range(0, runs, width):
        shard = Shard(cell, range(start, min(start + width, runs)))
        n = len(shard.seeds)
        diverges_at = np.where(rng.random(n) < 0.001, rng.integers(1, EPOCHS, n), EPOCHS)
        rows = []
        for epoch in range(EPOCHS):
            test = rng.normal(level[epoch], 5, n).clip(0).astype(np.int32)
            train = rng.normal(2 * level[epoch], 9, n).clip(0).astype(np.int32)
            losses = (test / N_TEST).astype(np.float32), (train / N_TRAIN).astype(np.float32)
            rows.append(Measured(losses[1], train, losses[0], test, epoch < diverges_at))
        rates = [3e-4] * EPOCHS
        metadata = FileMetadata(
            variant=cell.variant.to_stored(),
            variant_digest=cell.variant.digest,
            dataset={"name": "mnist", "n_train": N_TRAIN, "n_test": N_TEST},
            dataset_digest=cell.dataset_digest,
            first_seed=shard.seeds.start,
            last_seed=shard.seeds[-1],
            epochs=EPOCHS,
            engine="synthetic",
            device="none",
            code="benchmark",
            versions={},
            started="1989-12-01T00:00:00+00:00",
            seconds=0.0,
        )
        store.append(
            shard,
            epochs_table(cell.variant, "mnist", shard.seeds, rows, rates, N_TRAIN, N_TEST),
            labels_table(cell.variant, "mnist", shard.seeds, np.zeros((n, 1), np.int8), rows[-1].finite),
            metadata,
        )


def measure(root: Path, table: str, format: str) -> dict[str, float]:
    """Wall time and CPU time in seconds, and peak memory in GB, of `sweep table` in a new process."""
    command = [
        sys.executable,
        "-m",
        "sweep.cli.main",
        "table",
        table,
        "--root",
        str(root),
        "--format",
        format,
    ]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB on Linux
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "GB": round(usage.ru_maxrss * unit / 1e9, 2),
    }


def main() -> None:
    """Write, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[100_000])
    parser.add_argument("--width", type=int, default=256, help="seeds in a file")
    parser.add_argument("--tables", nargs="+", default=["summary", "published"])
    parser.add_argument("--format", nargs="+", default=["text", "csv"])
    parser.add_argument("--keep", type=Path, help="folder for the stores; existing ones are reused")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for runs in arguments.runs:
            root = (arguments.keep or Path(scratch)) / f"{runs}x{EPOCHS}-{arguments.width}"
            if not root.exists():
                began = time.perf_counter()
                write_store(root, runs, arguments.width)
                print(f"wrote {runs:,} runs, {runs * EPOCHS:,} rows in {time.perf_counter() - began:.0f} s")
            for table in arguments.tables:
                for format in arguments.format:
                    result = {"runs": runs, "table": table, "format": format}
                    print(json.dumps(result | measure(root, table, format)), flush=True)


if __name__ == "__main__":
    main()
