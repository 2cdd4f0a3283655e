"""Diagonal second derivatives of the loss, the positive approximation of Becker and LeCun.

Let a = Σ w x be the input of a unit and x' = f(a) its output. Second derivatives h propagate backwards as

    h(a) = f'(a)² h(x'),    h(x) = Σ w² h(a),    h(w) = Σ x² h(a),

where the sums run over the connections of x and over those that share w. The term f''(a) ∂E/∂x' and all
off-diagonal terms are dropped, so h is nonnegative. It is backpropagation with squared weights, inputs and
derivatives, implemented below as custom rules for `jax.vjp`.

Sources: S. Becker and Y. LeCun 1988, "Improving the Convergence of Back-Propagation Learning with Second Order
Methods"; Y. LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", appendix C.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array

Bilinear = Callable[[Array, Array], Array]
Elementwise = Callable[[Array], Array]


def squared_factors(product: Bilinear) -> Bilinear:
    """The same product of inputs and weights; its backward pass sees squared inputs and squared weights."""

    @jax.custom_vjp
    def rule(x: Array, w: Array) -> Array:
        return product(x, w)

    def forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
        return product(x, w), (x, w)

    def backward(factors: tuple[Array, Array], h: Array) -> Any:
        x, w = factors
        return jax.vjp(product, x * x, w * w)[1](h)

    rule.defvjp(forward, backward)
    return rule


def squared_derivative(function: Elementwise) -> Elementwise:
    """The same elementwise function; its backward pass multiplies by the squared derivative."""

    @jax.custom_vjp
    def rule(a: Array) -> Array:
        return function(a)

    def forward(a: Array) -> tuple[Array, Array]:
        return function(a), a

    def backward(a: Array, h: Array) -> tuple[Array]:
        slope = jax.vjp(function, a)[1](jax.numpy.ones_like(a))[0]
        return (slope * slope * h,)

    rule.defvjp(forward, backward)
    return rule
