"""The two losses of `model.objective`: derivative, value and predicted digit, on tiles."""

import jax.numpy as jnp
from jax import Array

from model.engines.pallas.tiles import OUTPUTS, pair, share, total
from model.names import Objective, Output


def outputs(output: Output, sums: list[Array]) -> list[Array]:
    """The ten outputs, shared tiles, from the sums that enter them, paired tiles."""
    return [o for s in sums for o in share(jnp.tanh(s) if output == "tanh" else s)]


def deltas(objective: Objective, output: Output, outs: list[Array], label: Array) -> list[Array]:
    """Derivative of the loss with respect to the ten sums, as paired tiles. label: [] int32."""
    if objective == "squared":
        result = [(o - _target(label, n)) * (2.0 / OUTPUTS) for n, o in enumerate(outs)]
    else:
        exponentials = [jnp.exp(s) for s in _shifted(outs)]
        inverse = 1.0 / total(exponentials)
        result = [e * inverse - _hot(label, n) for n, e in enumerate(exponentials)]
    if output == "tanh":
        result = [d * (1.0 - o * o) for d, o in zip(result, outs, strict=True)]
    return [pair(result[n], result[n + 1]) for n in range(0, OUTPUTS, 2)]


def loss(objective: Objective, outs: list[Array], label: Array) -> Array:
    """Loss of the example in each replica. label: [] int32."""
    if objective == "squared":
        errors = [o - _target(label, n) for n, o in enumerate(outs)]
        return total([e * e for e in errors]) * (1.0 / OUTPUTS)
    shifted = _shifted(outs)
    log_sum = jnp.log(total([jnp.exp(s) for s in shifted]))
    # As in Optax, terms with factor 0 are included: an infinite output makes the loss NaN.
    return total([(log_sum - s) * _hot(label, n) for n, s in enumerate(shifted)])


def predicted_digit(outs: list[Array]) -> Array:
    """As jnp.argmax: the first of the largest outputs, and the first NaN before any number. int32."""
    best, digit = outs[0], jnp.zeros(outs[0].shape, jnp.int32)
    for n, out in enumerate(outs[1:], 1):
        better = (best == best) & ((out > best) | (out != out))
        best, digit = jnp.where(better, out, best), jnp.where(better, n, digit)
    return digit


def _target(label: Array, n: int) -> Array:
    return jnp.where(label == n, 1.0, -1.0)


def _hot(label: Array, n: int) -> Array:
    return jnp.where(label == n, 1.0, 0.0)


def _shifted(outs: list[Array]) -> list[Array]:
    """Outputs minus the largest."""
    largest = outs[0]
    for out in outs[1:]:
        largest = jnp.maximum(largest, out)
    return [out - largest for out in outs]
