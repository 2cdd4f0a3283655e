"""Speed of the engines on this machine's CPU, measured on whole epochs of real digits.

    python benchmarks/engines.py [--updates 500] [--replicas 16] [--variants base,adamw]

Prints in Markdown:

- the measured peak of one core in fused multiply-adds, and its memory rate for the state of AdamW;
- for each variant, the time of an update and of the evaluation of a digit, per replica, with `vmap` and with `lanes`
  on one core;
- the notebook's loop, one jitted step per Python iteration;
- `lanes` with 16 to 512 replicas;
- the throughput of two concurrent processes relative to one;
- the first table again for one process with all cores. `LECUN1989_THREADS=2` prints only this table, for two cores.

`--updates` shortens the epochs of `vmap` and of the notebook's loop, whose time per update does not depend on the
number of updates. Times on one core are CPU time, times on several cores are wall time. Each time is the minimum of
several repetitions in which the engines alternate, because other load on the machine can only increase it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from model.numerics import configure

ENVIRONMENT = dict(os.environ)  # before `configure` changes it
CORES = int(os.environ.get("LECUN1989_THREADS", "1"))
configure(platform="cpu", threads=CORES)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from data import DatasetOptions, DataUnavailable, load  # noqa: E402
from data.dataset import Dataset, Examples  # noqa: E402
from model import training  # noqa: E402
from model.engines import lanes, vmap  # noqa: E402
from model.engines.lanes import build, library  # noqa: E402
from model.variants import VARIANTS, Variant, variant  # noqa: E402

TRAIN_FLOP = 343_560  # of an update of one replica: two per multiply-add of the layers and their derivatives
EVALUATE_FLOP = 127_320  # of a digit's forward pass
WIDTHS = (16, 32, 64, 128, 512)


def seconds(work: Callable[[], Any], repetitions: int = 1) -> float:
    """Minimum time of several repetitions: CPU time on one core, wall time on several."""
    clock = time.process_time if CORES == 1 else time.perf_counter
    times = []
    for _ in range(repetitions):
        began = clock()
        jax.block_until_ready(work())
        times.append(clock() - began)
    return min(times)


def limits() -> tuple[float, float]:
    """GFLOP/s of fused multiply-adds, and GB/s of the state of a block: of one core, with the chosen kernel."""
    name = library.kernels()[library.chosen_kernel()]
    level = next(level for level in build.X86_LEVELS + build.OTHER_LEVELS if level[0] == name)
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/peak"
        options = [*level[1], f"-DLANES={level[2]}", f"-DREGISTERS={level[3]}", f"-I{build.HERE}"]
        source = str(Path(__file__).with_name("peak.cc"))
        subprocess.run(
            [*build.compiler(), *build.common_flags(), *options, source, "-o", program], check=True
        )
        printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        gflops, gbytes = map(float, printed.split())
        return gflops, gbytes


def digits() -> Dataset:
    """MNIST if it is available, else mnist5k."""
    try:
        return load(DatasetOptions("mnist"))
    except DataUnavailable:
        return load(DatasetOptions("mnist5k"))


def replicas(v: Variant, count: int) -> training.ReplicaState:
    """Untrained replicas as NumPy arrays."""
    return jax.tree.map(np.asarray, vmap.init(v, np.arange(count, dtype=np.uint32)))


def compare(name: str, count: int, images: np.ndarray, labels: np.ndarray, updates: int, best: float) -> str:
    """A row of the table of engines: times per replica in microseconds."""
    v = variant(*name.split("@"))
    states = replicas(v, count)
    few = slice(0, updates)
    times = {"vmap": [np.inf, np.inf], "lanes": [np.inf, np.inf]}
    for repetition in range(3):  # the first repetition compiles
        for engine, module, part in (("vmap", vmap, few), ("lanes", lanes, slice(None))):
            n = len(images[part])
            train = seconds(lambda m=module, p=part: m.train_epoch(v, states, images[p], labels[p], 1))
            score = seconds(lambda m=module, p=part: m.evaluate(v, states.params, images[p], labels[p]))
            if repetition:
                new = [t / n / count * 1e6 for t in (train, score)]
                times[engine] = [min(pair) for pair in zip(times[engine], new, strict=True)]
    slow, fast = times["vmap"], times["lanes"]
    shares = [
        flop / (t * 1e3) / (CORES * best) for flop, t in zip((TRAIN_FLOP, EVALUATE_FLOP), fast, strict=True)
    ]
    cells = [f"{slow[i]:.1f} | {fast[i]:.2f} | {slow[i] / fast[i]:.1f} | {shares[i]:.0%}" for i in (0, 1)]
    return f"| `{name}` | {cells[0]} | {cells[1]} |"


def epoch_of_lanes(count: int, repetitions: int = 1) -> float:
    """Seconds of an epoch of `base`. A module-level function, so that another process can run it."""
    split = digits().train
    states = replicas(variant("base"), count)
    return seconds(
        lambda: lanes.train_epoch(variant("base"), states, split.images, split.labels, 1), repetitions
    )


def two_processes(count: int) -> float:
    """Throughput of two concurrent processes, each with separate replicas, relative to one process."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(epoch_of_lanes, [count] * 2))  # starts both processes and loads the digits
        one = pool.submit(epoch_of_lanes, count, 3).result()
        return 2 * one / max(pool.map(partial(epoch_of_lanes, repetitions=3), [count] * 2))


def notebook(images: np.ndarray, labels: np.ndarray) -> float:
    """Microseconds of an update in the notebook's loop: one replica, one jitted step per Python iteration."""
    v = variant("base")
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), replicas(v, 1))
    rate = jnp.float32(v.learning_rate)
    step = jax.jit(lambda state, image, label: training.update(v, state, image, label, rate, None, None))
    step(state, images[0], labels[0])

    def loop() -> training.ReplicaState:
        after = state
        for image, label in zip(images, labels, strict=True):
            after = step(after, image, label)
        return after

    return seconds(loop) / len(images) * 1e6


def table_of_engines(given: argparse.Namespace, split: Examples, updates: int) -> None:
    """Print a row for each variant with the times of both engines."""
    best, stream = limits()
    cores = "one core" if CORES == 1 else f"one process with {CORES} cores"
    count = given.replicas * CORES
    measured = (
        "whole epochs" if updates == len(split) else f"whole epochs of `lanes`, {updates} updates of `vmap`"
    )
    print(f"One core: {best:.0f} GFLOP/s with the vectors of `{library.kernels()[library.chosen_kernel()]}`.")
    print(
        f"It reads and writes the weights and moments of a block with {stream:.0f} GB/s, both directions together."
    )
    print(f"{len(split):,} digits, {count} replicas, {measured}; microseconds per replica, {cores}.\n")
    print("| variant | update: `vmap` | `lanes` | ratio | of peak ", end="")
    print("| evaluation: `vmap` | `lanes` | ratio | of peak |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.variants.split(","):
        print(compare(name, count, split.images, split.labels, updates, best), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--replicas", type=int, default=16, help="per core")
    parser.add_argument(
        "--updates", type=int, help="updates of vmap and of the notebook's loop; default: one epoch"
    )
    given = parser.parse_args()
    split = digits().train
    n = len(split)
    updates = min(given.updates or n, n)
    table_of_engines(given, split, updates)
    if CORES > 1:
        return

    loop = notebook(split.images[:updates], split.labels[:updates])
    print(f"\nThe notebook's loop, `base`, one replica: {loop:.0f} µs per update.\n")
    print("| replicas in a call (`base`) | µs per replica-update |\n|---|---|")
    for count in WIDTHS:
        each = epoch_of_lanes(count, 1 if count > 64 else 3) / n / count * 1e6
        print(f"| {count} | {each:.2f} |", flush=True)
    print(
        f"\nThroughput of two processes of 32 replicas each, relative to one: {two_processes(32):.2f}×.\n",
        flush=True,
    )
    if (cores := os.cpu_count() or 1) > 1:
        subprocess.run(
            [sys.executable, *sys.argv], env=ENVIRONMENT | {"LECUN1989_THREADS": str(cores)}, check=True
        )


if __name__ == "__main__":
    main()
