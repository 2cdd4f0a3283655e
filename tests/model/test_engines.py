"""The contract: all engines compute the same mathematics, and replicas are independent of each other."""

import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import optax
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from model.engines import ENGINES, EngineInfo, choose, lanes, load_engine, preferred_width, vmap
from model.engines.lanes import library
from model.network import outputs
from model.streams import draw_dropout_mask, draw_shift, epoch_key
from model.training import ReplicaState, learning_rates
from model.variants import RECIPES, VARIANTS, Variant, variant
from tests.model import float64
from tests.model.replicas import fresh

needs_lanes = pytest.mark.skipif(lanes.unsupported() is not None, reason=str(lanes.unsupported()))
ALL = [(name, recipe) for name in VARIANTS for recipe in RECIPES]
STEEP = 2.0**19  # a learning rate so large that what is left of a weight after an update is its gradient
ENGINE_MARKS: dict[str, Any] = {
    "lanes": needs_lanes,
    "pallas": pytest.mark.slow,
}  # pallas: see test_pallas.py
ENGINE_NAMES = [pytest.param(n, marks=ENGINE_MARKS.get(n, ())) for n in ENGINES]


@pytest.fixture(params=library.kernels() if lanes.unsupported() is None else [])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each kernel that this processor can run; they are compiled separately."""
    monkeypatch.setattr(library, "chosen_kernel", lambda: library.kernels().index(request.param))
    return request.param


def test_an_unknown_engine_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown engine 'lane': did you mean 'lanes'"):
        load_engine("lane")


@pytest.mark.parametrize("name", ENGINES)
def test_engines_provide_the_functions_of_the_protocol(name: str) -> None:
    engine = load_engine(name)
    for function in ("unsupported", "init", "train_epoch", "evaluate"):
        assert callable(getattr(engine, function))


def test_the_registry_needs_only_the_standard_library() -> None:
    code = (
        "import sys; from model.engines import ENGINES, preferred_width; preferred_width('cpu', 0); "
        "print([m for m in ('jax', 'numpy', 'flax', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_auto_selects_the_first_engine_that_supports_the_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new engine needs only its line in the registry."""
    first = EngineInfo("a toy", ("tpu",), lambda memory: 1024)
    monkeypatch.setattr("model.engines.ENGINES", {"toy": first, **ENGINES})
    monkeypatch.setitem(sys.modules, "model.engines.toy", SimpleNamespace(unsupported=lambda v=None: None))
    v = variant("base")
    assert choose("auto", v, "tpu") == ("toy", None)
    assert choose("auto", v, "gpu") == ("vmap", None)
    assert preferred_width("tpu", 16 * 10**9) == 1024
    monkeypatch.setitem(sys.modules, "model.engines.toy", SimpleNamespace(unsupported=lambda v: "no toys"))
    assert choose("auto", v, "tpu") == ("vmap", "engine 'toy' is not available: no toys; using 'vmap'")
    with pytest.raises(ValueError, match="engine 'toy' cannot train base here: no toys"):
        choose("toy", v, "tpu")


# --- the same mathematics ------------------------------------------------------------------------------------


@needs_lanes
@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_one_gradient_agrees_with_vmap(name: str, recipe: str, kernel: str, digits: Any) -> None:
    """The gradient to 1e-6 of its length, and no tensor's derivative further off than 3e-6 of its largest.

    Float32 is not more precise: vmap itself is up to 1.7e-6 of a tensor's largest away from float64.
    """
    v = steep(variant(name, recipe))
    before = fresh(v, [0, 1, 2])
    ours, reference = (gradients(e, v, before, digits) for e in (lanes, vmap))
    for a, b in zip(ours, reference, strict=True):
        assert_close(a, b, 3e-6)
    a, b = (np.concatenate([g.reshape(3, -1) for g in gradient], axis=1) for gradient in (ours, reference))
    assert (np.linalg.norm(a - b, axis=1) <= 1e-6 * np.linalg.norm(b, axis=1)).all()


@needs_lanes
@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_200_updates_agree_with_vmap(name: str, recipe: str, digits: Any) -> None:
    """Weights to 1e-4 of each tensor, evaluation to the last miss and losses to 1e-5.

    With plain gradient steps, no weight differs by more than 1e-4 of its tensor's largest. AdamW moves a weight whose
    gradient is only rounding error by whole steps, so there the norms of the tensors are compared.
    """
    v, (images, labels) = variant(name, recipe), digits
    before = fresh(v, [3, 4, 5])
    reference = vmap.train_epoch(same_program(v), before, images[:200], labels[:200], 2)
    after = lanes.train_epoch(v, before, images[:200], labels[:200], 2)
    for ours, theirs in zip(jax.tree.leaves(after[1:]), jax.tree.leaves(reference[1:]), strict=True):
        assert_close(ours, theirs, 1e-4, np.linalg.norm if v.optimizer == "adamw" else largest)
    assert jax.tree.structure(after) == jax.tree.structure(reference)
    np.testing.assert_array_equal(after.seed, reference.seed)

    score = lanes.evaluate(v, reference.params, images, labels)
    expected = vmap.evaluate(same_program(v, evaluate=True), reference.params, images, labels)
    np.testing.assert_array_equal(score.predictions, expected.predictions)
    np.testing.assert_array_equal(score.misses, expected.misses)
    np.testing.assert_allclose(score.loss, expected.loss, rtol=1e-5)
    assert [x.dtype for x in score] == [x.dtype for x in expected]


@needs_lanes
@pytest.mark.parametrize(("name", "recipe"), ALL)
def test_gradients_agree_with_finite_differences_in_float64(
    name: str, recipe: str, kernel: str, digits: Any
) -> None:
    plain = replace(variant(name, recipe), shift=0)
    v, (images, labels) = steep(plain), digits
    before = fresh(v, [7])
    rng = np.random.default_rng(0)
    for bias in ("bias1", "bias2", "bias3"):  # off the kink of ReLU, where a difference is no derivative
        before.params[bias] += rng.normal(0, 0.05, before.params[bias].shape).astype(np.float32)
    dropout_mask = np.asarray(draw_dropout_mask(epoch_key(np.uint32(7), "dropout", 1), 0, v.dropout))
    gradient = gradients(lanes, v, before, digits)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[0], before.params)
    for (path, _), leaf in zip(jax.tree.leaves_with_path(params), gradient, strict=True):
        names = tuple(entry.key for entry in path)
        # The steepest parameter and two by chance.
        places = [int(np.abs(leaf[0]).argmax()), *rng.integers(leaf[0].size, size=2)]
        for place in places:
            index = np.unravel_index(place, leaf[0].shape)
            expected = float64.derivative(
                v, params, names, index, images[0], int(labels[0]), dropout_mask if v.dropout else None
            )
            assert abs(leaf[0][index] - expected) <= 3e-6 * np.abs(leaf[0]).max(), (names, index)


@needs_lanes
@pytest.mark.parametrize("name", ["adamw", "augment", "dropout"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_an_adamw_step_follows_from_its_moments(name: str, recipe: str, kernel: str, digits: Any) -> None:
    """AdamW divides a gradient by its magnitude, so two engines agree only in the sign of tiny gradients. The test
    verifies Loshchilov & Hutter's formula, in float64, from the moments that the engine itself returns."""
    v, (images, labels) = variant(name, recipe), digits
    old = lanes.train_epoch(v, fresh(v, [0, 1]), images[:5], labels[:5], 1)
    new = lanes.train_epoch(v, old, images[:1], labels[:1], 2)
    age = 6
    assert np.asarray(optax.tree.get(new.optimizer, "count")).tolist() == [age, age]
    rate = float(learning_rates(v, 2, 1)[0])
    mus, nus = (jax.tree.leaves(optax.tree.get(new.optimizer, m)) for m in ("mu", "nu"))
    for p, q, mu, nu in zip(jax.tree.leaves(old.params), jax.tree.leaves(new.params), mus, nus, strict=True):
        p, mu, nu = (np.asarray(x, np.float64) for x in (p, mu, nu))
        direction = mu / (1 - 0.9**age) / (np.sqrt(nu / (1 - 0.999**age)) + 1e-8)
        assert_close(q, p - rate * (direction + v.weight_decay * p), 1e-6)


@needs_lanes
def test_weight_decay_is_not_lost_to_rounding(kernel: str, digits: Any) -> None:
    """A step's decay, 3e-8 of a weight, is below the resolution of float32, so it must be added to the step first."""
    v, (images, labels) = variant("adamw"), digits
    before = fresh(v, [3, 4, 5])
    ours, reference = (
        e.train_epoch(p, before, images[:200], labels[:200], 2).params
        for e, p in ((lanes, v), (vmap, same_program(v)))
    )
    for name in ("Conv_0", "Conv_1", "Conv_2", "Conv_3", "Dense_0", "Dense_1"):
        a, b = (np.ravel(np.asarray(params[name]["kernel"], np.float64)) for params in (ours, reference))
        assert (
            abs((a - b) @ b / (b @ b)) <= 1e-7
        )  # 200 lost decays change the length by 6e-6, rounding by 2e-9


overrides = st.fixed_dictionaries(
    {
        "activation": st.sampled_from(["tanh", "relu"]),
        "output": st.sampled_from(["tanh", "linear"]),
        "objective": st.sampled_from(["squared", "cross_entropy"]),
        "optimizer": st.sampled_from(["sgd", "adamw"]),
        "learning_rate": st.floats(1e-4, 0.02),
        "lr_schedule": st.sampled_from(["none", "step", "epoch"]),
        "final_fraction": st.floats(0, 1),
        "weight_decay": st.floats(0, 0.1),
        "shift": st.integers(0, 8),
        "dropout": st.floats(0, 0.9),
        "init": st.sampled_from(["flax", "notebook", "karpathy"]),
        "output_bias": st.floats(-1, 1),
        "epochs": st.integers(2, 9),
    }
)


@needs_lanes
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(changed=overrides)
def test_any_override_trains_as_in_vmap(digits: Any, changed: dict[str, Any]) -> None:
    v, (images, labels) = variant("base", **changed), digits
    before = fresh(v, [11, 12])
    ours = lanes.train_epoch(v, before, images[:4], labels[:4], 2)
    reference = vmap.train_epoch(same_program(v), before, images[:4], labels[:4], 2)
    if v.optimizer == "adamw":  # whose steps from tiny gradients are the signs of rounding: see above
        for a, b in zip(jax.tree.leaves(ours.optimizer), jax.tree.leaves(reference.optimizer), strict=True):
            assert_close(a, b, 1e-3)
    else:
        for a, b, old in zip(*(jax.tree.leaves(s.params) for s in (ours, reference, before)), strict=True):
            rounding = 4e-7 * np.abs(old).max()  # of four updates of a weight
            assert np.abs(a - b).max() <= 2e-5 * np.abs(b - old).max() + rounding


def steep(v: Variant) -> Variant:
    """The variant with plain gradient steps and a very large learning rate, which expose the gradient."""
    return replace(v, optimizer="sgd", learning_rate=STEEP, lr_schedule="none", weight_decay=0.0)


def gradients(engine: Any, v: Variant, before: ReplicaState, digits: Any) -> list[np.ndarray]:
    """Each tensor's derivative of the first digit's loss, [R, …] float64. v: `steep`."""
    images, labels = digits
    program = same_program(v) if engine is vmap else v
    after = engine.train_epoch(program, before, images[:1], labels[:1], 1)
    pairs = zip(jax.tree.leaves(before.params), jax.tree.leaves(after.params), strict=True)
    return [(np.asarray(p, np.float64) - np.asarray(q, np.float64)) / STEEP for p, q in pairs]


def same_program(v: Variant, evaluate: bool = False) -> Variant:
    """The variant with equal values in fields that an update (or evaluation) ignores, so that XLA compiles once."""
    alike = replace(v, name="", recipe="", init="flax", output_bias=0.0)
    if not evaluate:
        return alike
    return replace(VARIANTS["base"], activation=v.activation, output=v.output, objective=v.objective)


def largest(tensor: np.ndarray) -> float:
    return float(np.abs(tensor).max())


def assert_close(ours: Any, reference: Any, tolerance: float, size: Any = largest) -> None:
    """Within a fraction of the size of each replica's tensor."""
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    assert ours.shape == reference.shape
    for a, b in zip(ours, reference, strict=True):
        assert size(a - b) <= tolerance * size(b)


# --- the same random draws -----------------------------------------------------------------------------------


@needs_lanes
@settings(max_examples=15, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20),
    epoch=st.integers(1, 100_000),
    step=st.integers(0, 60_000),
    shift=st.integers(1, 8),
    rate=st.sampled_from([1e-9, 0.1, 0.25, 0.5, 0.99]),
)
def test_draws_are_those_of_streams_bit_for_bit(
    seeds: Any, epoch: int, step: int, shift: int, rate: float
) -> None:
    v = variant("dropout", shift=shift, dropout=rate)
    for fastest in range(len(library.kernels())):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(library, "chosen_kernel", lambda fastest=fastest: fastest)
            shifts, dropout_mask = lanes.draws(v, np.array(seeds, np.uint32), epoch, step)
        for i, seed in enumerate(np.array(seeds, np.uint32)):
            expected = draw_shift(epoch_key(seed, "shift", epoch), np.int32(step), shift)
            np.testing.assert_array_equal(shifts[i], expected)
            np.testing.assert_array_equal(
                dropout_mask[i], draw_dropout_mask(epoch_key(seed, "dropout", epoch), np.int32(step), rate)
            )


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_a_fixed_stream_leaves_the_bits_of_the_others(engine: str, digits: Any) -> None:
    """A replica whose seed equals the fixed one is unchanged; with all streams fixed, replicas are equal."""
    e, v, (images, labels) = load_engine(engine), variant("dropout"), (digits[0][:20], digits[1][:20])
    seeds = np.array([5, 9], np.uint32)

    def trained(**fixed: int) -> list[np.ndarray]:
        changed = replace(v, **fixed)
        after = e.train_epoch(changed, e.init(changed, seeds), images, labels, 2)
        return [np.asarray(leaf) for leaf in jax.tree.leaves(after.params)]

    plain = trained()
    for stream in ("init_seed", "shift_seed", "dropout_seed"):
        for a, b in zip(trained(**{stream: 5}), plain, strict=True):
            np.testing.assert_array_equal(a[0], b[0])
        assert any((a[1] != b[1]).any() for a, b in zip(trained(**{stream: 5}), plain, strict=True))
    for leaf in trained(init_seed=5, shift_seed=5, dropout_seed=5):
        np.testing.assert_array_equal(leaf[0], leaf[1])


STREAMS = ("init_seed", "shift_seed", "dropout_seed")
COMPILED = [
    pytest.param(name, marks=pytest.mark.slow) for name in ("vmap", "pallas")
]  # once for every fixed seed


@pytest.mark.parametrize("engine", [pytest.param("lanes", marks=needs_lanes), *COMPILED])
@settings(max_examples=3, deadline=None)
@given(
    stream=st.sampled_from(STREAMS),
    fixed=st.integers(0, 2**32 - 1),
    own=st.integers(0, 2**32 - 1),
    other=st.integers(0, 2**32 - 1),
)
def test_only_the_seeds_of_the_streams_matter(
    engine: str, stream: str, fixed: int, own: int, other: int, digits: Any
) -> None:
    """Fixing one stream gives the bits of a replica whose other streams are fixed to its own seed."""
    e, v = load_engine(engine), variant("dropout")

    def trained(seed: int, **seeds: int) -> list[Any]:
        changed = replace(v, **seeds)
        states = e.init(changed, np.array([seed], np.uint32))
        after = e.train_epoch(changed, states, digits[0][:6], digits[1][:6], 2)
        return jax.tree.leaves(after.params)

    every = dict.fromkeys(STREAMS, own) | {stream: fixed}
    for a, b in zip(trained(own, **{stream: fixed}), trained(other, **every), strict=True):
        np.testing.assert_array_equal(a, b)


# --- independence of replicas ------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("name", ["base", "dropout"])
def test_bits_depend_neither_on_width_nor_on_neighbours(engine: str, name: str, digits: Any) -> None:
    e, v, (images, labels) = load_engine(engine), variant(name), digits
    images, labels = images[:20], labels[:20]
    seeds = np.arange(33)
    whole = run(e, v, seeds, images, labels)
    for part in (seeds[:1], seeds[5:12], seeds[17:33], seeds[::-1]):
        alone = run(e, v, part, images, labels)
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(whole), strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b)[part])


@needs_lanes
@pytest.mark.parametrize("name", ["base", "dropout"])
def test_bits_do_not_depend_on_threads(
    name: str, kernel: str, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv(lanes.THREADS, threads)
        results.append(run(lanes, variant(name), np.arange(33), digits[0][:20], digits[1][:20]))
    for leaves in zip(*(jax.tree.leaves(r) for r in results), strict=True):
        for other in leaves[1:]:
            np.testing.assert_array_equal(leaves[0], other)


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_calls_are_pure(engine: str, digits: Any) -> None:
    """A call does not modify its arguments, and the same call gives the same bits."""
    e, v, (images, labels) = load_engine(engine), variant("dropout"), digits
    before = fresh(v, [1, 2])
    kept = jax.tree.map(np.copy, before)
    one, two = (e.train_epoch(v, before, images[:20], labels[:20], 1) for _ in range(2))
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(kept), strict=True):
        np.testing.assert_array_equal(a, b)


def run(
    engine: Any, v: Variant, seeds: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> tuple[Any, Any]:
    after = engine.train_epoch(v, fresh(v, seeds), images, labels, 3)
    return after, engine.evaluate(v, after.params, images, labels)


# --- NaN and infinity -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["base", "dropout"])
def test_a_bad_weight_affects_only_its_replica(engine: str, bad: float, name: str, digits: Any) -> None:
    e, v, (images, labels) = load_engine(engine), variant(name), digits
    images, labels = images[:20], labels[:20]
    clean = fresh(v, [0, 1, 2])
    poisoned = jax.tree.map(np.copy, clean)
    for leaf in (poisoned.params["Dense_1"]["kernel"], poisoned.params["Conv_0"]["kernel"]):
        leaf[1, ..., :] = bad
    after, healthy = (e.train_epoch(v, s, images, labels, 1) for s in (poisoned, clean))
    score, expected = (e.evaluate(v, s.params, images, labels) for s in (after, healthy))
    assert not np.isfinite(score.loss[1])
    assert set(np.unique(score.predictions)) <= set(range(10))
    for a, b in zip(jax.tree.leaves((after, score)), jax.tree.leaves((healthy, expected)), strict=True):
        np.testing.assert_array_equal(np.asarray(a)[[0, 2]], np.asarray(b)[[0, 2]])


@needs_lanes
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["base", "softmax", "dropout"])
def test_bad_numbers_are_scored_as_in_vmap(bad: float, name: str, kernel: str, digits: Any) -> None:
    v, (images, labels) = variant(name), (digits[0][:20].copy(), digits[1][:20])
    images[3, 5, 5] = images[7, 0, 0] = bad
    before = fresh(v, [0, 1, 2, 3])
    before.params["bias4"][1, 4] = bad
    before.params["bias4"][2, [2, 6]] = np.nan
    before.params["bias3"][3] = bad
    ours, theirs = (e.evaluate(v, before.params, images, labels) for e in (lanes, vmap))
    np.testing.assert_array_equal(ours.predictions, theirs.predictions)
    np.testing.assert_array_equal(np.isfinite(ours.loss), np.isfinite(theirs.loss))


@pytest.mark.parametrize("engine", ENGINE_NAMES)
def test_margins_agree_with_the_two_largest_outputs(engine: str, digits: Any) -> None:
    e, v, images = load_engine(engine), variant("softmax"), digits[0][:20].copy()
    params = fresh(v, [0, 1, 2]).params
    params["bias4"][1, 4] = 1e6
    params["bias4"][2, 4] = np.inf
    images[3] = np.nan
    margins = e.margins(v, params, images)
    assert (margins.shape, margins.dtype) == ((3, 20), np.float16)
    largest = np.sort(jax.vmap(lambda p: outputs(v, p, images))(params), axis=-1)
    expected = largest[..., -1] - largest[..., -2]
    fine = np.arange(20) != 3
    np.testing.assert_allclose(margins[0, fine], expected[0, fine], rtol=1e-3, atol=1e-6)
    assert np.isposinf(margins[1, fine]).all()
    assert np.isnan(margins[2]).all()
    assert np.isnan(margins[:, 3]).all()


@pytest.mark.parametrize("engine", ENGINE_NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_image_spoils_training(engine: str, bad: float, digits: Any) -> None:
    e, (images, labels) = load_engine(engine), (digits[0][:20].copy(), digits[1][:20])
    images[3] = bad
    for name in ("base", "dropout"):
        v = variant(name)
        after = e.train_epoch(v, fresh(v, [0, 1, 2]), images, labels, 1)
        assert not np.isfinite(e.evaluate(v, after.params, digits[0][:20], labels).loss).any()


@needs_lanes
def test_a_diverging_run_raises_no_error(digits: Any) -> None:
    v, (images, labels) = variant("softmax", activation="relu", learning_rate=1e6), digits
    after = lanes.train_epoch(v, fresh(v, [0, 1]), images, labels, 1)
    assert not np.isfinite(lanes.evaluate(v, after.params, images, labels).loss).any()


@needs_lanes
def test_weights_without_gradients_do_not_slow_training(digits: Any) -> None:
    """Moments of weights that get no gradient decay below 1e-38, where arithmetic is slow unless flushed to 0."""
    v = variant("adamw", activation="relu")
    before = fresh(v, [0])
    before.params["bias1"][:] = -100  # no unit of H1 ever fires
    for moment in ("mu", "nu"):
        for leaf in jax.tree.leaves(optax.tree.get(before.optimizer, moment)):
            leaf[:] = 2e-38
    after = lanes.train_epoch(v, before, digits[0][:200], digits[1][:200], 1)
    kernel = np.asarray(optax.tree.get(after.optimizer, "mu")["Conv_0"]["kernel"])
    assert (kernel == 0).all()


# --- wrong input ---------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Any, str]] = {
    "images of another size": (
        lambda c: c | {"images": c["images"][:, :15]},
        r"images are float32 \(20, 15, 16\)",
    ),
    "images in float64": (lambda c: c | {"images": c["images"].astype(np.float64)}, "images are float64"),
    "no images": (lambda c: c | {"images": c["images"][:0], "labels": c["labels"][:0]}, "N from 1"),
    "fewer labels": (
        lambda c: c | {"labels": c["labels"][:5]},
        r"labels are int32 \(5,\), should be int32 \(20,\)",
    ),
    "labels in int64": (lambda c: c | {"labels": c["labels"].astype(np.int64)}, "labels are int64"),
    "a label of ten": (lambda c: c | {"labels": np.full(20, 10, np.int32)}, "labels range from 10 to 10"),
}
WRONG_PARAMS: dict[str, tuple[Any, str]] = {
    "a missing leaf": (lambda p: {k: v for k, v in p.items() if k != "bias3"}, "is not this variant's tree"),
    "a leaf of another shape": (
        lambda p: p | {"bias3": p["bias3"][:, :29]},
        r"\['bias3'\] is float32 \(2, 29\)",
    ),
    "a leaf in float64": (lambda p: p | {"bias3": p["bias3"].astype(np.float64)}, r"\['bias3'\] is float64"),
    "fewer replicas in a leaf": (
        lambda p: p | {"bias3": p["bias3"][:1]},
        r"\['bias3'\] is float32 \(1, 30\)",
    ),
    "no replicas": (lambda p: jax.tree.map(lambda leaf: leaf[:0], p), "R the same from 1"),
    "one replica without its axis": (lambda p: jax.tree.map(lambda leaf: leaf[0], p), "should be float32"),
}


@needs_lanes
@pytest.mark.parametrize("case", WRONG)
def test_wrong_digits_are_rejected(case: str, digits: Any) -> None:
    change, message = WRONG[case]
    v = variant("base")
    before = fresh(v, [0, 1])
    wrong = change({"images": digits[0][:20], "labels": digits[1][:20]})
    with pytest.raises(ValueError, match=message):
        lanes.train_epoch(v, before, wrong["images"], wrong["labels"], 1)
    with pytest.raises(ValueError, match=message):
        lanes.evaluate(v, before.params, wrong["images"], wrong["labels"])


@needs_lanes
@pytest.mark.parametrize("case", WRONG_PARAMS)
def test_wrong_states_are_rejected(case: str, digits: Any) -> None:
    change, message = WRONG_PARAMS[case]
    v = variant("base")
    before = fresh(v, [0, 1])
    wrong = change(before.params)
    with pytest.raises(ValueError, match=message):
        lanes.evaluate(v, wrong, digits[0][:20], digits[1][:20])
    with pytest.raises(ValueError, match="states"):
        lanes.train_epoch(v, before._replace(params=wrong), digits[0][:20], digits[1][:20], 1)


@needs_lanes
def test_the_state_of_another_optimizer_is_rejected(digits: Any) -> None:
    with pytest.raises(ValueError, match="not this variant's tree"):
        lanes.train_epoch(variant("adamw"), fresh(variant("base"), [0]), digits[0][:20], digits[1][:20], 1)


@needs_lanes
def test_replicas_with_different_numbers_of_updates_are_rejected(digits: Any) -> None:
    v = variant("adamw")
    before = fresh(v, [0, 1])
    uneven = optax.tree.set(before.optimizer, count=np.array([0, 5], np.int32))
    with pytest.raises(ValueError, match="0 to 5 updates"):
        lanes.train_epoch(v, before._replace(optimizer=uneven), digits[0][:20], digits[1][:20], 1)


@needs_lanes
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_threads_is_rejected(
    value: str, monkeypatch: pytest.MonkeyPatch, digits: Any
) -> None:
    monkeypatch.setenv(lanes.THREADS, value)
    v = variant("base")
    with pytest.raises(ValueError, match=f"LECUN1989_THREADS = '{value}' is not a number of cores"):
        lanes.evaluate(v, fresh(v, [0]).params, digits[0][:20], digits[1][:20])


@needs_lanes
def test_digits_need_not_be_contiguous(digits: Any) -> None:
    v = variant("base")
    before, (images, labels) = fresh(v, [0]), digits
    strided = lanes.evaluate(v, before.params, images[::-2], labels[::-2])
    copied = lanes.evaluate(v, before.params, images[::-2].copy(), labels[::-2].copy())
    np.testing.assert_array_equal(strided.predictions, copied.predictions)
    assert strided.loss == copied.loss


def test_the_default_is_one_thread() -> None:
    assert lanes.THREADS not in os.environ
    assert lanes.threads() == 1
