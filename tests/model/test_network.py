"""The 1989 network: its size, its connections, and its initial weights."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model.engines import vmap
from model.network import Network
from model.training import Params
from model.variants import VARIANTS, variant
from tests.model import float64, replicas
from tests.model.replicas import compiled

SIZES = {
    "Conv_0": (5, 5, 1, 12),
    "Conv_1": (5, 5, 8, 4),
    "Conv_2": (5, 5, 8, 4),
    "Conv_3": (5, 5, 8, 4),
    "Dense_0": (192, 30),
    "Dense_1": (30, 10),
    "bias1": (8, 8, 12),
    "bias2": (4, 4, 12),
    "bias3": (30,),
    "bias4": (10,),
}


@cache
def fresh(name: str = "base", init: str = "flax") -> Params:
    """Parameters of the seeds 0 to 15."""
    return replicas.init(variant(name, init=init), 16)


def kernel(params: Params, name: str) -> np.ndarray:
    leaf = params[name]
    return leaf["kernel"] if isinstance(leaf, dict) else leaf


def test_9760_parameters_in_the_shapes_of_1989() -> None:
    params = fresh()
    assert {name: kernel(params, name).shape[1:] for name in params} == SIZES
    assert sum(np.prod(shape) for shape in SIZES.values()) == 9760


def test_64660_connections() -> None:
    """As the paper counts: every weight of every unit, and one for its bias."""
    h1, h2, h3, out = 8 * 8 * 12 * (25 + 1), 4 * 4 * 12 * (8 * 25 + 1), 30 * (192 + 1), 10 * (30 + 1)
    assert (h1, h2, h3, out) == (19968, 38592, 5790, 310)
    assert h1 + h2 + h3 + out == 64660


def test_the_outputs_are_those_of_the_paper_in_float64() -> None:
    v, params = variant("base"), jax.tree.map(lambda leaf: leaf[0], fresh())
    params = params | {"bias1": np.linspace(-0.1, 0.1, 768).reshape(8, 8, 12).astype(np.float32)}
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16)).astype(np.float32)
    outputs = compiled(Network(v).apply)({"params": params}, jnp.asarray(images))
    expected = [float64.outputs(v, params, image) for image in images]
    np.testing.assert_allclose(outputs, expected, atol=2e-6)


def test_a_unit_of_h2_reads_eight_planes_around_its_position() -> None:
    """Which H1 biases move which H2 outputs: by derivatives, so that every connection is found."""
    v, params = variant("base"), jax.tree.map(lambda leaf: leaf[0], fresh())

    def outputs(bias1: jax.Array, unit: jax.Array) -> jax.Array:
        only = jnp.zeros((192, 30)).at[unit].set(1.0)  # H3 reads only this unit of H2
        changed = params | {"bias1": bias1, "Dense_0": {"kernel": only}}
        return Network(v).apply({"params": changed}, jnp.zeros((16, 16))).sum()

    gradients = compiled(jax.vmap(jax.grad(outputs), in_axes=(None, 0)))(params["bias1"], jnp.arange(192))
    wired = np.asarray(gradients).reshape(4, 4, 12, 8, 8, 12) != 0
    for group, reads in enumerate(float64.GROUPS):
        planes = wired[:, :, 4 * group : 4 * group + 4].any(axis=(0, 1, 2, 3, 4))
        assert np.flatnonzero(planes).tolist() == sorted(reads)
    rows = wired.any(axis=(1, 2, 4, 5))  # [4, 8]
    assert [np.flatnonzero(r).tolist() for r in rows] == [
        [0, 1, 2],
        [0, 1, 2, 3, 4],
        [2, 3, 4, 5, 6],
        [4, 5, 6, 7],
    ]


@pytest.mark.parametrize("name", ["softmax", "dropout"])
def test_a_seed_has_equal_initial_weights_in_all_variants_of_a_recipe(name: str) -> None:
    for tensor in SIZES:
        if tensor != "bias4":
            np.testing.assert_array_equal(kernel(fresh(name), tensor), kernel(fresh(), tensor))


def test_initial_biases_are_zero_and_output_biases_follow_the_variant() -> None:
    for name in ("base", "softmax", "dropout"):
        params = fresh(name)
        assert all((params[b] == 0).all() for b in ("bias1", "bias2", "bias3"))
        assert (params["bias4"] == VARIANTS[name].output_bias).all()


def test_seeds_have_different_initial_weights() -> None:
    for name in ("Conv_0", "Conv_1", "Conv_2", "Conv_3", "Dense_0", "Dense_1"):
        weights = kernel(fresh(), name).reshape(16, -1)
        assert len(np.unique(weights[:, 0])) == 16
    assert (kernel(fresh(), "Conv_1") != kernel(fresh(), "Conv_2")).any()


def test_vmap_init_does_not_depend_on_other_replicas() -> None:
    v = variant("base")
    few, many = vmap.init(v, np.array([3])), vmap.init(v, np.arange(17))
    for a, b in zip(jax.tree.leaves(few), jax.tree.leaves(many), strict=True):
        np.testing.assert_array_equal(a[0], b[3])
    for tensor in SIZES:
        np.testing.assert_allclose(
            kernel(few.params, tensor)[0], kernel(fresh(), tensor)[3], rtol=1e-6, atol=1e-9
        )


def lecun_normal(fan_in: int) -> tuple[float, float]:
    """Normal truncated at two deviations and rescaled to variance 1/fan-in: largest value and deviation."""
    return 2 * fan_in**-0.5 / 0.87962566103423978, fan_in**-0.5


def uniform(bound: float) -> tuple[float, float]:
    return bound, bound / 3**0.5


@pytest.mark.parametrize("init", ["flax", "notebook", "karpathy", "paper"])
def test_initial_weights_have_their_distribution(init: str) -> None:
    params = fresh(init=init)
    for name, fan_in in {"Conv_0": 25, "Conv_1": 200, "Conv_3": 200, "Dense_0": 192, "Dense_1": 30}.items():
        weights = kernel(params, name)
        dense = name.startswith("Dense")
        if init == "karpathy":
            bound, deviation = uniform(2.4 / fan_in**0.5)
        elif init == "paper":
            bound, deviation = uniform(2.4 / fan_in)
        elif dense:
            bound, deviation = lecun_normal(fan_in)
        elif init == "flax":
            bound, deviation = uniform((6 / fan_in) ** 0.5)
        else:  # notebook: U[0, 0.01)
            assert weights.min() >= 0
            weights, (bound, deviation) = weights - np.float32(0.005), uniform(0.005)
        assert np.abs(weights).max() <= bound * (1 + 1e-6)
        assert np.abs(weights).max() > 0.95 * bound
        assert weights.std() == pytest.approx(deviation, rel=0.05)
        assert abs(weights.mean()) < 4 * deviation / weights.size**0.5
