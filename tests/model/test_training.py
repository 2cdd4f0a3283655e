"""Training of one replica: learning-rate schedules, optimizers, and one update computed separately."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import training
from model.engines import vmap
from model.objective import loss, predictions
from model.training import ReplicaState, learning_rates
from model.variants import Variant, variant
from tests.model import float64
from tests.model.replicas import compiled

rates = st.floats(1e-5, 1.0)
fractions = st.floats(0, 1)


@given(rates, fractions, st.integers(1, 30), st.integers(1, 50))
def test_no_schedule_is_a_constant_rate(rate: float, fraction: float, epoch: int, n: int) -> None:
    v = variant("base", learning_rate=rate, final_fraction=fraction, lr_schedule="none", epochs=30)
    assert (learning_rates(v, epoch, n) == np.float32(rate)).all()


@given(rates, fractions, st.integers(1, 20), st.integers(1, 50))
def test_the_step_schedule_is_linear_over_the_run(rate: float, fraction: float, epochs: int, n: int) -> None:
    v = variant("base", learning_rate=rate, final_fraction=fraction, lr_schedule="step", epochs=epochs)
    run = np.concatenate([learning_rates(v, epoch, n) for epoch in range(1, epochs + 1)])
    assert run.dtype == np.float32
    assert run[0] == np.float32(rate)
    line = np.linspace(rate, rate * fraction, epochs * n + 1)[:-1]  # the end is reached after the last update
    np.testing.assert_allclose(run, line, rtol=1e-6, atol=1e-7 * rate)


@given(rates, fractions, st.integers(2, 20), st.integers(1, 50))
def test_the_epoch_schedule_is_constant_within_an_epoch(
    rate: float, fraction: float, epochs: int, n: int
) -> None:
    v = variant("base", learning_rate=rate, final_fraction=fraction, lr_schedule="epoch", epochs=epochs)
    by_epoch = np.array([learning_rates(v, epoch, n) for epoch in range(1, epochs + 1)])
    assert (by_epoch == by_epoch[:, :1]).all()
    np.testing.assert_allclose(
        by_epoch[:, 0], np.linspace(rate, rate * fraction, epochs), rtol=1e-6, atol=1e-7 * rate
    )


def test_the_epoch_schedule_of_a_single_epoch_is_constant() -> None:
    v = variant("adamw", "karpathy", epochs=1)
    assert (learning_rates(v, 1, 3) == np.float32(3e-4)).all()


def a_replica(v: Variant, scale: float = 0.2) -> ReplicaState:
    """A replica with every parameter drawn, none on a ReLU's kink."""
    shapes = jax.eval_shape(lambda seed: training.init(v, seed), jax.ShapeDtypeStruct((), jnp.uint32))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda s: jnp.asarray(rng.normal(0, scale, s.shape), jnp.float32), shapes.params)
    return ReplicaState(jnp.uint32(0), params, training.optimizer(v).init(params))


@pytest.mark.parametrize("weight_decay", [0.0, 1e-2])
def test_the_optimiser_is_optax_adamw(weight_decay: float) -> None:
    v = variant("adamw", weight_decay=weight_decay)
    params = {"w": jnp.linspace(-1, 1, 7), "b": jnp.ones(3)}
    theirs = optax.adamw(lambda count: 3e-4 / (1 + count), weight_decay=weight_decay)
    mine, ours, state, their_state = (
        params,
        training.optimizer(v),
        training.optimizer(v).init(params),
        theirs.init(params),
    )
    for step in range(5):
        gradient = jax.tree.map(lambda p, step=step: jnp.sin(p * (step + 2)), params)
        direction, state = ours.update(gradient, state, mine)
        mine = jax.tree.map(lambda p, d, step=step: p - 3e-4 / (1 + step) * d, mine, direction)
        change, their_state = theirs.update(gradient, their_state, params)
        params = optax.apply_updates(params, change)
        for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(params), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_plain_steps_ignore_weight_decay() -> None:
    v = variant("base", weight_decay=0.5)
    gradient = {"w": jnp.arange(3.0)}
    direction, _ = training.optimizer(v).update(gradient, training.optimizer(v).init(gradient), gradient)
    np.testing.assert_array_equal(direction["w"], gradient["w"])


UPDATES: dict[str, dict[str, Any]] = {
    "1989": {},
    "softmax": {"output": "linear", "objective": "cross_entropy"},
    "rolled": {"shift": 2},
    "dropped, rectified": {"activation": "relu", "dropout": 0.4},
}


@pytest.mark.parametrize("case", UPDATES)
def test_an_update_steps_down_the_gradient(case: str, digits: Any) -> None:
    """Compares an update with central differences in float64, with separate code for the roll and the dropout."""
    v = variant("base", **UPDATES[case])
    state, (image, label) = a_replica(v), (digits[0][0], int(digits[1][0]))
    shift = jnp.array([2, -1]) if v.shift else None
    dropout_mask = np.arange(192) % 5 != 0 if v.dropout else None
    after = compiled(training.update, 0)(v, state, image, label, jnp.float32(8.0), shift, dropout_mask)
    rolled = np.roll(image, (2, -1), (0, 1)) if v.shift else image
    rng = np.random.default_rng(2)
    paths = jax.tree.leaves_with_path(state.params)
    for (path, old), new in zip(paths, jax.tree.leaves(after.params), strict=True):
        gradient = (np.asarray(old, np.float64) - np.asarray(new, np.float64)) / 8.0
        names = tuple(entry.key for entry in path)
        for place in (int(np.abs(gradient).argmax()), int(rng.integers(gradient.size))):
            index = np.unravel_index(place, gradient.shape)
            expected = float64.derivative(v, state.params, names, index, rolled, label, dropout_mask)
            rounding = 1e-7 * np.abs(old).max()
            assert abs(gradient[index] - expected) <= 5e-6 * np.abs(gradient).max() + rounding, (names, index)
    assert after.seed == state.seed


def test_an_epoch_is_its_updates_in_order(digits: Any) -> None:
    """With the draws of `streams`, separate updates give the same weights."""
    from model.streams import draw_dropout_mask, draw_shift, epoch_key

    v, (images, labels) = variant("dropout"), (digits[0][:3], digits[1][:3])
    state = a_replica(v)
    rates_ = jnp.asarray(learning_rates(v, 4, 3))
    whole = compiled(training.train_epoch, 0)(v, state, images, labels, jnp.int32(4), rates_)
    update = compiled(training.update, 0)
    for step in range(3):
        shift = draw_shift(epoch_key(state.seed, "shift", 4), step, v.shift)
        dropout_mask = draw_dropout_mask(epoch_key(state.seed, "dropout", 4), step, v.dropout)
        state = update(v, state, images[step], labels[step], rates_[step], shift, dropout_mask)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["base", "dropout"])
def test_evaluation_counts_misses_and_averages_losses(name: str, digits: Any) -> None:
    """Over more digits than one batch of evaluation, without shifts or dropout."""
    v, batch, n = variant(name), 8, 20
    images, labels = digits[0][:n], digits[1][:n]
    params = a_replica(v, 0.1).params
    evaluate = compiled(training.evaluate, 0, 4)
    score = evaluate(v, params, images, labels, batch)
    few = [0, 1, n - 1]
    outputs = [float64.outputs(v, params, images[i]) for i in few]
    assert score.predictions[np.array(few)].tolist() == [int(o.argmax()) for o in outputs]
    assert score.misses == (np.asarray(score.predictions) != labels).sum()
    single = [float(evaluate(v, params, images[i : i + 1], labels[i : i + 1], batch).loss) for i in few]
    np.testing.assert_allclose(
        single, [float64.loss(v, o, int(labels[i])) for o, i in zip(outputs, few, strict=True)], rtol=1e-5
    )


def test_margins_are_differences_of_the_two_largest_outputs(digits: Any) -> None:
    v, images = variant("softmax"), digits[0][:9]
    params = a_replica(v, 0.1).params
    margins = vmap.margins(v, jax.tree.map(lambda leaf: np.stack([leaf, leaf * np.nan]), params), images)
    assert (margins.shape, margins.dtype) == ((2, 9), np.float16)
    for margin, image in zip(margins[0], images, strict=True):
        *_, second, first = np.sort(float64.outputs(v, params, image))
        assert margin == pytest.approx(first - second, rel=1e-3, abs=1e-4)
    assert np.isnan(margins[1]).all()


def test_the_first_of_equal_outputs_is_predicted() -> None:
    assert predictions(jnp.array([[0.0, 3, 3, 1, 0, 0, 0, 0, 0, 3], [0.0] * 10])).tolist() == [1, 0]


@settings(deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=10, max_size=10), st.integers(0, 9))
def test_losses_by_their_formulas(outputs: list[float], label: int) -> None:
    out = np.array(outputs, np.float32)
    for name in ("base", "softmax"):
        v = variant(name)
        expected = float64.loss(v, out.astype(np.float64), label)
        np.testing.assert_allclose(
            loss(v.objective, jnp.asarray(out), jnp.int32(label)), expected, rtol=1e-5, atol=1e-5
        )
