"""The fast engine for TPUs, in Pallas: weights stay in vector memory for a whole epoch.

Start reading at `kernels.py`, which has the two kernels; `tiles.py` describes how replicas share registers.
On other devices the same kernels run in Pallas' interpreter, for tests.
"""

from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.experimental.pallas import tpu as pltpu

from model import training
from model.engines import unsupported_parts
from model.engines.initial import init
from model.engines.pallas import kernels, layout
from model.engines.pallas.image import LANES
from model.engines.pallas.kernels import CHUNK
from model.engines.pallas.program import Program
from model.engines.pallas.tiles import PIXELS, SMALL_TILE, TILE, Tile
from model.engines.vmap import margins
from model.network import Params
from model.streams import Stream, epoch_key, stream_seed
from model.training import Evaluation, ReplicaState
from model.variants import Variant

__all__ = ["evaluate", "init", "margins", "train_epoch", "unsupported"]


def unsupported(variant: Variant | None = None) -> str | None:
    """Why this engine cannot run here, or cannot train `variant`; None if it can."""
    if jax.default_backend() != "tpu":
        return "this process has no TPU"
    if variant and (reason := unsupported_parts(variant)):
        return reason
    try:
        available = pltpu.get_tpu_info().vmem_capacity_bytes
    except ValueError:
        return f"Pallas does not know the vector memory of {jax.devices()[0].device_kind}"
    needed = Program.training(variant).vector_memory() if variant else 0
    if variant and needed > available:
        has, needs = available // 2**20, -(-needed // 2**20)
        return f"a core has {has} MiB of vector memory, variant {variant.name} needs {needs} MiB"
    return None


def train_epoch(
    variant: Variant, states: ReplicaState, images: np.ndarray, labels: np.ndarray, epoch: int
) -> ReplicaState:
    """See `model.engines.Engine`.

    Raises:
      ValueError: AdamW states differ in their number of updates.
    """
    count, n = len(states.seed), len(images)
    optimizer_state = states.optimizer
    moments: list[Params] = []
    done = 0
    if variant.optimizer == "adamw":
        moments = [optax.tree.get(optimizer_state, name) for name in ("mu", "nu")]
        done = training.updates_done(optimizer_state)
    packed = [_pack_params(tree, _tile()) for tree in (states.params, *moments)]
    after = _train_program(Program.training(variant))(
        *_examples(images, labels),
        _hyperparams(variant, epoch, done, n),
        _keys(_stream_seeds(variant, states.seed), jnp.int32(epoch), _tile()),
        packed,
    )
    params, *moments = (_unpack_params(tiles, count) for tiles in after)
    if moments:
        updates = np.full(count, done + n, np.int32)
        optimizer_state = optax.tree.set(optimizer_state, count=updates, mu=moments[0], nu=moments[1])
    return ReplicaState(states.seed, params, optimizer_state)


def evaluate(variant: Variant, params: Params, images: np.ndarray, labels: np.ndarray) -> Evaluation:
    """See `model.engines.Engine`."""
    count, n = len(jax.tree.leaves(params)[0]), len(images)
    program = Program.evaluation(variant)
    scores = _evaluate_program(program)(*_examples(images, labels), _pack_params(params, _tile()))
    return Evaluation(*map(np.asarray, _unpack_scores(*scores, count, n)))


def _tile() -> Tile:
    return TILE if jax.default_backend() == "tpu" else SMALL_TILE


@cache
def _train_program(program: Program) -> Any:
    return _compiled(partial(kernels.train, program), donate_argnums=5)


@cache
def _evaluate_program(program: Program) -> Any:
    return _compiled(partial(kernels.evaluate, program))


def _compiled(kernel: Any, **options: Any) -> Any:
    if jax.default_backend() == "tpu":
        return jax.jit(kernel, **options)
    # Translating the interpreted kernel takes XLA's CPU back end 20 seconds; optimising it takes minutes.
    unoptimised = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    return jax.jit(partial(kernel, tile=_tile(), interpret=True), compiler_options=unoptimised)


def _examples(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first three arguments of a kernel."""
    n = len(images)
    pixels = np.zeros((_padded(n), PIXELS // LANES, LANES), np.float32)
    pixels[:n] = np.reshape(images, (n, -1, LANES))
    digits = np.zeros((1, _padded(n)), np.int32)
    digits[0, :n] = labels
    return np.array([n], np.int32), pixels, digits


def _padded(n: int) -> int:
    """Examples with padding: whole chunks."""
    return -(-n // CHUNK) * CHUNK


def _hyperparams(variant: Variant, epoch: int, done: int, n: int) -> np.ndarray:
    """[3, padded n] float32: the fields of `optimizer.AdamW` for each update; `optimizer.Sgd` uses the first."""
    rates = training.learning_rates(variant, epoch, n)
    result = np.zeros((3, _padded(n)), np.float32)
    result[0, :n] = rates
    if variant.optimizer == "adamw":
        mean_scale, square_scale = training.bias_corrections(done, n)
        scale = np.sqrt(square_scale.astype(np.float64))
        result[:, :n] = rates * mean_scale / scale, rates * variant.weight_decay, 1e-8 / scale
    return result


DRAWN: tuple[Stream, Stream] = ("shift", "dropout")


def _stream_seeds(variant: Variant, seeds: Array) -> np.ndarray:
    """[2, R] uint32: each replica's seeds of "shift" and "dropout"."""
    return np.stack([stream_seed(variant, stream, np.asarray(seeds)) for stream in DRAWN])


@partial(jax.jit, static_argnums=2)
def _keys(seeds: Array, epoch: Array, tile: Tile) -> Array:
    """[blocks, 4, sublanes, lanes] uint32: each replica's epoch keys of "shift" and "dropout"."""

    def words(seed: Array, stream: Stream) -> Array:
        return jax.random.key_data(epoch_key(seed, stream, epoch))

    keys = [jax.vmap(partial(words, stream=stream))(own) for stream, own in zip(DRAWN, seeds, strict=True)]
    return layout.pack_shared(jnp.concatenate(keys, axis=1), tile)


_pack_params = partial(jax.jit, static_argnums=1)(layout.pack_params)
_unpack_params = partial(jax.jit, static_argnums=1)(layout.unpack_params)


@partial(jax.jit, static_argnums=(3, 4))
def _unpack_scores(
    losses: Array, misses: Array, digits: Array, count: int, n: int
) -> tuple[Array, Array, Array]:
    """Mean losses [R], misses [R] and predictions [R, n] from the results of the kernel."""
    losses, misses = (layout.unpack_shared(x, count)[:, 0] for x in (losses, misses))
    return losses / n, misses, layout.unpack_shared(digits[:, :n], count).astype(jnp.int8)
