"""Measures engines on the accelerator of this machine: an epoch of training and the evaluation of both splits."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from model.engines import Platform
from model.variants import VARIANTS

REPETITIONS = 2  # after one that compiles


def measure(platform: Platform, engines: Sequence[str], variants: Sequence[str], replicas: int) -> None:
    """Print a table in Markdown.

    Raises:
      SystemExit: JAX cannot use a device of the platform here.
    """
    from model.numerics import configure

    configure()
    import jax

    from data import DatasetOptions, DataUnavailable, load

    if jax.default_backend() != platform:
        name = platform.upper()
        raise SystemExit(f"this machine has no {name} that JAX can use: its device is {jax.devices()[0]}")
    try:
        dataset = load(DatasetOptions("mnist"))
    except DataUnavailable:
        dataset = load(DatasetOptions("mnist5k"))
    for line in table(dataset, engines, variants, replicas):
        print(line, flush=True)


def table(dataset: Any, engines: Sequence[str], variants: Sequence[str], replicas: int) -> Iterator[str]:
    """The lines of the table. dataset: `data.dataset.Dataset`."""
    import jax
    import numpy as np

    from model.engines import load_engine

    train, test = dataset.train, dataset.test
    yield (
        f"Measured on one {jax.devices()[0].device_kind}: {replicas:,} replicas, {len(train):,} training and "
        f"{len(test):,} test digits, the best of {REPETITIONS} runs. ns are per replica and update or example.\n"
    )
    yield "| engine | variant | training: seconds of an epoch | ns | evaluation: seconds | ns | compile |"
    yield "|---|---|---|---|---|---|---|"
    for engine in engines:
        for name in variants:
            module, variant = load_engine(engine), VARIANTS[name]
            states = module.init(variant, np.arange(replicas, dtype=np.uint32))
            epoch = partial(module.train_epoch, variant, states, train.images, train.labels, 1)
            scores = partial(_evaluate, module, variant, states.params, (train, test))
            first = _seconds(epoch) + _seconds(scores)
            trained, evaluated = _best(epoch), _best(scores)
            per_update = trained / len(train) / replicas * 1e9
            per_example = evaluated / (len(train) + len(test)) / replicas * 1e9
            yield (
                f"| `{engine}` | `{name}` | {trained:.3f} | {per_update:.1f} | {evaluated:.3f} | {per_example:.1f} | "
                f"{first - trained - evaluated:.1f} s |"
            )


def _evaluate(module: Any, variant: Any, params: Any, splits: Sequence[Any]) -> list[Any]:
    return [module.evaluate(variant, params, split.images, split.labels) for split in splits]


def _best(work: Callable[[], Any]) -> float:
    return min(_seconds(work) for _ in range(REPETITIONS))


def _seconds(work: Callable[[], Any]) -> float:
    import jax

    began = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - began
