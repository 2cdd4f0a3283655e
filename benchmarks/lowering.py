"""Lowers the programs of `vmap` for a device that need not be present. JAX is imported when a function is called."""

from collections.abc import Callable
from functools import partial
from typing import Any

TRAIN, TEST = 7291, 2007  # digits
PARTS = ("training", "evaluation")


def shapes(device: Any) -> Callable[..., Any]:
    """A function of dimensions and dtype that describes an array on a device."""
    import jax

    sharding = jax.sharding.SingleDeviceSharding(device)

    def shape(dims: tuple[int, ...], dtype: Any = "float32") -> Any:
        return jax.ShapeDtypeStruct(dims, dtype, sharding=sharding)

    return shape


def lower_vmap(name: str, part: str, replicas: int, device: Any) -> Any:
    """An epoch of training, or the evaluation of the test digits, as a `jax.stages.Lowered`.

    Args:
      name: a variant.
      part: "training" or "evaluation".
      replicas: replicas in a block.
      device: of a topology.
    """
    import jax

    from model import training
    from model.engines import vmap
    from model.variants import VARIANTS

    shape, variant = shapes(device), VARIANTS[name]
    seeds = jax.ShapeDtypeStruct((replicas,), "uint32")
    states = jax.eval_shape(jax.vmap(partial(training.init, variant)), seeds)
    states = jax.tree.map(lambda leaf: shape(leaf.shape, leaf.dtype), states)
    n = TRAIN if part == "training" else TEST
    digits = shape((n, 16, 16)), shape((n,), "int32")
    if part == "evaluation":
        return vmap._evaluate.lower(variant, states.params, *digits)
    return vmap._train_epoch.lower(variant, states, *digits, shape((), "int32"), shape((n,)))
