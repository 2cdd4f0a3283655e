"""Initial replicas, shared by all engines: the initial weights of a seed have the same bits in every engine."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np

from model import training
from model.engines.blocks import in_blocks
from model.names import Init
from model.network import Params
from model.streams import stream_seed
from model.training import ReplicaState
from model.variants import VARIANTS, Variant

BASE = VARIANTS["base"]


def init(variant: Variant, seeds: np.ndarray) -> ReplicaState:
    """Untrained replicas.

    Args:
      variant: initialisation, output bias and optimizer.
      seeds: [R] uint32.

    Returns:
      States with leaves [R, …].
    """
    seeds = np.asarray(seeds, np.uint32)
    params = in_blocks(_params_program(variant.init), stream_seed(variant, "init", seeds))
    params["bias4"] = np.full_like(params["bias4"], variant.output_bias)
    shapes = template(variant).optimizer
    optimizer = jax.tree.map(lambda leaf: np.zeros((len(seeds), *leaf.shape), leaf.dtype), shapes)
    return ReplicaState(jnp.asarray(seeds), params, optimizer)


@cache
def template(variant: Variant) -> ReplicaState:
    """Shapes and dtypes of one replica."""
    optimizer = jax.eval_shape(training.optimizer(variant).init, _params_shapes())
    return ReplicaState(jnp.zeros((), jnp.uint32), _params_shapes(), optimizer)


@cache
def _params_shapes() -> Params:
    """Shapes and dtypes of the weights, the same in every variant."""
    shapes: Params = jax.eval_shape(partial(training.init_params, BASE), jnp.zeros((), jnp.uint32))
    return shapes


@cache
def _params_program(init: Init) -> Callable[[jax.Array], Params]:
    """Draws weights, with any output bias. One program serves many variants: compiling it takes half a second."""
    variant = replace(BASE, init=init)
    # XLA's CPU back end needs four seconds to optimise this program, which then runs for a millisecond.
    options = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(jax.vmap(partial(training.init_params, variant)), compiler_options=options)
