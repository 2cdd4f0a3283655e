"""The programs of `vmap` lower for TPUs and CUDA devices, without a plugin or a device."""

import jax
import jax.numpy as jnp
import pytest

from model import training
from model.engines import vmap
from model.variants import VARIANTS

WIDTH, EXAMPLES = 256, 300


@pytest.mark.parametrize("name", VARIANTS)
def test_training_and_evaluation_lower_for_accelerators(name: str) -> None:
    v = VARIANTS[name]
    states = jax.eval_shape(
        jax.vmap(lambda s: training.init(v, s)), jax.ShapeDtypeStruct((WIDTH,), jnp.uint32)
    )
    images = jax.ShapeDtypeStruct((EXAMPLES, 16, 16), jnp.float32)
    labels = jax.ShapeDtypeStruct((EXAMPLES,), jnp.int32)
    rates, epoch = jax.ShapeDtypeStruct((EXAMPLES,), jnp.float32), jax.ShapeDtypeStruct((), jnp.int32)
    train = jax.export.export(vmap._train_epoch, platforms=("tpu", "cuda"))
    evaluate = jax.export.export(vmap._evaluate, platforms=("tpu", "cuda"))
    for program in (
        train(v, states, images, labels, epoch, rates),
        evaluate(v, states.params, images, labels),
    ):
        assert program.platforms == ("tpu", "cuda")
        assert "stablehlo.convolution" not in program.mlir_module()  # a grouped one, slow on every back end
