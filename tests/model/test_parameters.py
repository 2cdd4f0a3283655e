"""The parameter list is that of the network, in the order of its tree."""

import jax
import numpy as np

from model.engines.vmap import init
from model.parameters import PARAMETERS, from_tree, to_tree
from model.variants import VARIANTS


def test_the_list_is_that_of_the_network():
    for variant in VARIANTS["base"], VARIANTS["dropout"]:
        leaves = jax.tree_util.tree_leaves_with_path(init(variant, np.array([0, 1], np.uint32)).params)
        found = {".".join(key.key for key in path): leaf.shape for path, leaf in leaves}
        assert list(found.items()) == [(name, (2, *shape)) for name, shape in PARAMETERS.items()]


def test_trees_survive_the_round_trip():
    params = init(VARIANTS["base"], np.array([3, 4], np.uint32)).params
    flat = {name: array.reshape(2, -1) for name, array in from_tree(params).items()}
    jax.tree.map(np.testing.assert_array_equal, to_tree(flat), jax.device_get(params))
