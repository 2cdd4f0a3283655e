"""The engine pallas in Pallas' interpreter, against vmap: same gradients, draws and scores, no effect of neighbours.

One interpreted program takes half a minute to compile and milliseconds to run, so CI compiles the training of `base`
and of `dropout` and one evaluation; the other programs are slow tests. `test_engines.py` has the tests that all
engines share.
"""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.experimental import pallas as pl

from model.engines import choose, pallas, unsupported_parts, vmap
from model.engines.pallas import draws, image, kernels, layout, objective
from model.engines.pallas.program import Program
from model.engines.pallas.tiles import PARAMETER_TILES, SMALL_TILE, TILE, share
from model.engines.pallas.tiles import replicas as block
from model.objective import loss, predictions
from model.streams import draw_dropout_mask, draw_shift, epoch_key
from model.training import ReplicaState
from model.variants import RECIPES, VARIANTS, Variant, variant
from tests.model.replicas import fresh

FAST = ("base", "dropout")
ALL = [
    pytest.param(name, recipe, marks=() if name in FAST and recipe == "flax" else pytest.mark.slow)
    for name in VARIANTS
    for recipe in RECIPES
    if unsupported_parts(variant(name, recipe)) is None
]
TINY = (2, 4)  # a tile of four replicas


# --- the same mathematics ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_one_update_agrees_with_vmap(name: str, recipe: str, digits: Any) -> None:
    """Plain steps to 2e-6 of a tensor's longest one. AdamW's first step is the sign of the gradient, so there the
    moments are compared, which are the gradient and its square."""
    v, (images, labels) = variant(name, recipe), digits
    assert_same_training(v, fresh(v, [0, 1, 2]), images[:1], labels[:1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["base", "adamw", "dropout"])
@pytest.mark.parametrize("width", [3, 33 * 3])
def test_three_updates_agree_with_vmap_at_two_widths(name: str, width: int, digits: Any) -> None:
    v, (images, labels) = variant(name), digits
    assert_same_training(v, fresh(v, np.arange(width) % 33), images[:3], labels[:3])


def assert_same_training(v: Variant, before: ReplicaState, images: np.ndarray, labels: np.ndarray) -> None:
    ours = pallas.train_epoch(v, before, images, labels, 2)
    theirs = vmap.train_epoch(v, before, images, labels, 2)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    np.testing.assert_array_equal(ours.seed, before.seed)
    if v.optimizer == "adamw":
        np.testing.assert_array_equal(*(optax.tree.get(s.optimizer, "count") for s in (ours, theirs)))
        compared = [[optax.tree.get(s.optimizer, m) for m in ("mu", "nu")] for s in (ours, theirs)]
        start = jax.tree.map(jnp.zeros_like, compared[0])
    else:
        compared, start = [ours.params, theirs.params], before.params
    for a, b, old in zip(*map(jax.tree.leaves, (*compared, start)), strict=True):
        a, b, old = (np.asarray(x, np.float64) for x in (a, b, old))
        rounding = len(images) * 1.2e-7 * np.abs(old).max()  # of the weight itself, once in each update
        assert a.shape == b.shape
        assert np.abs(b - old).max() > 0
        assert np.abs(a - b).max() <= 2e-6 * np.abs(b - old).max() + rounding


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "base" else pytest.mark.slow) for name in VARIANTS]
)
def test_evaluation_equals_that_of_vmap(name: str, digits: Any) -> None:
    """To the last prediction, over two chunks of examples, with a replica that is not finite among the others."""
    v, (images, labels) = variant(name), (digits[0][:150], digits[1][:150])
    params = fresh(v, [3, 4, 5]).params
    params["Dense_0"]["kernel"][1] *= 3  # so that predictions differ
    params["bias4"][2, 4] = np.nan
    ours, theirs = (e.evaluate(v, params, images, labels) for e in (pallas, vmap))
    np.testing.assert_array_equal(ours.predictions, theirs.predictions)
    np.testing.assert_array_equal(ours.misses, theirs.misses)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-5)
    assert [x.dtype for x in ours] == [x.dtype for x in theirs]
    assert len(np.unique(ours.predictions[:2])) > 1


def test_replicas_do_not_depend_on_other_replicas(digits: Any) -> None:
    v, (images, labels) = variant("dropout"), digits
    together = pallas.train_epoch(v, fresh(v, [4, 5, 6]), images[:1], labels[:1], 2)
    poisoned = fresh(v, [9, 6, 7])
    poisoned.params["Dense_0"]["kernel"][0] = np.nan
    alone = pallas.train_epoch(v, poisoned, images[:1], labels[:1], 2)
    for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[2], np.asarray(b)[1])


def test_replicas_with_different_numbers_of_updates_are_an_error(digits: Any) -> None:
    v = variant("adamw")
    before = fresh(v, [0, 1])
    uneven = optax.tree.set(before.optimizer, count=np.array([0, 5], np.int32))
    with pytest.raises(ValueError, match="0 to 5 updates"):
        pallas.train_epoch(v, before._replace(optimizer=uneven), digits[0][:1], digits[1][:1], 1)


# --- the parts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 4, 9])
def test_packing_loses_nothing(count: int) -> None:
    params = fresh(variant("base"), np.arange(count)).params
    tiles = layout.pack_params(params, TINY)
    assert tiles.shape == (-(-count // 4), PARAMETER_TILES, *TINY)
    back = layout.unpack_params(tiles, count)
    assert jax.tree.structure(back) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("seeds", "epoch", "step"), [([0, 1, 2, 2**32 - 1], 1, 0), ([7, 8, 9, 10], 80, 7290)]
)
@pytest.mark.parametrize(("largest", "rate"), [(1, 0.25), (8, 0.99)])
def test_draws_are_those_of_streams_bit_for_bit(
    seeds: list[int], epoch: int, step: int, largest: int, rate: float
) -> None:
    array = np.array(seeds, np.uint32)
    keys = pallas._keys(np.stack([array, array]), jnp.int32(epoch), TINY)[0]
    drop_below = Program("tanh", "tanh", "squared", dropout=rate).drop_below

    def kernel(keys: Any, step: Any, shifts: Any, mask: Any) -> None:
        shift_key, dropout_key = (draws.Key(keys[i], keys[i + 1]) for i in (0, 2))
        shifts[0], shifts[1] = draws.draw_shift(shift_key, step[0], largest)
        draws.draw_dropout_mask(dropout_key, step[0], drop_below, mask)

    shapes = jax.ShapeDtypeStruct((2, *TINY), jnp.int32), jax.ShapeDtypeStruct((96, *TINY), jnp.float32)
    shifts, mask = interpreted(kernel, shapes)(keys, jnp.array([step], jnp.int32))
    for i, seed in enumerate(array):
        expected = draw_shift(epoch_key(seed, "shift", epoch), np.int32(step), largest) + largest
        np.testing.assert_array_equal(np.asarray(shifts)[:, :, i], np.stack([expected, expected], axis=1))
        kept = draw_dropout_mask(epoch_key(seed, "dropout", epoch), np.int32(step), rate)
        np.testing.assert_array_equal(np.asarray(mask)[:, :, i].reshape(192), kept)


@pytest.mark.parametrize("largest", [1, 8])
def test_rolls_are_those_of_numpy(largest: int) -> None:
    rng = np.random.default_rng(largest)
    pixels = rng.normal(size=(1, 2, 128)).astype(np.float32)
    rows, columns = (np.tile(rng.integers(0, 2 * largest + 1, 4), (2, 1)).astype(np.int32) for _ in range(2))

    def kernel(pixels: Any, rows: Any, columns: Any, out: Any) -> None:
        image.show(out, pixels, 0, TINY)
        image.roll(out, rows[...], columns[...], largest)

    shape = jax.ShapeDtypeStruct((256, *TINY), jnp.float32)
    out = np.asarray(interpreted(kernel, shape)(pixels, rows, columns))
    for i in range(4):
        shift = rows[0, i] - largest, columns[0, i] - largest
        expected = np.roll(pixels.reshape(16, 16), shift, (0, 1)).reshape(256)
        np.testing.assert_array_equal(out[:, 0, i], expected)
        np.testing.assert_array_equal(out[:, 1, i], expected)


@pytest.mark.parametrize("kind", ["squared", "cross_entropy"])
@pytest.mark.parametrize("output", ["tanh", "linear"])
def test_losses_and_their_derivatives_are_those_of_the_model(kind: Any, output: Any) -> None:
    sums = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    paired = list(layout._pack(jnp.stack([sums[:, ::2], sums[:, 1::2]], 1), TINY)[0])

    def reference(sums: jax.Array) -> jax.Array:
        return loss(kind, jnp.tanh(sums) if output == "tanh" else sums, jnp.int32(7))

    @jax.jit
    def parts() -> Any:
        outs, label = objective.outputs(output, paired), jnp.int32(7)
        deltas = objective.deltas(kind, output, outs, label)
        return [x for delta in deltas for x in share(delta)], objective.loss(kind, outs, label)

    ours, ours_loss = parts()
    expected = jax.vmap(jax.grad(reference))(sums)
    np.testing.assert_allclose(np.stack([d[0] for d in ours], 1), expected, atol=3e-7)
    np.testing.assert_allclose(ours_loss[1], jax.vmap(reference)(sums), rtol=1e-6)


def test_the_predicted_digit_is_the_first_of_the_largest_or_of_no_number() -> None:
    outs = np.zeros((8, 10), np.float32)
    outs[1, 9] = outs[2, [3, 5]] = outs[6, :] = np.inf
    outs[3, [4, 6]] = outs[4, 0] = np.nan
    outs[4, 1] = outs[5, 2] = 1
    ours = objective.predicted_digit(list(jnp.asarray(outs.T.reshape(10, 2, 4))))
    np.testing.assert_array_equal(np.asarray(ours).reshape(8), predictions(outs))


def interpreted(kernel: Any, out_shape: Any) -> Any:
    return pallas._compiled(
        lambda *args, **_: pl.pallas_call(kernel, out_shape=out_shape, interpret=True)(*args)
    )


# --- where it runs -------------------------------------------------------------------------------------------


def test_without_a_tpu_vmap_is_selected() -> None:
    name, why = choose("auto", variant("base"), "tpu")
    assert (name, why) == ("vmap", "engine 'pallas' is not available: this process has no TPU; using 'vmap'")


def test_a_chip_with_too_little_vector_memory_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    info = SimpleNamespace(vmem_capacity_bytes=64 * 2**20)
    monkeypatch.setattr("jax.experimental.pallas.tpu.get_tpu_info", lambda: info)
    assert pallas.unsupported() is None
    assert pallas.unsupported(variant("softmax")) is None
    reason = pallas.unsupported(variant("adamw"))
    assert reason == "a core has 64 MiB of vector memory, variant adamw needs 66 MiB"


@pytest.mark.parametrize("name", VARIANTS)
def test_programs_export_for_a_tpu_without_one(name: str) -> None:
    """Pallas accepts every operation. tests/benchmarks/test_tpu.py runs the compiler."""
    n = kernels.CHUNK
    examples = shape(1, dtype="int32"), shape(n, 2, 128), shape(1, n, dtype="int32")
    params = shape(2, PARAMETER_TILES, *TILE)
    program = Program.training(VARIANTS[name])
    keys, states = shape(2, 4, *TILE, dtype="uint32"), [params] * len(program.states(TILE))
    train = jax.jit(partial(kernels.train, program))
    programs = [jax.export.export(train, platforms=["tpu"])(*examples, shape(3, n), keys, states)]
    if name in FAST:  # the others share the evaluation of these, but for the loss
        evaluate = jax.jit(partial(kernels.evaluate, Program.evaluation(VARIANTS[name])))
        programs.append(jax.export.export(evaluate, platforms=["tpu"])(*examples, params))
    for exported in programs:
        assert exported.mlir_module().count("tpu_custom_call") == 1


def shape(*dims: int, dtype: str = "float32") -> Any:
    return jax.ShapeDtypeStruct(dims, dtype)


def test_variants_share_programs_where_they_can() -> None:
    v = variant("dropout")
    same = replace(
        v, name="x", learning_rate=1.0, epochs=3, weight_decay=0.5, init="karpathy", output_bias=0.5
    )
    assert Program.training(v) == Program.training(same)
    assert Program.evaluation(v) == Program.evaluation(replace(v, shift=0, dropout=0.0, optimizer="sgd"))
    assert block(TILE) == 512
    assert block(SMALL_TILE) == 64
