"""Repeat the training of the published notebooks, epoch by epoch.

A notebook's run is one replica of `model.training.update` with the notebook's own keys, digits and random
numbers. Sources of the printed lines: lecun1989-flax.ipynb (base, dropout) and lecun_scratch.ipynb (softmax),
P. G. Chang.
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from data.dataset import Dataset
from model.network import Network, Params, outputs
from model.training import ReplicaState, learning_rates, optimizer, update
from model.variants import Variant, variant
from sweep.replay.printed import REPLAYABLE, Line


def replay(name: str, dataset: Dataset, epochs: int) -> Iterator[Line]:
    """Run a notebook's program.

    Args:
      name: a key of `REPLAYABLE`.
      dataset: mnist with the notebook's subset.
      epochs: number of epochs, from 1 to the variant's own.

    Yields:
      Two lines per epoch: train, then test.
    """
    replayed = variant(name, REPLAYABLE[name])
    with jax.threefry_partitionable(False):  # the notebook's PRNG layout
        state = _notebook_init(replayed)
        for epoch in range(1, epochs + 1):
            n = len(dataset.train.labels)
            rates = jnp.asarray(learning_rates(replayed, epoch, n))
            state = _epoch(
                replayed, state, dataset.train.images, dataset.train.labels, rates, (epoch - 1) * n
            )
            for split, digits in (("train", dataset.train), ("test", dataset.test)):
                loss, error = _score(replayed, state.params, digits.images, digits.labels)
                # The notebook truncates the product to an integer, which is one too low in places.
                misses = int(np.float32(error) * len(digits.labels))
                yield Line(epoch, split, f"{float(loss):e}", f"{float(error) * 100:.2f}", misses)


class _RandomNumbers(nn.Module):
    """The random numbers of one step, drawn in the same module structure as the notebook's, for equal keys."""

    rate: float
    shift: int

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        shift = jax.random.randint(self.make_rng("aug"), (2,), -self.shift, self.shift + 1)
        ones = nn.Dropout(self.rate, deterministic=False)(jnp.ones((1, 4, 4, 12)))
        return shift, (ones != 0).reshape(-1)


def _notebook_init(replayed: Variant) -> ReplicaState:
    key, _ = jax.random.split(jax.random.PRNGKey(42))
    if replayed.dropout:
        key, *_ = jax.random.split(key, 3)
    params = Network(replayed).init(key, jnp.zeros((1, 16, 16)))["params"]
    return ReplicaState(jnp.uint32(0), params, optimizer(replayed).init(params))


@partial(jax.jit, static_argnums=0)
def _epoch(
    replayed: Variant, state: ReplicaState, images: Array, labels: Array, rates: Array, done: Array
) -> ReplicaState:
    def step(state: ReplicaState, example: tuple[Array, ...]) -> tuple[ReplicaState, None]:
        number, image, label, rate = example
        shift = dropout_mask = None
        if replayed.dropout:
            aug, dropout = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(0), number))
            numbers = _RandomNumbers(replayed.dropout, replayed.shift)
            shift, dropout_mask = numbers.apply({}, rngs={"aug": aug, "dropout": dropout})
        return update(replayed, state, image, label, rate, shift, dropout_mask), None

    numbers = done + jnp.arange(images.shape[0])
    return jax.lax.scan(step, state, (numbers, images, labels, rates))[0]


@partial(jax.jit, static_argnums=0)
def _score(replayed: Variant, params: Params, images: Array, labels: Array) -> tuple[Array, Array]:
    """Loss and error over a whole split, computed as in the notebook."""
    answers = outputs(replayed, params, images)
    if replayed.parent == "dropout":
        targets = jax.nn.one_hot(labels, 10)
        losses = -jnp.sum(targets * jax.nn.log_softmax(answers), axis=-1)
        loss = jnp.mean(losses)
    else:
        # The scratch notebook prints the squared error of logits against one-hot targets, not its training loss.
        low = -1.0 if replayed.objective == "squared" else 0.0
        targets = jnp.where(jax.nn.one_hot(labels, 10) > 0, 1.0, low)
        loss = jnp.mean((answers - targets) ** 2)
    return loss, jnp.mean(jnp.argmax(answers, -1) != labels)
