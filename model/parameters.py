"""Names and shapes of the network's parameters, and their form outside JAX: one array per parameter. NumPy only."""

from collections.abc import Mapping
from typing import Any

import numpy as np

# In the order of `jax.tree.leaves`. The part before the point is the layer in the Flax parameter tree.
PARAMETERS: dict[str, tuple[int, ...]] = {
    "Conv_0.kernel": (5, 5, 1, 12),  # H1
    "Conv_1.kernel": (5, 5, 8, 4),  # H2, one of three groups
    "Conv_2.kernel": (5, 5, 8, 4),
    "Conv_3.kernel": (5, 5, 8, 4),
    "Dense_0.kernel": (192, 30),  # H3
    "Dense_1.kernel": (30, 10),  # output
    "bias1": (8, 8, 12),
    "bias2": (4, 4, 12),
    "bias3": (30,),
    "bias4": (10,),
}


def from_tree(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The parameters of R replicas as float32 arrays [R, …] by name. params: the Flax tree, leaves [R, …]."""
    return {name: np.asarray(_at(params, name.split(".")), np.float32) for name in PARAMETERS}


def to_tree(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The Flax tree of parameters by name. Each array has any shape [R, …] with the right number of values."""
    tree: dict[str, Any] = {}
    for name, shape in PARAMETERS.items():
        *layers, last = name.split(".")
        parent = tree
        for layer in layers:
            parent = parent.setdefault(layer, {})
        parent[last] = np.asarray(arrays[name], np.float32).reshape(-1, *shape)
    return tree


def _at(tree: Mapping[str, Any], path: list[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree
