"""Second derivatives of "newton", compared with finite differences where the approximation is exact, and with an
independent recursion in NumPy (LeCun et al. 1998, appendix C) for all parameters.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from model import training
from model.engines import unsupported_parts, vmap
from model.variants import Variant, variant
from tests.model import float64
from tests.model.replicas import compiled, fresh

VARIANTS = {
    "paper": variant(
        "base", activation="scaled_tanh", output="scaled_tanh", optimizer="newton", init="paper"
    ),
    "tanh": variant("base", optimizer="newton"),
    "softmax, rectified": variant("softmax", activation="relu", optimizer="newton"),
}


def one_replica(v: Variant) -> dict[str, Any]:
    """Parameters of seed 3 with biases that are not zero, as NumPy arrays."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], fresh(v, [3]).params)
    rng = np.random.default_rng(0)
    return {
        name: leaf if isinstance(leaf, dict) else leaf + rng.normal(0, 0.1, leaf.shape).astype(np.float32)
        for name, leaf in params.items()
    }


def slope(name: str, a: np.ndarray) -> np.ndarray:
    """Derivative of an activation at a."""
    if name == "tanh":
        return 1 - np.tanh(a) ** 2
    if name == "scaled_tanh":
        return 1.7159 * 2 / 3 * (1 - np.tanh(2 * a / 3) ** 2)
    return (a > 0).astype(float) if name == "relu" else np.ones_like(a)


def recursion(v: Variant, params: dict[str, Any], image: np.ndarray) -> dict[str, np.ndarray]:
    """h of every parameter for one image, in float64, by loops over units."""
    p = {n: np.asarray(x["kernel"] if isinstance(x, dict) else x, np.float64) for n, x in params.items()}
    f, g = float64.ACTIVATIONS[v.activation], float64.ACTIVATIONS[v.output]
    x0, x1 = np.full((20, 20), -1.0), np.full((12, 12, 12), -1.0)
    x0[2:18, 2:18] = image
    a1, a2 = np.empty((8, 8, 12)), np.empty((4, 4, 12))
    for y, x in np.ndindex(8, 8):
        a1[y, x] = (
            np.tensordot(x0[2 * y : 2 * y + 5, 2 * x : 2 * x + 5], p["Conv_0"][:, :, 0], 2) + p["bias1"][y, x]
        )
    x1[2:10, 2:10] = f(a1)
    for y, x, unit in np.ndindex(4, 4, 12):
        group, k = divmod(unit, 4)
        patch = x1[2 * y : 2 * y + 5, 2 * x : 2 * x + 5][:, :, float64.GROUPS[group]]
        a2[y, x, unit] = (patch * p[f"Conv_{group + 1}"][..., k]).sum() + p["bias2"][y, x, unit]
    x2 = f(a2).reshape(192)
    a3 = x2 @ p["Dense_0"] + p["bias3"]
    a4 = f(a3) @ p["Dense_1"] + p["bias4"]

    out = g(a4)
    if v.objective == "squared":
        h_out = np.full(10, 0.2)
    else:
        chance = np.exp(out - out.max()) / np.exp(out - out.max()).sum()
        h_out = chance * (1 - chance)
    h: dict[str, np.ndarray] = {}
    h["bias4"] = slope(v.output, a4) ** 2 * h_out
    h["Dense_1"] = np.outer(f(a3) ** 2, h["bias4"])
    h["bias3"] = slope(v.activation, a3) ** 2 * (p["Dense_1"] ** 2 @ h["bias4"])
    h["Dense_0"] = np.outer(x2**2, h["bias3"])
    h["bias2"] = slope(v.activation, a2) ** 2 * (p["Dense_0"] ** 2 @ h["bias3"]).reshape(4, 4, 12)
    h |= {f"Conv_{g}": np.zeros((5, 5, 8, 4)) for g in (1, 2, 3)} | {"Conv_0": np.zeros((5, 5, 1, 12))}
    h1 = np.zeros((12, 12, 12))
    for y, x, unit in np.ndindex(4, 4, 12):
        group, k = divmod(unit, 4)
        for i, j, (c, plane) in (
            (i, j, e) for i in range(5) for j in range(5) for e in enumerate(float64.GROUPS[group])
        ):
            h[f"Conv_{group + 1}"][i, j, c, k] += (
                h["bias2"][y, x, unit] * x1[2 * y + i, 2 * x + j, plane] ** 2
            )
            h1[2 * y + i, 2 * x + j, plane] += (
                h["bias2"][y, x, unit] * p[f"Conv_{group + 1}"][i, j, c, k] ** 2
            )
    h["bias1"] = slope(v.activation, a1) ** 2 * h1[2:10, 2:10]
    for y, x in np.ndindex(8, 8):
        squares = x0[2 * y : 2 * y + 5, 2 * x : 2 * x + 5] ** 2
        h["Conv_0"][:, :, 0] += squares[..., None] * h["bias1"][y, x]
    return h


@pytest.mark.parametrize("case", VARIANTS)
def test_curvature_equals_the_recursion_of_becker_and_lecun(case: str, digits: Any) -> None:
    v, images = VARIANTS[case], digits[0][:2]
    params = one_replica(v)
    h = compiled(training.curvature, 0)(v, params, images)
    each = [recursion(v, params, image) for image in images]
    for name, leaf in h.items():
        expected = np.mean([one[name] for one in each], axis=0)
        got = np.asarray(leaf["kernel"] if isinstance(leaf, dict) else leaf)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-9, err_msg=name)
        assert (got >= 0).all()


def test_curvature_is_exact_in_the_last_layer(digits: Any) -> None:
    """With linear outputs and squared error no term is dropped there. Reference: central differences in float64."""
    v = variant("base", activation="scaled_tanh", output="linear", optimizer="newton")
    params, image, label = one_replica(v), digits[0][0], int(digits[1][0])
    h = compiled(training.curvature, 0)(v, params, image[None])

    def at(path: tuple[str, ...], index: tuple[int, ...], change: float) -> float:
        moved = {n: dict(leaf) if isinstance(leaf, dict) else np.array(leaf) for n, leaf in params.items()}
        tensor = np.array(params[path[0]]["kernel"] if len(path) > 1 else params[path[0]], np.float64)
        tensor[index] += change
        moved[path[0]] = {"kernel": tensor} if len(path) > 1 else tensor
        return float64.loss(v, float64.outputs(v, moved, image), label)

    for path, indices in ((("Dense_1", "kernel"), [(0, 0), (13, 4), (29, 9)]), (("bias4",), [(0,), (7,)])):
        leaf = np.asarray(h[path[0]]["kernel"] if len(path) > 1 else h[path[0]])
        for index in indices:
            step = 1e-3
            second = (at(path, index, step) - 2 * at(path, index, 0.0) + at(path, index, -step)) / step**2
            assert leaf[index] == pytest.approx(second, rel=1e-4)


def test_a_step_is_the_gradient_divided_by_damped_curvature(digits: Any) -> None:
    """Compares an update of "newton" with an update of "sgd" from the same weights."""
    v = VARIANTS["paper"]
    params, (images, labels) = one_replica(v), digits
    state = training.ReplicaState(jnp.uint32(3), params, training.optimizer(v).init(params))
    scales = compiled(training.step_scales, 0)(v, params, images[:3])
    arguments = (state, images[0], labels[0], jnp.float32(0.01), None, None)
    update = compiled(training.update, 0)
    plain = update(variant("base", activation="scaled_tanh", output="scaled_tanh"), *arguments)
    newton = update(v, *arguments, scales)
    h = compiled(training.curvature, 0)(v, params, images[:3])
    leaves = (jax.tree.leaves(t) for t in (params, plain.params, newton.params, h))
    for old, a, b, curvature in zip(*leaves, strict=True):
        rounding = 1e-7 * np.abs(old).max() / v.damping
        np.testing.assert_allclose(old - b, (old - a) / (v.damping + curvature), rtol=1e-3, atol=rounding)


def test_only_the_first_digits_of_an_epoch_estimate_curvature(digits: Any) -> None:
    v = variant("base", optimizer="newton", curvature_digits=4)
    params = one_replica(v)
    few, many = (compiled(training.step_scales, 0)(v, params, digits[0][:n]) for n in (4, 9))
    for a, b in zip(jax.tree.leaves(few), jax.tree.leaves(many), strict=True):
        np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_other_replicas(digits: Any) -> None:
    v, (images, labels) = VARIANTS["paper"], digits
    many = vmap.train_epoch(v, fresh(v, range(17)), images[:20], labels[:20], 1)
    one = vmap.train_epoch(v, fresh(v, [16]), images[:20], labels[:20], 1)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[0], np.asarray(b)[16])


@pytest.mark.parametrize("changes", [{"optimizer": "newton"}, {"activation": "scaled_tanh"}])
def test_unsupported_parts_are_named(changes: dict[str, Any]) -> None:
    (part,) = changes.values()
    assert unsupported_parts(variant("base", **changes)) == f"it does not implement {part}"
    assert unsupported_parts(variant("base")) is None
