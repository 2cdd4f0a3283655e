"""What is minimised and what is counted: target coding, the two losses, misses."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

from model.names import Objective


def loss(objective: Objective, outputs: Array, labels: Array) -> Array:
    """Loss of each example.

    Args:
      objective: "squared": mean over the ten outputs of (output - target)², target +1 for the digit's own
        output and -1 for the others, as in 1989; "cross_entropy": softmax cross-entropy, nats.
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


def predictions(outputs: Array) -> Array:
    """The digit of the largest output, the lowest one of equals: [..., 10] to [...] int32."""
    return jnp.argmax(outputs, axis=-1).astype(jnp.int32)
