"""Updates of parameters in VMEM from their gradients: plain gradient steps, or optax.adamw."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from model.engines.pallas.tiles import Tensors, load


@dataclass(frozen=True)
class Sgd:
    """Plain gradient steps. `scale` multiplies the deltas of the outputs by the learning rate.

    The backward pass is linear in the deltas, so one product per output replaces one product per parameter.
    """

    params: Tensors
    rate: Array  # [] float32

    def scale(self, delta: Array) -> Array:
        return delta * self.rate

    def update(self, tensor: str, start: int | Array, gradients: Sequence[Array]) -> None:
        """Change neighbouring parameters. gradients: tiles."""
        ref = getattr(self.params, tensor)
        for i, (p, gradient) in enumerate(zip(load(ref, start, len(gradients)), gradients, strict=True)):
            ref[start + i] = p - gradient


@dataclass(frozen=True)
class AdamW:
    """optax.adamw with its default moments. The bias corrections are moved out of the square root.

    m/(1 - b₁ᵗ) / (√(v/(1 - b₂ᵗ)) + ε) = (√(1 - b₂ᵗ)/(1 - b₁ᵗ)) · m / (√v + ε·√(1 - b₂ᵗ))
    """

    params: Tensors
    means: Tensors  # first moments
    squares: Tensors  # second moments
    rate: Array  # [] float32: learning rate · √(1 - b₂ᵗ)/(1 - b₁ᵗ)
    decay: Array  # [] float32: learning rate · weight decay
    epsilon: Array  # [] float32: 1e-8·√(1 - b₂ᵗ)

    def scale(self, delta: Array) -> Array:
        return delta

    def update(self, tensor: str, start: int | Array, gradients: Sequence[Array]) -> None:
        """Change neighbouring parameters and their moments. gradients: tiles."""
        refs = [getattr(tensors, tensor) for tensors in (self.params, self.means, self.squares)]
        loaded = (load(ref, start, len(gradients)) for ref in refs)
        for i, (p, m, v, gradient) in enumerate(zip(*loaded, gradients, strict=True)):
            m = m * 0.9 + gradient * (1 - 0.9)
            v = v * 0.999 + (gradient * gradient) * (1 - 0.999)
            p = p - (self.rate * (m / (jnp.sqrt(v) + self.epsilon)) + self.decay * p)
            for ref, value in zip(refs, (p, m, v), strict=True):
                ref[start + i] = value


Optimizer = Sgd | AdamW
