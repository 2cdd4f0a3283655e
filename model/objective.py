"""Targets, the two losses and predictions."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

from model.names import Objective


def loss(objective: Objective, outputs: Array, labels: Array) -> Array:
    """Loss of each example.

    Args:
      objective: "squared": mean over the ten outputs of (output - target)², target +1 for the output of the
        true digit and -1 for the others, as in 1989; "cross_entropy": softmax cross-entropy, nats.
      outputs: [..., 10] float32.
      labels: [...] int32 in 0..9.

    Returns:
      [...] float32.
    """
    if objective == "squared":
        targets = 2.0 * jax.nn.one_hot(labels, 10) - 1.0
        return jnp.mean((outputs - targets) ** 2, axis=-1)
    loss: Array = optax.softmax_cross_entropy(outputs, jax.nn.one_hot(labels, 10))
    return loss


def output_curvature(objective: Objective, outputs: Array) -> Array:
    """Second derivative of an example's loss by each output: [..., 10] float32. It does not depend on the label."""
    if objective == "squared":
        return jnp.full_like(outputs, 2 / 10)
    probabilities = jax.nn.softmax(outputs)
    return probabilities * (1 - probabilities)


def predictions(outputs: Array) -> Array:
    """Index of the largest output, the lowest index if several are equal: [..., 10] to [...] int32."""
    return jnp.argmax(outputs, axis=-1).astype(jnp.int32)
