"""`jax.vmap` of `model.training` over replicas: the definition of correct.

XLA gives no guarantee that a batched program computes equal bits at different batch widths
(github.com/jax-ml/jax/issues/26308), so every call runs blocks of one fixed width and drops the padding.
One compilation serves each variant, whatever the shard.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model import training
from model.engines import block_width
from model.training import Evaluation, Params, ReplicaState
from model.variants import Variant


@cache
def block() -> int:
    """Replicas in a block: few on a CPU, on an accelerator what its memory holds."""
    device = jax.devices()[0]
    memory = (device.memory_stats() or {}).get("bytes_limit", 0) if device.platform != "cpu" else 0
    return block_width(memory)


def unsupported(variant: Variant | None = None) -> None:
    """This engine serves every variant, everywhere."""


def init(variant: Variant, seeds: np.ndarray) -> ReplicaState:
    """Fresh replicas, for any engine. seeds: [R] uint32; leaves [R, …]."""
    return _in_blocks(_init_program(variant), jnp.asarray(seeds, jnp.uint32))


def train_epoch(
    variant: Variant, states: ReplicaState, images: np.ndarray, labels: np.ndarray, epoch: int
) -> ReplicaState:
    """See `model.engines.Engine`."""
    rates = jnp.asarray(training.learning_rates(variant, epoch, len(images)))
    digits = (jnp.asarray(images), jnp.asarray(labels), jnp.int32(epoch), rates)
    return _in_blocks(lambda block: _train_epoch(variant, block, *digits), states)


def evaluate(variant: Variant, params: Params, images: np.ndarray, labels: np.ndarray) -> Evaluation:
    """See `model.engines.Engine`."""
    digits = (jnp.asarray(images), jnp.asarray(labels))
    return jax.tree.map(np.asarray, _in_blocks(lambda block: _evaluate(variant, block, *digits), params))


@cache
def _init_program(variant: Variant) -> Callable[[jax.Array], ReplicaState]:
    # Optimising the draws takes XLA's CPU back end four seconds, making them a millisecond.
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(jax.vmap(partial(training.init, variant)), compiler_options=options)


@partial(jax.jit, static_argnums=0)
def _train_epoch(variant: Variant, states: ReplicaState, *digits: jax.Array) -> ReplicaState:
    return jax.vmap(lambda state: training.train_epoch(variant, state, *digits))(states)


@partial(jax.jit, static_argnums=0)
def _evaluate(variant: Variant, params: Params, *digits: jax.Array) -> Evaluation:
    return jax.vmap(lambda replica: training.evaluate(variant, replica, *digits))(params)


def _in_blocks(program: Callable[[Any], Any], replicas: Any) -> Any:
    """`program` over a tree with leading axis [R], a block at a time; the last block is padded."""
    count = jax.tree.leaves(replicas)[0].shape[0]
    # Padding repeats the last replica: it costs nothing more and cannot diverge by itself.
    width = block()
    rows = np.minimum(np.arange(-(-count // width) * width), count - 1).reshape(-1, width)
    blocks = [program(jax.tree.map(lambda leaf, row=row: leaf[row], replicas)) for row in rows]
    return jax.tree.map(lambda *parts: jnp.concatenate(parts)[:count], *blocks)
