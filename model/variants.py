"""The five variants and four recipes.

A :class:`Variant` holds all hyperparameters of a training run except the digits and the seed. It is flat, frozen
and hashable. This file needs only the standard library, so that spec, plan and store use it without loading JAX.

Sources: LeCun et al. 1989, "Backpropagation Applied to Handwritten Zip Code Recognition"; A. Karpathy,
``lecun1989-repro`` (repro.py, modern.py); P. G. Chang, ``lecun1989-flax`` (both notebooks).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache
from types import UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from model.identity import Identity, digest
from model.names import Activation, Init, LrSchedule, Objective, Optimizer, Output, nearest

IDENTITY_VERSION = 1  # increased when the meaning of the existing fields changes
IDENTITY = Identity(
    version_1=frozenset({
        "name", "recipe", "activation", "output", "objective", "optimizer", "learning_rate", "lr_schedule",
        "final_fraction", "weight_decay", "epochs", "shift", "dropout", "init", "output_bias",
    }),
    stored_names={"lr_schedule": "fall"},
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """Hyperparameters of a training run of the 1989 network.

    A new field needs a default that leaves training unchanged (see `model.identity`).

    Raises:
      ValueError: a value is out of range; the message has the name and the range.
    """

    name: str  # in tables: "base", "base@karpathy" under another recipe, "base,epochs=4" overridden
    recipe: str  # the reproduction whose conventions the other fields follow
    activation: Activation  # of H1, H2 and H3
    output: Output  # activation of the ten outputs; "linear" for logits
    objective: Objective  # mean squared error over the ten outputs against ±1, or softmax cross-entropy
    optimizer: Optimizer
    learning_rate: float
    lr_schedule: LrSchedule  # constant, or linear per update or per epoch
    final_fraction: float  # learning rate at the end of the schedule, as a fraction of `learning_rate`
    weight_decay: float  # AdamW's decoupled decay, on every parameter
    epochs: int  # passes over the training digits
    shift: int  # largest roll in x and in y of each presented image, pixels
    dropout: float  # chance that an output of H2 is dropped
    init: Init  # distribution of the initial weights
    output_bias: float  # initial biases of the ten outputs
    init_seed: int | None = None  # of the initial weights of all replicas; None: the seed of each replica
    shift_seed: int | None = None  # the same for the shifts
    dropout_seed: int | None = None  # the same for the dropped units
    order_seed: int = 0  # presentation order: 0: the data set's; k > 0: a permutation for each (k, epoch)
    damping: float = 0.02  # of "newton": added to each weight's second derivative
    curvature_digits: int = (
        500  # of "newton": the first digits of an epoch, which estimate second derivatives
    )

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, hint in _hints(cls).items():
            object.__setattr__(self, name, _coerce(name, hint, getattr(self, name)))
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(
                    f"{name} = {value:g} is out of range: give a number from {low:g} to {high:g}"
                )
        if self.learning_rate == 0:
            raise ValueError("learning_rate = 0 trains nothing: give a number above 0")

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) over all fields except `name` and `recipe`."""
        return _digest(self)

    def to_stored(self) -> dict[str, Any]:
        """Field values as JSON values by stored name."""
        return IDENTITY.to_stored(self)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> Self:
        """Create a variant from stored values.

        Raises:
          UnknownField: a field is unknown; a newer version stored it.
          ValueError, TypeError: values are wrong or missing.
        """
        variant: Self = IDENTITY.from_stored(stored, cls)
        return variant

    @property
    def label(self) -> str:
        """Name and the first eight digits of the digest: a path component, different for different digests.

        It has no "=", which readers of Parquet folders interpret as a partition column.
        """
        return f"{self.name.replace('=', '-')}-{self.digest[:8]}"

    @property
    def parent(self) -> str:
        """Name in `VARIANTS` of the variant that this one is derived from."""
        return re.split("[@,]", self.name)[0]


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("learning_rate", 0.0, 1e6),
    ("final_fraction", 0.0, 1.0),
    ("weight_decay", 0.0, 1e6),
    ("epochs", 1, 100_000),
    ("shift", 0, 8),
    ("dropout", 0.0, 0.99),
    ("output_bias", -1e6, 1e6),
    ("init_seed", 0, 2**32 - 1),
    ("shift_seed", 0, 2**32 - 1),
    ("dropout_seed", 0, 2**32 - 1),
    ("order_seed", 0, 2**32 - 1),
    ("damping", 1e-9, 1e6),
    ("curvature_digits", 1, 100_000),
)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@lru_cache(4096)
def _digest(variant: Variant) -> str:  # cached: computed thousands of times in a sweep
    values = {name: value for name, value in variant.to_stored().items() if name not in ("name", "recipe")}
    return digest({"identity": IDENTITY_VERSION, **values})


def _coerce(name: str, hint: Any, value: Any) -> Any:
    """Convert a value to the field's type; raise a ValueError that names the valid values."""
    if get_origin(hint) is UnionType:  # "int | None": the default of an optional field is None
        if value is None:
            return None
        hint = get_args(hint)[0]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if value not in choices:
            raise ValueError(f"{name} = {value!r} is unknown{nearest(str(value), choices)}")
        return value
    if hint is str:
        return str(value)
    try:
        number = float(value) + 0.0  # -0.0 equals 0.0 and must not have a different digest
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r} is not a number") from None
    if not math.isfinite(number) or (hint is int and number != int(number)):
        raise ValueError(f"{name} = {value!r} is not a {'whole' if hint is int else 'finite'} number")
    return hint(number)


# --- the variants: each one changes the previous one ---

# The network and training of 1989, with plain gradient steps in place of the paper's diagonal second-order
# method. Expect about 4 % test error (paper: 5.0 %, Karpathy 4.09 %, Chang 3.69 %).
_base = Variant(
    name="base", recipe="flax", activation="tanh", output="tanh", objective="squared", optimizer="sgd",
    learning_rate=0.03, lr_schedule="none", final_fraction=1.0, weight_decay=0.0, epochs=23, shift=0, dropout=0.0,
    init="flax", output_bias=-1.0,
)  # fmt: skip

# Change 1: softmax cross-entropy. Fewer training misses, about the same number of test misses.
_softmax = replace(
    _base, name="softmax", output="linear", objective="cross_entropy", learning_rate=0.01, output_bias=0.0
)

# Change 2: AdamW and twice the epochs, so that the remaining test misses are not due to optimisation.
_adamw = replace(
    _softmax, name="adamw", optimizer="adamw", learning_rate=3e-4, lr_schedule="step", final_fraction=1 / 3,
    weight_decay=1e-4, epochs=46,
)  # fmt: skip

# Change 3: roll each presented image by at most one pixel, against overfitting. A third fewer test misses.
_augment = replace(_adamw, name="augment", shift=1, epochs=60)

# Change 4: dropout before the layer with most weights, and rectified units, for which 0 means an absent feature.
_dropout = replace(_augment, name="dropout", activation="relu", dropout=0.25, epochs=80)

VARIANTS: dict[str, Variant] = {v.name: v for v in (_base, _softmax, _adamw, _augment, _dropout)}


@dataclass(frozen=True)
class Recipe:
    """Conventions of a publication that differ from those of the `flax` notebook."""

    name: str
    about: str
    init: Init
    adamw_decay: float
    adamw_lr_schedule: LrSchedule
    softmax_output_bias: float
    antialias: bool  # in resizing MNIST to 16×16; a default of the data set options
    tanh: Literal["tanh", "scaled_tanh"] = "tanh"  # replaces tanh in hidden units and outputs
    newton_rate: float | None = None  # learning rate of "newton", which replaces "sgd"; None: keep "sgd"


NEWTON_RATE = 3e-4

RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe("flax", "Chang's final notebook", "flax", 1e-4, "step", 0.0, True),
        Recipe("notebook", "Chang's scratch notebook", "notebook", 1e-4, "step", -1.0, True),
        Recipe("karpathy", "Karpathy's PyTorch code", "karpathy", 1e-2, "epoch", 0.0, False),
        # Learning rate and damping are not printed: the preset "paper" searches them.
        Recipe("paper", "LeCun et al. 1989", "paper", 1e-4, "step", 0.0, True, "scaled_tanh", NEWTON_RATE),
    )
}


def variant(name: str, recipe: str = "flax", **overrides: Any) -> Variant:
    """A named variant in a recipe, with overrides of any field.

    An override with the value that the variant has anyway changes neither the name nor the digest.

    Raises:
      ValueError: unknown variant, recipe or field (with the nearest name), or a value out of range.
    """
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}{nearest(name, VARIANTS)}")
    if recipe not in RECIPES:
        raise ValueError(f"unknown recipe {recipe!r}{nearest(recipe, RECIPES)}")
    plain = _under_recipe(VARIANTS[name], RECIPES[recipe])
    overrides = IDENTITY.by_field(overrides)
    for field in overrides:
        if field not in OVERRIDABLE:
            raise ValueError(f"unknown hyperparameter {field!r}{nearest(field, OVERRIDABLE)}")
    changed = replace(plain, **overrides)
    parts = [
        f"{IDENTITY.stored_name(f)}={_short(getattr(changed, f))}"
        for f in OVERRIDABLE
        if getattr(changed, f) != getattr(plain, f)
    ]
    return replace(changed, name=",".join([plain.name, *parts]))


OVERRIDABLE: tuple[str, ...] = tuple(f.name for f in fields(Variant) if f.name not in ("name", "recipe"))


def _under_recipe(v: Variant, r: Recipe) -> Variant:
    name = v.name if r.name == v.recipe else f"{v.name}@{r.name}"
    v = replace(v, name=name, recipe=r.name, init=r.init)
    if v.optimizer == "adamw":
        v = replace(v, weight_decay=r.adamw_decay, lr_schedule=r.adamw_lr_schedule)
    if v.parent == "softmax":
        v = replace(v, output_bias=r.softmax_output_bias)
    if v.activation == "tanh":
        v = replace(v, activation=r.tanh)
    if v.output == "tanh":
        v = replace(v, output=r.tanh)
    if v.optimizer == "sgd" and r.newton_rate is not None:
        v = replace(v, optimizer="newton", learning_rate=r.newton_rate)
    return v


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
