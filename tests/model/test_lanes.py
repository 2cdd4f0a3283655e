"""The engine `lanes` beyond the contract of the engines: Newton steps, curvature and margins."""

from ctypes import byref
from typing import Any

import jax
import numpy as np
import pytest

from model import training
from model.engines import initial, lanes, vmap
from model.engines.lanes import library
from model.network import Params, outputs
from model.variants import Variant, variant
from tests.model.replicas import fresh

pytestmark = pytest.mark.skipif(lanes.unsupported() is not None, reason=str(lanes.unsupported()))
SETTINGS = {"keep_probability": 1.0}
NEWTON: dict[str, dict[str, Any]] = {
    "paper": {"activation": "scaled_tanh", "output": "scaled_tanh", "init": "paper"},
    "tanh": {},
    "linear": {"activation": "scaled_tanh", "output": "linear"},
    "relu": {
        "activation": "relu",
        "output": "linear",
        "objective": "cross_entropy",
        "shift": 1,
        "dropout": 0.25,
    },
}


@pytest.fixture(params=range(len(library.kernels())) if lanes.unsupported() is None else [])
def kernel(request: pytest.FixtureRequest) -> int:
    """Index of each kernel that this processor can run."""
    return request.param


def rows(count: int) -> np.ndarray:
    """Initial parameters [count, 9760] of `base`."""
    leaves = jax.tree.leaves(fresh(variant("base"), range(count)).params)
    return np.concatenate([np.reshape(leaf, (count, -1)) for leaf in leaves], axis=1)


def train(kernel: int, digits: Any, before: np.ndarray, optimizer: str, **arrays: Any) -> np.ndarray:
    """Parameters after 20 updates with learning rate 0.01."""
    parameters = before.copy()
    settings = library.Hyperparams(**SETTINGS, optimizer=library.OPTIMIZERS.index(optimizer))
    examples = library.Examples(
        images=digits[0][:20], labels=digits[1][:20], learning_rates=np.full(20, 0.01, np.float32), count=20
    )
    replicas = library.Replicas(parameters=parameters, count=len(parameters), **arrays)
    assert library.load().lanes_train(kernel, byref(settings), byref(examples), byref(replicas), 1) == 0
    return parameters


def newton(name: str) -> Variant:
    return variant("base", optimizer="newton", learning_rate=1e-3, curvature_digits=50, **NEWTON[name])


def scales(v: Variant, params: Params, images: np.ndarray) -> Params:
    """`training.step_scales` as the engine computes it."""
    count = len(params["bias4"])
    return lanes._tree(lanes._step_scales(v, lanes._rows(params, count), images), initial.template(v).params)


@pytest.mark.parametrize("name", NEWTON)
def test_20_newton_updates_agree_with_vmap(
    name: str, kernel: int, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    """Weights to 1e-5 of each tensor's largest: the contract's 1e-4 holds for 200 updates."""
    monkeypatch.setattr(library, "chosen_kernel", lambda: kernel)
    v, (images, labels) = newton(name), (digits[0][:20], digits[1][:20])
    before = fresh(v, [3, 4, 5])
    ours, reference = (e.train_epoch(v, before, images, labels, 2).params for e in (lanes, vmap))
    for a, b, old in zip(*(jax.tree.leaves(t) for t in (ours, reference, before.params)), strict=True):
        assert np.abs(a - b).max() <= 1e-5 * np.abs(b).max()
        assert np.abs(b - old).max() > 1e-4 * np.abs(b).max()


@pytest.mark.parametrize("name", NEWTON)
def test_scales_agree_with_those_of_training(
    name: str, kernel: int, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    monkeypatch.setattr(library, "chosen_kernel", lambda: kernel)
    v, images = newton(name), digits[0]
    params = fresh(v, range(18)).params
    ours = scales(v, params, images)
    reference = jax.vmap(lambda p: training.step_scales(v, p, images[:50]))(params)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(reference), strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-6)
    alone = scales(v, jax.tree.map(lambda leaf: leaf[17:], params), images)
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(ours), strict=True):
        np.testing.assert_array_equal(a[0], b[17])


def test_newton_with_equal_scales_is_gradient_descent(kernel: int, digits: Any) -> None:
    before = rows(18)  # more than one block of every kernel
    plain = train(kernel, digits, before, "sgd")
    scaled = train(kernel, digits, before, "newton", step_scales=np.ones_like(before))
    np.testing.assert_array_equal(scaled, plain)
    assert (scaled != before).any()


def test_newton_scales_each_step_of_each_replica(kernel: int, digits: Any) -> None:
    digits = tuple(np.repeat(part[:1], 20, axis=0) for part in digits)
    before = rows(18)
    trained = np.random.default_rng(0).random(before.shape) < 0.5
    after = train(kernel, digits, before, "newton", step_scales=trained.astype(np.float32))
    np.testing.assert_array_equal(after[~trained], before[~trained])
    assert (after[trained] != before[trained]).mean() > 0.5
    halved = train(kernel, digits, before, "newton", step_scales=np.full_like(before, 0.5))
    assert np.abs(halved - before).sum() < np.abs(train(kernel, digits, before, "sgd") - before).sum()


def test_margins_are_differences_of_the_two_largest_outputs(kernel: int, digits: Any) -> None:
    v, count, n = variant("base"), 18, 21  # no multiple of a block, nor of the examples that share a pass
    images, labels = digits[0][:n].copy(), digits[1][:n]
    images[7] = np.nan
    margins = np.empty((count, n), np.float32)
    scores = library.Scores(
        loss=np.empty(count),
        misses=np.empty(count, np.int32),
        predictions=np.empty((count, n), np.int8),
        margins=margins,
    )
    settings = library.Hyperparams(**SETTINGS, output=library.OUTPUTS.index(v.output))
    examples = library.Examples(images=images, labels=labels, count=n)
    replicas = library.Replicas(parameters=rows(count), count=count)
    library.load().lanes_evaluate(kernel, byref(settings), byref(examples), byref(replicas), byref(scores), 2)
    params = fresh(v, range(count)).params
    largest = np.sort(jax.vmap(lambda p: outputs(v, p, images))(params), axis=-1)
    np.testing.assert_allclose(margins, largest[..., -1] - largest[..., -2], atol=2e-6)
    assert np.isnan(margins[:, 7]).all()
