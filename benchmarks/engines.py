"""How fast the engines are on this machine's CPU, in one sitting, on whole epochs of real digits.

    python benchmarks/engines.py [--updates 500] [--replicas 16] [--variants base,adamw]

Prints, in Markdown: the measured peak of one core in fused multiply-adds; for each variant the time of an update and
of a digit's evaluation, per replica, by `vmap` and by `lanes` on one core; `lanes` from 16 to 512 replicas; two
processes at once against one; the notebook's own loop, one jitted step per Python iteration; and the two engines
once more where one process has all cores of the machine (`LECUN1989_THREADS=2` in front prints that table alone,
for two). `--updates` shortens the epochs of the slow engines, whose time per update does not depend on their number.

Times on one core are a process's on the processor, the same as by the clock when it has a core to itself; on several
they are the clock's. All are the best of a few turns in which the engines alternate: neighbours on a shared machine
only add.
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

ASKED = dict(os.environ)  # before this process's own settings
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

TRAIN_FLOP = 343_560  # of an update of one replica: two a multiply-add, in layers and their derivatives alone
EVALUATE_FLOP = 127_320  # of a digit's forward pass
WIDTHS = (16, 32, 64, 128, 512)


def seconds(work: Callable[[], Any], turns: int = 1) -> float:
    """Time of the fastest turn: on one core a process's on the processor, on several the clock's."""
    clock = time.process_time if CORES == 1 else time.perf_counter
    times = []
    for _ in range(turns):
        began = clock()
        jax.block_until_ready(work())
        times.append(clock() - began)
    return min(times)


def peak() -> float:
    """GFLOP/s of one core, by a loop of nothing but fused multiply-adds in the chosen kernel's vectors."""
    name = library.kernels()[library.chosen_kernel()]
    level = next(level for level in build.X86_LEVELS + build.OTHER_LEVELS if level[0] == name)
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/peak"
        options = [*level[1], f"-DLANES={level[2]}", f"-DREGISTERS={level[3]}", f"-I{build.HERE}"]
        source = str(Path(__file__).with_name("peak.cc"))
        subprocess.run(
            [*build.compiler(), *build.common_flags(), *options, source, "-o", program], check=True
        )
        return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


def digits() -> Dataset:
    """MNIST's where they are at hand, else the embedded ones."""
    try:
        return load(DatasetOptions("mnist"))
    except DataUnavailable:
        return load(DatasetOptions("mnist5k"))


def replicas(v: Variant, count: int) -> training.ReplicaState:
    """Fresh ones, as NumPy arrays."""
    return jax.tree.map(np.asarray, vmap.init(v, np.arange(count, dtype=np.uint32)))


def compare(name: str, count: int, images: np.ndarray, labels: np.ndarray, updates: int, best: float) -> str:
    """A row of the table of engines: times per replica in microseconds."""
    v = variant(name)
    states = replicas(v, count)
    few = slice(0, updates)
    times = {"vmap": [np.inf, np.inf], "lanes": [np.inf, np.inf]}
    for turn in range(3):  # the first compiles
        for engine, module, part in (("vmap", vmap, few), ("lanes", lanes, slice(None))):
            n = len(images[part])
            train = seconds(lambda m=module, p=part: m.train_epoch(v, states, images[p], labels[p], 1))
            score = seconds(lambda m=module, p=part: m.evaluate(v, states.params, images[p], labels[p]))
            if turn:
                new = [t / n / count * 1e6 for t in (train, score)]
                times[engine] = [min(pair) for pair in zip(times[engine], new, strict=True)]
    slow, fast = times["vmap"], times["lanes"]
    shares = [
        flop / (t * 1e3) / (CORES * best) for flop, t in zip((TRAIN_FLOP, EVALUATE_FLOP), fast, strict=True)
    ]
    cells = [f"{slow[i]:.1f} | {fast[i]:.2f} | {slow[i] / fast[i]:.1f} | {shares[i]:.0%}" for i in (0, 1)]
    return f"| `{name}` | {cells[0]} | {cells[1]} |"


def epoch_of_lanes(count: int, turns: int = 1) -> float:
    """Seconds of an epoch of `base`; at the top of the file so that another process can run it."""
    split = digits().train
    states = replicas(variant("base"), count)
    return seconds(lambda: lanes.train_epoch(variant("base"), states, split.images, split.labels, 1), turns)


def two_processes(count: int) -> float:
    """How many times the work of one process two do at once, each with replicas of its own."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(epoch_of_lanes, [count] * 2))  # both start, and meet the digits
        alone = pool.submit(epoch_of_lanes, count, 3).result()
        return 2 * alone / max(pool.map(partial(epoch_of_lanes, turns=3), [count] * 2))


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
    """Both engines, variant by variant."""
    best = peak()
    cores = "one core" if CORES == 1 else f"{CORES} cores to one process"
    count = given.replicas * CORES
    told = (
        "whole epochs" if updates == len(split) else f"whole epochs of `lanes`, {updates} updates of `vmap`"
    )
    print(f"One core: {best:.0f} GFLOP/s in `{library.kernels()[library.chosen_kernel()]}`'s vectors.")
    print(f"{len(split):,} digits, {count} replicas, {told}; microseconds per replica, {cores}.\n")
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
    parser.add_argument("--updates", type=int, help="of vmap and of the notebook's loop; default: an epoch")
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
    print(f"\nTwo processes of 32 replicas each against one: {two_processes(32):.2f}×.\n", flush=True)
    if (cores := os.cpu_count() or 1) > 1:
        subprocess.run([sys.executable, *sys.argv], env=ASKED | {"LECUN1989_THREADS": str(cores)}, check=True)


if __name__ == "__main__":
    main()
