"""Training and evaluation of one replica. `model.engines` adds the replica axis."""

from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from model.network import Network, Params, outputs
from model.objective import loss, output_curvature, predictions
from model.streams import draw_dropout_mask, draw_shift, epoch_key, stream_key, stream_seed
from model.variants import Variant


class ReplicaState(NamedTuple):
    """One replica between two updates. Engines put a leading replica axis on every leaf."""

    seed: Array  # [] uint32
    params: Params
    optimizer: optax.OptState


class Evaluation(NamedTuple):
    """Results of one replica on one split. Engines put a leading replica axis on every field."""

    loss: Array | np.ndarray  # [] float32, mean over the examples
    misses: Array | np.ndarray  # [] int32
    predictions: Array | np.ndarray  # [N] int8, predicted digits


def optimizer(variant: Variant) -> optax.GradientTransformation:
    """The direction of an update as an Optax transformation; `update` multiplies it by minus the learning rate.

    "adamw" with this multiplication is `optax.adamw` with its default moments. "newton" scales the direction by
    `step_scales`, which are constant during an epoch and therefore no optimizer state.
    """
    if variant.optimizer in ("sgd", "newton"):
        return optax.identity()
    return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(variant.weight_decay))


def learning_rates(variant: Variant, epoch: int, n: int) -> np.ndarray:
    """Learning rate of each update of an epoch.

    Args:
      variant: `lr_schedule`, and the rates at its start and end.
      epoch: from 1.
      n: updates in an epoch.

    Returns:
      [n] float32. "step": linear in the updates of the whole run; it reaches the end value after the last
      update (Chang). "epoch": linear in epochs, constant within one; the last epoch has the end value (Karpathy).
    """
    start, end = variant.learning_rate, variant.learning_rate * variant.final_fraction
    if variant.lr_schedule == "none":
        return np.full(n, start, np.float32)
    if variant.lr_schedule == "epoch":
        share = (epoch - 1) / max(variant.epochs - 1, 1)
        return np.full(n, (1 - share) * start + share * end, np.float32)
    done = (np.arange(n) + (epoch - 1) * n) / (variant.epochs * n)
    return (start + (end - start) * done).astype(np.float32)


def updates_done(state: optax.OptState) -> int:
    """Updates that AdamW replicas have done. state: leaves [R, …].

    Raises:
      ValueError: not all have done the same number.
    """
    updates = np.unique(np.asarray(optax.tree.get(state, "count")))
    if len(updates) > 1:
        raise ValueError(
            f"replicas have done {updates[0]} to {updates[-1]} updates: all must have done the same number"
        )
    return int(updates[0])


def bias_corrections(done: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors of AdamW's two moments in the n updates after the first `done`, each [n] float32, as Optax's."""
    updates = jnp.arange(done + 1, done + n + 1, dtype=jnp.int32)
    mean, square = (optax.tree.bias_correction(jnp.ones(n), decay, updates) for decay in (0.9, 0.999))
    return np.asarray(mean), np.asarray(square)


def init(variant: Variant, seed: Array) -> ReplicaState:
    """An untrained replica. seed: [] uint32, from `stream_seed`."""
    params = init_params(variant, seed)
    return ReplicaState(seed, params, optimizer(variant).init(params))


def init_params(variant: Variant, seed: Array) -> Params:
    """Initial weights. They depend on no field of the variant but `init` and `output_bias`."""
    params: Params = Network(variant).init(stream_key(seed, "init"), jnp.zeros((16, 16)))["params"]
    return params


def update(
    variant: Variant,
    state: ReplicaState,
    image: Array,
    label: Array,
    learning_rate: Array,
    shift: Array | None,
    dropout_mask: Array | None,
    scales: Params | None = None,
) -> ReplicaState:
    """Present one digit and change the weights.

    Args:
      variant: static.
      state: one replica.
      image: [16, 16] float32 in [-1, 1].
      label: [] int32 in 0..9.
      learning_rate: [] float32.
      shift: [2] int32, rows and columns to roll the image by; None for none.
      dropout_mask: [192] bool, outputs of H2 that dropout keeps; None for all.
      scales: of "newton", `step_scales`; None for the other optimizers.
    """
    if shift is not None:
        image = roll(image, shift, variant.shift)

    def objective(params: Params) -> Array:
        return loss(variant.objective, outputs(variant, params, image, dropout_mask), label)

    gradient = jax.grad(objective)(state.params)
    direction, optimizer_state = optimizer(variant).update(gradient, state.optimizer, state.params)
    if scales is not None:
        direction = jax.tree.map(jnp.multiply, direction, scales)
    params = jax.tree.map(lambda p, d: p - learning_rate * d, state.params, direction)
    return ReplicaState(state.seed, params, optimizer_state)


def curvature(variant: Variant, params: Params, images: Array) -> Params:
    """Diagonal second derivatives of the loss, positive approximation, mean over images: see `model.curvature`.

    Args:
      variant: static.
      params: one replica's.
      images: [N, 16, 16] float32.

    Returns:
      A tree like `params`, no element negative.
    """

    def answer(params: Params, image: Array) -> Array:
        return cast(Array, Network(variant, second_order=True).apply({"params": params}, image))

    def add(total: Params, image: Array) -> tuple[Params, None]:
        answers, backward = jax.vjp(lambda p: answer(p, image), params)
        (one,) = backward(output_curvature(variant.objective, answers))
        return jax.tree.map(jnp.add, total, one), None

    total, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), images)
    mean: Params = jax.tree.map(lambda h: h / len(images), total)
    return mean


def step_scales(variant: Variant, params: Params, images: Array) -> Params:
    """Factors 1 / (damping + h) of the learning rate in an epoch of "newton", h the curvature at its start.

    Args:
      variant: static.
      params: one replica's, at the start of the epoch.
      images: [N, 16, 16] float32, the epoch's; the first `curvature_digits` of them are used.
    """
    h = curvature(variant, params, images[: variant.curvature_digits])
    scales: Params = jax.tree.map(lambda h: 1 / (variant.damping + h), h)
    return scales


def roll(image: Array, shift: Array, largest: int) -> Array:
    """`jnp.roll` of an image [16, 16] by a shift [2] of at most `largest` pixels in each direction.

    It selects among static rolls, because a roll by a traced number is a gather, slow on accelerators.
    """
    for axis in (0, 1):
        rolls = [jnp.roll(image, pixels, axis) for pixels in range(-largest, largest + 1)]
        image = jax.lax.select_n(shift[axis] + largest, *rolls)
    return image


def train_epoch(
    variant: Variant, state: ReplicaState, images: Array, labels: Array, epoch: Array, rates: Array
) -> ReplicaState:
    """Present every training digit once, changing the weights after each.

    Args:
      variant: static.
      state: one replica.
      images: [N, 16, 16] float32 in [-1, 1], in presentation order.
      labels: [N] int32 in 0..9.
      epoch: [] int32, from 1; selects the random draws.
      rates: [N] float32, learning rate of each update (`learning_rates`).

    Returns:
      The state after N updates.
    """
    shift_key = epoch_key(stream_seed(variant, "shift", state.seed), "shift", epoch)
    dropout_key = epoch_key(stream_seed(variant, "dropout", state.seed), "dropout", epoch)

    scales = step_scales(variant, state.params, images) if variant.optimizer == "newton" else None

    def step(state: ReplicaState, example: tuple[Array, Array, Array, Array]) -> tuple[ReplicaState, None]:
        number, image, label, rate = example
        shift = draw_shift(shift_key, number, variant.shift) if variant.shift else None
        dropout_mask = draw_dropout_mask(dropout_key, number, variant.dropout) if variant.dropout else None
        return update(variant, state, image, label, rate, shift, dropout_mask, scales), None

    numbers = jnp.arange(images.shape[0], dtype=jnp.int32)
    return jax.lax.scan(step, state, (numbers, images, labels, rates))[0]


def evaluate(variant: Variant, params: Params, images: Array, labels: Array, batch: int) -> Evaluation:
    """Evaluate one replica, without shifts or dropout.

    Args:
      variant: static.
      params: one replica's.
      images: [N, 16, 16] float32.
      labels: [N] int32.
      batch: static; images per step. It bounds the memory and does not change the mathematics.
    """

    def score(example: tuple[Array, Array]) -> tuple[Array, Array]:
        image, label = example
        answer = outputs(variant, params, image)
        return loss(variant.objective, answer, label), predictions(answer)

    losses, predicted = jax.lax.map(score, (images, labels), batch_size=batch)
    return Evaluation(
        loss=jnp.mean(losses),
        misses=jnp.sum(predicted != labels, dtype=jnp.int32),
        predictions=predicted.astype(jnp.int8),
    )


def margins(variant: Variant, params: Params, images: Array, batch: int) -> Array:
    """Largest minus second largest output: [N] float16, NaN where one of them is not finite. See `evaluate`."""

    def margin(image: Array) -> Array:
        answer = outputs(variant, params, image)
        first, second = jax.lax.top_k(answer, 2)[0]
        margin = first - second
        return jnp.where(jnp.isfinite(margin), margin, jnp.nan).astype(jnp.float16)

    result: Array = jax.lax.map(margin, images, batch_size=batch)
    return result
