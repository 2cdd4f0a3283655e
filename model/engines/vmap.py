"""`jax.vmap` of `model.training` over replicas: the reference implementation, on any device."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from model import network, training
from model.engines.blocks import in_blocks
from model.engines.initial import init
from model.network import Params
from model.training import Evaluation, ReplicaState
from model.variants import Variant

IMAGES_PER_STEP = 256  # of all replicas together in evaluation: bounds its memory

__all__ = ["evaluate", "init", "margins", "outputs", "train_epoch", "unsupported"]


def unsupported(variant: Variant | None = None) -> None:
    """See `model.engines.Engine`. This engine supports every variant on every device."""


def train_epoch(
    variant: Variant, states: ReplicaState, images: np.ndarray, labels: np.ndarray, epoch: int
) -> ReplicaState:
    """See `model.engines.Engine`."""
    rates = jnp.asarray(training.learning_rates(variant, epoch, len(images)))
    digits = (jnp.asarray(images), jnp.asarray(labels), jnp.int32(epoch), rates)
    trained: ReplicaState = in_blocks(lambda block: _train_epoch(variant, block, *digits), states)
    return trained


def evaluate(variant: Variant, params: Params, images: np.ndarray, labels: np.ndarray) -> Evaluation:
    """See `model.engines.Engine`."""
    digits = (jnp.asarray(images), jnp.asarray(labels))
    scores = in_blocks(lambda block: _evaluate(variant, block, *digits), params)
    evaluation: Evaluation = jax.tree.map(np.asarray, scores)
    return evaluation


def margins(variant: Variant, params: Params, images: np.ndarray) -> np.ndarray:
    """See `model.engines.Engine`. The replicas may be those of any engine."""
    return np.asarray(in_blocks(lambda block: _margins(variant, block, jnp.asarray(images)), params))


def outputs(variant: Variant, params: Params, images: np.ndarray) -> np.ndarray:
    """The ten outputs of each image, for replicas of any engine: [R, N, 10] float32. Arguments as for `margins`."""
    return np.asarray(in_blocks(lambda block: _outputs(variant, block, jnp.asarray(images)), params))


@partial(jax.jit, static_argnums=0)
def _train_epoch(variant: Variant, states: ReplicaState, *digits: jax.Array) -> ReplicaState:
    program: Any = jax.vmap(
        lambda state: training.train_epoch(variant, state, *digits), in_axes=-1, out_axes=-1
    )
    trained: ReplicaState = _replicas_first(program(_replicas_last(states)))
    return trained


@partial(jax.jit, static_argnums=0)
def _evaluate(variant: Variant, params: Params, images: jax.Array, labels: jax.Array) -> Evaluation:
    batch = _images_per_step(params)
    program: Any = jax.vmap(lambda p: training.evaluate(variant, p, images, labels, batch), -1, -1)
    evaluation: Evaluation = _replicas_first(program(_replicas_last(params)))
    return evaluation


@partial(jax.jit, static_argnums=0)
def _margins(variant: Variant, params: Params, images: jax.Array) -> jax.Array:
    program: Any = jax.vmap(lambda p: training.margins(variant, p, images, _images_per_step(params)), -1, -1)
    result: jax.Array = _replicas_first(program(_replicas_last(params)))
    return result


@partial(jax.jit, static_argnums=0)
def _outputs(variant: Variant, params: Params, images: jax.Array) -> jax.Array:
    program: Any = jax.vmap(lambda p: network.outputs(variant, p, images), -1, -1)
    result: jax.Array = _replicas_first(program(_replicas_last(params)))
    return result


def _images_per_step(params: Params) -> int:
    return max(1, IMAGES_PER_STEP // len(params["bias4"]))


def _replicas_last(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, -1), tree)


def _replicas_first(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, -1, 0), tree)
