"""Measures the engines on the TPU of this machine: an epoch of training and both evaluations, in seconds."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from model.variants import VARIANTS


def measure(engines: Sequence[str], variants: Sequence[str], replicas: int) -> None:
    """Print a table in Markdown. Raises SystemExit where there is no TPU."""
    from model.numerics import configure

    configure()
    import jax
    import numpy as np

    from data import DatasetOptions, DataUnavailable, load
    from model.engines import load_engine

    if jax.default_backend() != "tpu":
        raise SystemExit(f"this machine has no TPU that JAX can use: its device is {jax.devices()[0]}")
    try:
        dataset = load(DatasetOptions("mnist"))
    except DataUnavailable:
        dataset = load(DatasetOptions("mnist5k"))
    train, test = dataset.train, dataset.test
    print(
        f"Measured on {jax.devices()[0].device_kind}, {replicas:,} replicas on one chip, the best of two runs;"
    )
    print(f"{len(train):,} training and {len(test):,} test digits; ns per replica and update or example.\n")
    print("| engine | variant | training: seconds of an epoch | ns | evaluation: seconds | ns | compile |")
    print("|---|---|---|---|---|---|---|")
    for engine in engines:
        for name in variants:
            module, variant = load_engine(engine), VARIANTS[name]
            states = module.init(variant, np.arange(replicas, dtype=np.uint32))

            def epoch(module: Any = module, variant: Any = variant, states: Any = states) -> Any:
                return module.train_epoch(variant, states, train.images, train.labels, 1)

            def scores(module: Any = module, variant: Any = variant, states: Any = states) -> Any:
                splits = (train, test)
                return [module.evaluate(variant, states.params, s.images, s.labels) for s in splits]

            compiling, trained, evaluated = (_seconds(epoch) + _seconds(scores), _best(epoch), _best(scores))
            per_update = trained / len(train) / replicas * 1e9
            per_example = evaluated / (len(train) + len(test)) / replicas * 1e9
            print(
                f"| {engine} | {name} | {trained:.3f} | {per_update:.1f} | {evaluated:.3f} | {per_example:.1f} | "
                f"{compiling - trained - evaluated:.1f} s |",
                flush=True,
            )


def _best(work: Callable[[], Any]) -> float:
    return min(_seconds(work) for _ in range(2))


def _seconds(work: Callable[[], Any]) -> float:
    import jax

    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began
