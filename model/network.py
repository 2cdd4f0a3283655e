"""The 1989 network in Flax: maps an image to ten outputs. 9,760 parameters, 64,660 connections.

LeCun et al. 1989, section "Network Architecture". The paper does not specify the connections from H1 to H2; they
follow Karpathy.
"""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from model.convolution import convolve
from model.curvature import Bilinear, Elementwise, squared_derivative, squared_factors
from model.names import Activation, Init, Output
from model.variants import Variant

BACKGROUND = -1.0  # of an image, and of the padding of both convolutions
H2_OUTPUTS = 4 * 4 * 12

Params = dict[str, Any]  # the Flax parameter tree, float32
Initializer = Callable[..., Array]


class Network(nn.Module):
    """Maps images [..., 16, 16] in [-1, 1] to outputs [..., 10].

    The names of the parameters are those that Flax gave the notebook's layers. Flax derives each initial
    tensor's random key from its name, and `sweep replay` reproduces the notebook's printed digits.
    """

    variant: Variant
    second_order: bool = False  # backward passes propagate second derivatives, see `model.curvature`

    @nn.compact
    def __call__(self, images: Array, dropout_mask: Array | None = None) -> Array:
        """Forward pass.

        Args:
          images: [..., 16, 16] float32.
          dropout_mask: [192] bool, the outputs of H2 that dropout keeps; None keeps all, unscaled.
        """
        v = self.variant
        convolution: Bilinear = convolve
        dot_general: Callable[..., Array] = jax.lax.dot_general
        activation, output = _ACTIVATIONS[v.activation], _ACTIVATIONS[v.output]
        if self.second_order:
            convolution, dot_general = squared_factors(convolve), _squared_dot_general
            activation, output = squared_derivative(activation), squared_derivative(output)
        if self.is_initializing():
            convolution = _zeros  # only shapes matter, and tracing the convolutions takes a fifth of a second
        conv_init, dense_init = _initializers(v.init)

        def kernel(name: str, inputs: int, outputs: int) -> Array:
            return _Kernel((5, 5, inputs, outputs), conv_init, name=name)()

        def dense(units: int) -> nn.Dense:
            return nn.Dense(units, use_bias=False, kernel_init=dense_init, dot_general=dot_general)

        # H1: 12 planes of 8×8; weights are shared over a plane, each unit has its own bias. 1,068 parameters.
        x = convolution(_pad(images[..., None]), kernel("Conv_0", 1, 12))
        x = activation(x + self.param("bias1", nn.initializers.zeros, (8, 8, 12)))

        # H2: 12 planes of 4×4 in three groups of four, each reading eight of the twelve H1 planes. 2,592.
        x = _pad(x)
        groups = (x[..., 0:8], x[..., 4:12], jnp.concatenate((x[..., 0:4], x[..., 8:12]), axis=-1))
        kernels = [kernel(f"Conv_{i}", 8, 4) for i in (1, 2, 3)]
        by_group = jax.vmap(convolution, in_axes=(0, 0), out_axes=-2)
        x = by_group(jnp.stack(groups), jnp.stack(kernels))  # [..., 4, 4, 3, 4]
        x = x.reshape((*x.shape[:-2], 12))
        x = activation(x + self.param("bias2", nn.initializers.zeros, (4, 4, 12)))
        x = x.reshape((*x.shape[:-3], H2_OUTPUTS))
        if dropout_mask is not None:
            x = jnp.where(dropout_mask, x / (1.0 - v.dropout), 0.0)

        # H3: 30 units, fully connected. 5,790.
        x = dense(30)(x)
        x = activation(x + self.param("bias3", nn.initializers.zeros, (30,)))

        # Output: ten units. 310.
        x = dense(10)(x)
        x = x + self.param("bias4", nn.initializers.constant(v.output_bias), (10,))
        return output(x)


def _zeros(planes: Array, kernel: Array) -> Array:
    """An output of `convolve`."""
    side = planes.shape[-2] // 2 - 2
    return jnp.zeros((*planes.shape[:-3], side, side, kernel.shape[-1]))


def _linear(x: Array) -> Array:
    return x


def _scaled_tanh(x: Array) -> Array:
    """f(±1) = ±1, and largest curvature there: targets ±1 lie in the quasi-linear range (LeCun 1989, 1998)."""
    return 1.7159 * jnp.tanh(2 / 3 * x)


_ACTIVATIONS: dict[Activation | Output, Elementwise] = {
    "tanh": jnp.tanh,
    "relu": nn.relu,
    "scaled_tanh": _scaled_tanh,
    "linear": _linear,
}


def _squared_dot_general(x: Array, w: Array, *dimensions: Any, **options: Any) -> Array:
    return squared_factors(lambda a, b: jax.lax.dot_general(a, b, *dimensions, **options))(x, w)


class _Kernel(nn.Module):
    """The kernel of a convolution, at the path that `nn.Conv` uses in the parameter tree."""

    shape: tuple[int, ...]
    initializer: Initializer

    @nn.compact
    def __call__(self) -> Array:
        return self.param("kernel", self.initializer, self.shape)


def outputs(variant: Variant, params: Params, images: Array, dropout_mask: Array | None = None) -> Array:
    """Apply the network: images [..., 16, 16] to outputs [..., 10]. `dropout_mask`: see `Network`."""
    return cast(Array, Network(variant).apply({"params": params}, images, dropout_mask))


def _pad(planes: Array) -> Array:
    """Two pixels of background around [..., height, width, planes]."""
    width = [(0, 0)] * (planes.ndim - 3) + [(2, 2), (2, 2), (0, 0)]
    return jnp.pad(planes, width, constant_values=BACKGROUND)


def _initializers(init: Init) -> tuple[Initializer, Initializer]:
    """Initializers of the convolutions and of the dense layers."""
    flax_default = nn.initializers.lecun_normal()
    if init == "flax":  # he_uniform is U(±√6/√fan-in): √6 ≈ 2.45 approximates Karpathy's 2.4
        return nn.initializers.he_uniform(), flax_default
    if init == "notebook":
        return nn.initializers.uniform(0.01), flax_default
    if init == "karpathy":
        return _uniform(lambda fan_in: 2.4 / fan_in**0.5), _uniform(lambda fan_in: 2.4 / fan_in**0.5)
    return _uniform(lambda fan_in: 2.4 / fan_in), _uniform(lambda fan_in: 2.4 / fan_in)  # paper


def _uniform(limit: Callable[[int], float]) -> Initializer:
    """U(±limit(fan-in)), where the fan-in is the product of all axes of the kernel except the last."""

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        fan_in = 1
        for size in shape[:-1]:
            fan_in *= size
        bound = limit(fan_in)
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
