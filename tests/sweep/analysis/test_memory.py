"""The memory of a report is bounded: labels and histories of many runs are reduced while they are read."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from sweep.analysis.predictions import SEEDS_KEPT, reduce_predictions
from sweep.analysis.runs import CellId
from tests.sweep.analysis.rows import cell
from tests.sweep.analysis.stored import stored

DIGITS = 1000
BATCH = 100


def batches(runs: int) -> Iterator[pd.DataFrame]:
    rng = np.random.default_rng(1)
    for start in range(0, runs, BATCH):
        labels = [rng.integers(0, 10, DIGITS, np.uint8).tobytes() for _ in range(BATCH)]
        yield pd.DataFrame({"seed": range(start, start + BATCH), "predictions": labels})


def peak_of_labels(of: CellId, runs: int) -> int:
    """Bytes in use at most while the labels of some runs are reduced."""
    truth = np.arange(DIGITS) % 10
    tracemalloc.start()
    try:
        found = reduce_predictions(of, truth, batches(runs))
        assert found is not None
        assert found.n == runs
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_further_run_needs_less_memory_than_its_labels():
    few, many = (peak_of_labels(cell(), SEEDS_KEPT + runs) for runs in (1000, 4000))
    assert (many - few) / 3000 < DIGITS / 2


def peak_of_report(folder, runs: int) -> float:
    """Maximum resident memory in MiB of a process that writes the report of four variants."""
    rng, root = np.random.default_rng(1), folder / str(runs)
    rates = {"base": 0.1, "softmax": 0.12, "adamw": 0.14, "dropout": 0.16}
    stored(root, {name: rng.random((runs // 4, 60)) < rate for name, rate in rates.items()}, epochs=23)
    command = [sys.executable, "-m", "sweep", "report", "--root", str(root), "--out", f"{root}.html"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@pytest.mark.slow
def test_the_report_of_40_000_runs_needs_little_more_memory_than_that_of_2_000(tmp_path):
    """Measured: 277 and 344 MiB."""
    few, many = (peak_of_report(tmp_path, runs) for runs in (2000, 40_000))
    print(f"peak memory: {few:.0f} MiB with 2,000 runs, {many:.0f} MiB with 40,000 runs")
    assert many - few < 150
