"""The spec of a sweep: variants × seeds on a data set. Imports neither JAX nor Ray."""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from data import options as data_options
from data.options import DatasetOptions
from model import variants as model_variants
from model.engines import ENGINES
from model.identity import Identity, digest
from model.names import nearest
from model.variants import OVERRIDABLE, RECIPES, VARIANTS, Variant, variant
from sweep.errors import SpecError
from sweep.spec.explain import explain
from sweep.spec.seeds import SeedRanges
from sweep.spec.values import MAX_CELLS, as_list, expand_range, reject_bool, whole_numbers

MAX_RUNS = 10_000_000
IDENTITY = Identity(
    version_1=frozenset({"name", "variants", "recipe", "seeds", "dataset", "set", "engine", "shard_width"}),
)
EXECUTION = frozenset(("engine", "shard_width", "keep_weights"))  # stored, but no part of the digest


Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]
WholeNumber = Annotated[int, BeforeValidator(reject_bool)]
WholeNumbers = Annotated[tuple[int, ...] | None, BeforeValidator(whole_numbers)]


class DatasetSpec(BaseModel):
    """A data set and its options; several sizes or subset seeds make a grid of data sets.

    Omitted options take the data set's defaults; `antialias` follows the recipe.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "mnist5k"
    n_train: WholeNumbers = None
    n_test: WholeNumber | None = None
    subset_seed: WholeNumbers = None
    prng_layout: str | None = None
    antialias: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, values: Any) -> Any:
        return data_options.IDENTITY.by_field(values) if isinstance(values, dict) else values

    @field_serializer("n_train", "subset_seed")
    def _one_or_several(self, values: tuple[int, ...] | None) -> int | tuple[int, ...] | None:
        """One value is stored as a number, as before there were grids."""
        return values[0] if values is not None and len(values) == 1 else values

    @property
    def grid(self) -> list[dict[str, int | None]]:
        """Number of training digits and subset seed of each data set."""
        several = itertools.product(self.n_train or (None,), self.subset_seed or (None,))
        return [{"n_train": n_train, "subset_seed": seed} for n_train, seed in several]

    def options(self, recipe: str) -> list[DatasetOptions]:
        """The complete options of each data set under one recipe."""
        given = {k: v for k, v in dict(self).items() if v is not None}
        if (entry := data_options.DATASETS.get(self.name)) and entry.resized:
            given.setdefault("antialias", RECIPES[recipe].antialias)
        return [DatasetOptions(**given | values) for values in self.grid]


def dataset_label(options: DatasetOptions) -> str:
    """Name for tables: "mnist", "mnist,antialias=False"."""
    plain, name = DatasetOptions(options.name), data_options.IDENTITY.stored_name
    changed = [f.name for f in fields(options) if getattr(options, f.name) != getattr(plain, f.name)]
    return ",".join([options.name, *(f"{name(field)}={getattr(options, field)}" for field in changed)])


class SweepSpec(BaseModel):
    """Variants × seeds on a data set, and how to run them. `parse` and `read_spec` make one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "sweep"
    variants: Names = tuple(VARIANTS)
    recipe: Names = ("flax",)
    seeds: str = "0:16"
    dataset: Annotated[DatasetSpec, BeforeValidator(lambda d: {"name": d} if isinstance(d, str) else d)] = (
        DatasetSpec()
    )
    set: dict[str, tuple[Any, ...]] = Field(default_factory=dict)  # values of each hyperparameter: a grid
    engine: str = "auto"  # or a key of `model.engines.ENGINES`
    shard_width: Annotated[WholeNumber, Field(ge=1, le=65536)] = 16  # seeds trained together by one worker
    keep_weights: str = ""  # seeds whose final weights are stored; those not in `seeds` are ignored

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError(
                f"{name!r} is not a name: use at most 64 letters, digits, '.', '_' and '-', and begin with a "
                "letter or digit"
            )
        return name

    @field_validator("engine")
    @classmethod
    def _engine(cls, name: str) -> str:
        choices = ("auto", *ENGINES)
        if name not in choices:
            raise ValueError(f"unknown engine {name!r}{nearest(name, choices)}")
        return name

    @field_validator("seeds", "keep_weights", mode="before")
    @classmethod
    def _seeds(cls, seeds: Any) -> str:
        parts = seeds if isinstance(seeds, list | tuple) else [seeds]
        for part in parts:
            if not isinstance(part, int | str) or isinstance(part, bool):
                raise ValueError(f"{part!r} is not a seed or a range: write 7, or 0:64 for seeds 0 to 63")
        return str(SeedRanges.parse(",".join(map(str, parts))))

    @field_validator("set", mode="before")
    @classmethod
    def _set(cls, grid: Any) -> Any:
        if not isinstance(grid, dict):
            raise ValueError("give a mapping such as {learning_rate: [0.01, 0.03]}")
        grid = model_variants.IDENTITY.by_field(grid)
        for key in grid:
            if key not in OVERRIDABLE:
                raise ValueError(f"unknown hyperparameter {key!r}{nearest(str(key), OVERRIDABLE)}")
        values = {
            key: tuple(itertools.chain(*map(expand_range, as_list(value)))) for key, value in grid.items()
        }
        for key, several in values.items():
            for value in several:
                if not isinstance(value, int | float | str) or isinstance(value, bool):
                    raise ValueError(f"{key} = {value!r} is neither a number nor text")
        return values

    @model_validator(mode="after")
    def _complete(self) -> "SweepSpec":
        grid = math.prod(map(len, self.set.values())) * len(self.dataset.grid)
        wide = len(self.recipe) * len(self.variants) * grid
        if wide > MAX_CELLS:  # before the cells are enumerated
            raise ValueError(
                f"{wide:,} combinations of variants, recipes, data sets and values: at most {MAX_CELLS:,} fit one "
                "sweep"
            )
        runs = len(list(self.cells())) * len(self.seed_ranges)
        if runs > MAX_RUNS:
            raise ValueError(f"{runs:,} runs: at most {MAX_RUNS:,} fit one sweep")
        if self.keep_weights and not self.kept_seeds:
            raise ValueError(f"keep_weights: {self.keep_weights} has none of the seeds {self.seeds}")
        return self

    @property
    def seed_ranges(self) -> SeedRanges:
        """The seeds, parsed."""
        return SeedRanges.parse(self.seeds)

    @property
    def kept_seeds(self) -> SeedRanges:
        """The seeds whose final weights are stored."""
        return SeedRanges.parse(self.keep_weights) & self.seed_ranges if self.keep_weights else SeedRanges()

    def cells(self) -> Iterator[tuple[Variant, DatasetOptions]]:
        """Every requested variant with its data set; equal ones (by digest) occur once."""
        for cell, options, first in self._combinations():
            if first is None:
                yield cell, options

    def identical(self) -> list[tuple[str, str]]:
        """Names of the combinations that `cells` leaves out, each with the name of the equal cell."""
        return [(cell.name, first.name) for cell, _, first in self._combinations() if first is not None]

    def _combinations(self) -> Iterator[tuple[Variant, DatasetOptions, Variant | None]]:
        """Every combination, and the equal one before it (None: it is the first)."""
        seen: dict[tuple[str, DatasetOptions], Variant] = {}
        for recipe, name in itertools.product(self.recipe, self.variants):
            for values in itertools.product(*self.set.values()):
                cell = variant(name, recipe, **dict(zip(self.set, values, strict=True)))
                for options in self.dataset.options(recipe):
                    yield cell, options, seen.get((cell.digest, options))
                    seen.setdefault((cell.digest, options), cell)

    @property
    def digest(self) -> str:
        """Eight hex digits over the requested runs. How they are executed is not part of it."""
        stored = self.to_stored()
        return digest({name: value for name, value in stored.items() if name not in EXECUTION})[:8]

    def to_stored(self) -> dict[str, Any]:
        """The spec as JSON values by stored name; `parse` reads it back."""
        stored = _stored(self, IDENTITY)
        stored["dataset"] = _stored(self.dataset, data_options.IDENTITY)
        stored["set"] = model_variants.IDENTITY.rename(stored["set"])
        return stored


def _stored(model: BaseModel, identity: Identity) -> dict[str, Any]:
    defaults = {
        name: f.get_default(call_default_factory=True) for name, f in type(model).model_fields.items()
    }
    neutral = identity.neutral(dict(model), defaults)
    return identity.rename(model.model_dump(mode="json", exclude=neutral))


def parse(fields: dict[str, Any], where: str = "") -> SweepSpec:
    """Make a validated spec from plain data.

    Args:
      fields: keys of SweepSpec.
      where: the source of the fields, the prefix of error messages.

    Raises:
      SpecError: an unknown key or a wrong value, in one line.
    """
    prefix = f"{where}: " if where else ""
    try:
        return SweepSpec(**fields)
    except ValidationError as error:
        names = (*OVERRIDABLE, *model_variants.IDENTITY.stored_names.values())
        keys = {"": SweepSpec.model_fields, "dataset": DatasetSpec.model_fields, "set": names}
        raise SpecError(f"{prefix}{explain(error, keys)}") from None
    except TypeError:
        raise SpecError(f"{prefix}keys must be text") from None
