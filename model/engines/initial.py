"""Initial replicas, shared by all engines: the initial weights of a seed have the same bits in every engine."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from model import training
from model.engines.blocks import in_blocks
from model.streams import stream_seed
from model.training import ReplicaState
from model.variants import Variant


def init(variant: Variant, seeds: np.ndarray) -> ReplicaState:
    """Untrained replicas.

    Args:
      variant: initialisation, output bias and optimizer.
      seeds: [R] uint32.

    Returns:
      States with leaves [R, …].
    """
    seeds = np.asarray(seeds, np.uint32)
    # Fixed seeds are arguments of the program too: constant folding would round differently.
    program = _init_program(replace(variant, init_seed=None))
    drawn = in_blocks(program, jnp.asarray(stream_seed(variant, "init", seeds)))
    return drawn._replace(seed=jnp.asarray(seeds))


@cache
def _init_program(variant: Variant) -> Callable[[jax.Array], ReplicaState]:
    # XLA's CPU back end needs four seconds to optimise this program, which then runs for a millisecond.
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(jax.vmap(partial(training.init, variant)), compiler_options=options)
