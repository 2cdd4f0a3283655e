"""Variants and recipes: digests, overrides and error messages."""

import subprocess
import sys
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.variants import IDENTITY, OVERRIDABLE, RECIPES, VARIANTS, Variant, variant

numbers = {
    "learning_rate": st.floats(1e-6, 1e6),
    "final_fraction": st.floats(0, 1),
    "weight_decay": st.floats(0, 1e6),
    "epochs": st.integers(1, 100_000),
    "shift": st.integers(0, 8),
    "dropout": st.floats(0, 0.99),
    "output_bias": st.floats(-1e6, 1e6),
    "activation": st.sampled_from(["tanh", "relu", "scaled_tanh"]),
    "output": st.sampled_from(["tanh", "linear", "scaled_tanh"]),
    "objective": st.sampled_from(["squared", "cross_entropy"]),
    "optimizer": st.sampled_from(["sgd", "adamw", "newton"]),
    "lr_schedule": st.sampled_from(["none", "step", "epoch"]),
    "init": st.sampled_from(["flax", "notebook", "karpathy", "paper"]),
    "init_seed": st.none() | st.integers(0, 2**32 - 1),
    "shift_seed": st.none() | st.integers(0, 2**32 - 1),
    "dropout_seed": st.none() | st.integers(0, 2**32 - 1),
    "order_seed": st.integers(0, 2**32 - 1),
    "damping": st.floats(1e-9, 1e6),
    "curvature_digits": st.integers(1, 100_000),
}
one_override = st.sampled_from(sorted(numbers)).flatmap(lambda f: st.tuples(st.just(f), numbers[f]))
named = st.tuples(st.sampled_from(sorted(VARIANTS)), st.sampled_from(sorted(RECIPES)))

# Recorded from the first version. If a digest changes, stored results are not found.
DIGESTS = {
    ("base", "flax"): "e68e20d55ee0340a28c6113de45a743cca559ae02284c54d6d7f1b842041ff06",
    ("base", "notebook"): "17844e027e187ecfdf2188b4d342caad403c2bba69aae3b3dea93dc072206635",
    ("base", "karpathy"): "32b62662f863a72e7cc8a93c7f67eebd5dc2488fb4bb2d0bd56515a9789b4669",
    ("softmax", "flax"): "b945a14d969f366536b9968d98d9ad37e807f5bbd2819c555f0aa0f3ec34c780",
    ("softmax", "notebook"): "5fee1fc4fa1962d8033b36de9522d1822f96b00010a8d8c51b2d4fa84cbafc12",
    ("softmax", "karpathy"): "07938da6d689304177797fd034e6159e5fce10be1993e52e41fc42cbee5b0335",
    ("adamw", "flax"): "afb8fdb09eac809b5b2ced55f33238b4651fae93786a8c2827f5590b7fd04f05",
    ("adamw", "notebook"): "c4a0517673379366075c859be8aeed94676ccee16beb8049efd40e7044bbb767",
    ("adamw", "karpathy"): "1b99487df54300753252d914ea84f9d23b7c962c567702f570d4ac61a11495af",
    ("augment", "flax"): "2f42ffbd8fa44f030719e181d72e2a1106313d3d7e0cae52714150dc9a7eeb54",
    ("augment", "notebook"): "7ef4ef71717ff677175faaad6695f11b4b030fcd5d74a12a37a2bad55eca8266",
    ("augment", "karpathy"): "ea278ddf50085be6d695fecc42393a1fc226de4111be262d44b94e5e854b2844",
    ("dropout", "flax"): "88aa76845ee8408138f895d7965248b49d8a6b5dddbfed8725b8a4aa602894e0",
    ("dropout", "notebook"): "d392308e0f1b4b57147e21a7bb9956bbd3f93e703fe60c1d0360b0e2da0c5beb",
    ("dropout", "karpathy"): "5a2b22d7e8261be55b64de844827d09ab22cffe7c12ad03ee35be0fc99dcd982",
    ("base", "paper"): "94254a952d4b0484b7dcd4a23bdbe5fda091f3f49564a53829b09793cc5df956",
    ("softmax", "paper"): "520f21ef9f6a243f517f4e4342a0c7e31b41789eff6ec0f8bf307d2df0b1737d",
    ("adamw", "paper"): "3c9f436e52f1ddb6fc13348bda0951b4de63e9d863da64dbd490ceb13b8b6805",
    ("augment", "paper"): "36435169676e1558333e9306dbeda9afd43278e97d7c3c7c5fcc438a3c581308",
    ("dropout", "paper"): "d59c9ddde58b4845eb942dc627346f9ad5d30477f53233693d4f016545b8c2b6",
}


def test_digests_equal_the_recorded_ones() -> None:
    digests = {(name, recipe): variant(name, recipe).digest for name in VARIANTS for recipe in RECIPES}
    assert digests == DIGESTS


def test_a_renamed_field_keeps_its_stored_name() -> None:
    changed = variant("adamw", learning_rate=0.01, lr_schedule="none")
    assert changed == variant("adamw", learning_rate=0.01, fall="none")
    assert changed.label == "adamw,learning_rate-0.01,fall-none-0bd05258"
    assert changed.to_stored()["fall"] == "none"
    assert Variant.from_stored(changed.to_stored()) == changed
    with pytest.raises(ValueError, match="'fall' is the former name of 'lr_schedule'"):
        variant("adamw", fall="none", lr_schedule="step")


def test_each_variant_changes_its_parent() -> None:
    assert list(VARIANTS) == ["base", "softmax", "adamw", "augment", "dropout"]
    assert [v.epochs for v in VARIANTS.values()] == [23, 23, 46, 60, 80]
    changes = [
        {f for f in OVERRIDABLE if getattr(a, f) != getattr(b, f)}
        for a, b in zip(list(VARIANTS.values()), list(VARIANTS.values())[1:], strict=False)
    ]
    assert changes == [
        {"output", "objective", "learning_rate", "output_bias"},
        {"optimizer", "learning_rate", "lr_schedule", "final_fraction", "weight_decay", "epochs"},
        {"shift", "epochs"},
        {"activation", "dropout", "epochs"},
    ]


def test_recipes_differ_in_what_their_authors_did() -> None:
    assert [variant("adamw", r).weight_decay for r in RECIPES] == [1e-4, 1e-4, 1e-2, 1e-4]
    assert [variant("adamw", r).lr_schedule for r in RECIPES] == ["step", "step", "epoch", "step"]
    assert [variant("softmax", r).output_bias for r in RECIPES] == [0, -1, 0, 0]
    assert [variant("base", r).output_bias for r in RECIPES] == [-1, -1, -1, -1]
    assert [variant("base", r).init for r in RECIPES] == list(RECIPES)


def test_the_recipe_of_the_paper_changes_tanh_and_plain_steps() -> None:
    parts = {name: variant(name, "paper") for name in VARIANTS}
    assert [v.activation for v in parts.values()] == ["scaled_tanh"] * 4 + ["relu"]
    assert [v.output for v in parts.values()] == ["scaled_tanh"] + ["linear"] * 4
    assert [v.optimizer for v in parts.values()] == ["newton"] * 2 + ["adamw"] * 3


@given(named, one_override)
def test_an_override_changes_digest_and_name_unless_it_is_the_default(
    which: Any, override: tuple[str, Any]
) -> None:
    (name, recipe), (field, value) = which, override
    plain, changed = variant(name, recipe), variant(name, recipe, **{field: value})
    if getattr(plain, field) == value:
        assert changed == plain
    else:
        assert changed.digest != plain.digest
        assert changed.name.startswith(f"{plain.name},{IDENTITY.stored_name(field)}=")
        assert getattr(changed, field) == value
    assert changed.label.endswith(f"-{changed.digest[:8]}")
    assert "=" not in changed.label  # it names a folder


@given(named, one_override, one_override)
def test_the_order_of_overrides_does_not_matter(which: Any, a: Any, b: Any) -> None:
    one, other = dict([a, b]), dict([b, a])
    if one == other:
        assert variant(*which, **one) == variant(*which, **other)


@given(named, one_override)
def test_names_do_not_enter_the_digest(which: Any, override: Any) -> None:
    v = variant(*which, **dict([override]))
    assert replace(v, name="another", recipe="other").digest == v.digest
    assert Variant(**asdict(v)) == v
    assert hash(v) == hash(Variant(**asdict(v)))


def test_numbers_are_accepted_as_text_and_as_floats() -> None:
    plain = variant("base", epochs=7, learning_rate=1)
    for epochs in ("7", 7.0, "7.0"):
        assert variant("base", epochs=epochs, learning_rate="1.0") == plain


def test_minus_zero_is_zero() -> None:
    changed = variant("base", weight_decay=-0.0)
    assert changed.digest == variant("base").digest == DIGESTS["base", "flax"]
    assert changed.to_stored() == variant("base").to_stored()
    assert str(changed.weight_decay) == "0.0"


WRONG = {
    "variant": (("bsae", "flax", {}), "unknown variant 'bsae': did you mean 'base'?"),
    "no similar name": (("xyz", "flax", {}), "unknown variant 'xyz': choose from base, softmax,"),
    "recipe": (("base", "flacks", {}), "unknown recipe 'flacks': did you mean 'flax'?"),
    "field": (
        ("base", "flax", {"learningrate": 1}),
        "unknown hyperparameter 'learningrate': did you mean 'learning_rate'?",
    ),
    "choice": (
        ("base", "flax", {"activation": "thanh"}),
        "activation = 'thanh' is unknown: did you mean 'tanh'?",
    ),
    "word": (("base", "flax", {"shift": "many"}), "shift = 'many' is not a number"),
    "fraction": (("base", "flax", {"epochs": 2.5}), "epochs = 2.5 is not a whole number"),
    "infinity": (
        ("base", "flax", {"learning_rate": float("inf")}),
        "learning_rate = inf is not a finite number",
    ),
    "range": (
        ("base", "flax", {"dropout": 1.5}),
        "dropout = 1.5 is out of range: give a number from 0 to 0.99",
    ),
    "no steps": (("base", "flax", {"learning_rate": 0}), "learning_rate = 0 trains nothing"),
    "no epochs": (("base", "flax", {"epochs": 0}), "epochs = 0 is out of range"),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_valid_values(case: str) -> None:
    (name, recipe, overrides), message = WRONG[case]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        variant(name, recipe, **overrides)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_variants_imports_only_the_standard_library() -> None:
    code = (
        "import sys, model.variants; print([m for m in ('jax', 'numpy', 'flax', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
