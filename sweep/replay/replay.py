"""Train exactly what the notebook trained and print, epoch by epoch, its printed line and ours.

The notebook's run is one replica of `model.training.update` fed with the notebook's own keys, digits and
draws. Sources of the printed lines: lecun1989-flax.ipynb (base, dropout) and lecun_scratch.ipynb (softmax),
P. G. Chang.
"""

from collections.abc import Iterator
from dataclasses import dataclass
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

RECIPE = {
    "base": "flax",
    "softmax": "notebook",
    "dropout": "flax",
}  # which conventions each was printed under


@dataclass(frozen=True)
class Line:
    """One printed line: the notebook's format and rounding."""

    epoch: int
    split: str
    loss: float
    error: float  # fraction, the mean of float32 zeros and ones
    count: int

    def __str__(self) -> str:
        misses = int(np.float32(self.error) * self.count)  # as the notebook prints it: off by one in places
        return f"eval: split {self.split:5s}. loss {self.loss:e}. error {self.error * 100:.2f}%. misses: {misses}"


def replay(name: str, dataset: Dataset, epochs: int) -> Iterator[Line]:
    """Run the notebook's program.

    Args:
      name: "base", "softmax" or "dropout".
      dataset: mnist, drawn as the notebook drew it.
      epochs: passes; 0 < epochs <= the variant's own.

    Yields:
      Two lines an epoch: train, test.
    """
    replayed = variant(name, RECIPE[name])
    with jax.threefry_partitionable(False):  # the generator of the notebook's time
        state = _notebook_init(replayed)
        for epoch in range(1, epochs + 1):
            n = len(dataset.train.labels)
            rates = jnp.asarray(learning_rates(replayed, epoch, n))
            state = _epoch(
                replayed, state, dataset.train.images, dataset.train.labels, rates, (epoch - 1) * n
            )
            for split, digits in (("train", dataset.train), ("test", dataset.test)):
                loss, error = _score(replayed, state.params, digits.images, digits.labels)
                yield Line(epoch, split, float(loss), float(error), len(digits.labels))


class _Draws(nn.Module):
    """The notebook's draws for one step: made where its network made them, so that the keys agree."""

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
        shift = kept = None
        if replayed.dropout:
            aug, dropout = jax.random.split(jax.random.fold_in(jax.random.PRNGKey(0), number))
            draws = _Draws(replayed.dropout, replayed.shift)
            shift, kept = draws.apply({}, rngs={"aug": aug, "dropout": dropout})
        return update(replayed, state, image, label, rate, shift, kept), None

    numbers = done + jnp.arange(images.shape[0])
    return jax.lax.scan(step, state, (numbers, images, labels, rates))[0]


@partial(jax.jit, static_argnums=0)
def _score(replayed: Variant, params: Params, images: Array, labels: Array) -> tuple[Array, Array]:
    """Loss and error as the notebook computed them, over a whole split at once."""
    answers = outputs(replayed, params, images)
    if replayed.parent == "dropout":
        targets = jax.nn.one_hot(labels, 10)
        losses = -jnp.sum(targets * jax.nn.log_softmax(answers), axis=-1)
        loss = jnp.mean(losses)
    else:
        # The scratch notebook went on printing the squared error after it had changed the training loss,
        # then of logits against one-hot targets.
        low = -1.0 if replayed.objective == "squared" else 0.0
        targets = jnp.where(jax.nn.one_hot(labels, 10) > 0, 1.0, low)
        loss = jnp.mean((answers - targets) ** 2)
    return loss, jnp.mean(jnp.argmax(answers, -1) != labels)


def notebook_lines() -> dict[tuple[str, int, str], str]:
    """The notebooks' printed lines by (variant, epoch, split), as far as they are known."""
    import csv
    from importlib import resources

    lines = {}
    with resources.files("sweep.replay").joinpath("notebook.csv").open() as file:
        for row in csv.DictReader(file):
            text = (
                f"eval: split {row['split']:5s}. loss {float(row['loss']):e}. "
                f"error {float(row['error_percent']):.2f}%. misses: {row['misses_printed']}"
            )
            lines[row["variant"], int(row["epoch"]), row["split"]] = text
    return lines
