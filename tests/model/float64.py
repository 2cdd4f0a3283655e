"""The network, its losses and its gradients in NumPy float64, implemented from the paper's text without Flax or JAX.

Slow and simple. Derivatives are central differences, independent of the differentiation rules of the engines.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from model.variants import Variant

GROUPS = ([0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 8, 9, 10, 11])

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 * x / 3),
    "linear": lambda x: x,
}

Tree = dict[str, Any]


def outputs(
    variant: Variant, params: Tree, image: np.ndarray, dropout_mask: np.ndarray | None = None
) -> np.ndarray:
    """Ten outputs of one replica. image: [16, 16]; dropout_mask: [192] bool or None."""
    p = {
        name: np.asarray(leaf["kernel"] if isinstance(leaf, dict) else leaf, np.float64)
        for name, leaf in params.items()
    }
    activation = ACTIVATIONS[variant.activation]
    image = np.asarray(image, np.float64)

    padded = np.full((20, 20), -1.0)
    padded[2:18, 2:18] = image
    h1 = np.full((12, 12, 12), -1.0)  # with its border
    for y in range(8):
        for x in range(8):
            patch = padded[2 * y : 2 * y + 5, 2 * x : 2 * x + 5, None]
            h1[2 + y, 2 + x] = activation((patch * p["Conv_0"][:, :, 0]).sum((0, 1)) + p["bias1"][y, x])

    h2 = np.empty((4, 4, 12))
    for y in range(4):
        for x in range(4):
            patch = h1[2 * y : 2 * y + 5, 2 * x : 2 * x + 5]
            sums = [np.tensordot(patch[:, :, reads], p[f"Conv_{g + 1}"], 3) for g, reads in enumerate(GROUPS)]
            h2[y, x] = activation(np.concatenate(sums) + p["bias2"][y, x])
    flat = h2.reshape(192)
    if dropout_mask is not None:
        flat = np.where(dropout_mask, flat / (1 - variant.dropout), 0.0)

    h3 = activation(flat @ p["Dense_0"] + p["bias3"])
    out = h3 @ p["Dense_1"] + p["bias4"]
    return ACTIVATIONS[variant.output](out)


def loss(variant: Variant, out: np.ndarray, label: int) -> float:
    if variant.objective == "squared":
        target = np.where(np.arange(10) == label, 1.0, -1.0)
        return float(((out - target) ** 2).mean())
    return float(np.log(np.exp(out - out.max()).sum()) + out.max() - out[label])


def derivative(
    variant: Variant,
    params: Tree,
    path: tuple[str, ...],
    index: tuple[int, ...],
    image: np.ndarray,
    label: int,
    dropout_mask: np.ndarray | None = None,
    step: float = 1e-5,
) -> float:
    """Derivative of the loss by one parameter, e.g. path ("Conv_0", "kernel"), index (0, 0, 0, 3)."""

    def at(change: float) -> float:
        moved = {n: dict(leaf) if isinstance(leaf, dict) else leaf for n, leaf in params.items()}
        place = moved
        for name in path[:-1]:
            place = place[name]
        tensor = np.array(place[path[-1]], np.float64)
        tensor[index] += change
        place[path[-1]] = tensor
        return loss(variant, outputs(variant, moved, image, dropout_mask), label)

    return (at(step) - at(-step)) / (2 * step)
