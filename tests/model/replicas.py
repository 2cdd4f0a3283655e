"""Untrained replicas for tests, and compilation for programs that run only once."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax
import numpy as np

from model import training
from model.names import Init
from model.training import Params, ReplicaState
from model.variants import Variant, variant


def fresh(v: Variant, seeds: Sequence[int] | np.ndarray) -> ReplicaState:
    """Replicas of seeds from 0 to 32 as writable NumPy arrays [R, …]; equals `vmap.init` up to rounding."""
    params = jax.tree.map(lambda leaf: leaf[np.asarray(seeds)], drawn(v.init))
    params["bias4"] = np.full_like(params["bias4"], v.output_bias)
    optimizer_state = jax.vmap(training.optimizer(v).init)(params)
    return ReplicaState(np.array(seeds, np.uint32), params, jax.tree.map(np.array, optimizer_state))


@cache
def drawn(distribution: Init) -> Params:
    """Parameters of the seeds 0 to 32."""
    return init(variant("base", init=distribution), 33)


def init(v: Variant, count: int) -> Params:
    """`training.init` of the seeds from 0."""
    program = compiled(jax.vmap(lambda seed: training.init(v, seed).params))
    return jax.tree.map(np.asarray, program(np.arange(count, dtype=np.uint32)))


def compiled(function: Any, *static: int) -> Any:
    """`jax.jit` without optimisation, which takes longer than such a program runs. static: static arguments."""
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(function, static_argnums=static, compiler_options=options)
