"""What may be asked: variants × seeds on a data set. Loads neither JAX nor Ray."""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from data.options import DatasetOptions
from model.names import nearest
from model.variants import OVERRIDABLE, RECIPES, VARIANTS, Variant, variant
from sweep.errors import SpecError
from sweep.spec.seeds import SeedRanges

MAX_RUNS = 10_000_000
MAX_CELLS = 10_000  # variants × recipes × grid
EngineName = Literal["auto", "vmap", "lanes"]


def as_list(value: Any) -> Any:
    """One value, a list, or text with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list | tuple) else [value]


Names = Annotated[tuple[str, ...], BeforeValidator(as_list)]


class DatasetSpec(BaseModel):
    """Which digits. Fields left out take the data set's defaults; `antialias` follows each recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "mnist5k"
    n_train: int | None = None
    n_test: int | None = None
    draw: int | None = None
    era: str | None = None
    antialias: bool | None = None

    def options(self, recipe: str) -> DatasetOptions:
        """The exact digits for one recipe."""
        given = {k: v for k, v in self.model_dump().items() if v is not None}
        if self.name.startswith("mnist"):
            given.setdefault("antialias", RECIPES[recipe].antialias)
        return DatasetOptions(**given)


def dataset_label(options: DatasetOptions) -> str:
    """Name for tables: "mnist", "mnist,antialias=False"."""
    plain = DatasetOptions(options.name)
    changed = [f.name for f in fields(options) if getattr(options, f.name) != getattr(plain, f.name)]
    return ",".join([options.name, *(f"{name}={getattr(options, name)}" for name in changed)])


class SweepSpec(BaseModel):
    """Variants × seeds × data set, and how to run them.

    Raises (through `parse`):
      SpecError: one line that names the key, what is wrong and what would be right.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "sweep"
    variants: Names = tuple(VARIANTS)
    recipe: Names = ("flax",)
    seeds: str = "0:16"
    dataset: Annotated[DatasetSpec, BeforeValidator(lambda d: {"name": d} if isinstance(d, str) else d)] = (
        DatasetSpec()
    )
    set: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict
    )  # hyper-parameter: one value or a grid of them
    engine: EngineName = "auto"
    shard_width: Annotated[int, Field(ge=1, le=65536)] = 16  # seeds trained together by one worker

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError(f"{name!r} may hold letters, digits, '.', '_' and '-' only, at most 64 of them")
        return name

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, seeds: Any) -> str:
        parts = seeds if isinstance(seeds, list | tuple) else [seeds]
        if not all(isinstance(part, int | str) for part in parts):
            raise ValueError("write 7, or 0:64 for seeds 0 to 63")
        return str(SeedRanges.parse(",".join(map(str, parts))))

    @field_validator("set", mode="before")
    @classmethod
    def _set(cls, grid: Any) -> Any:
        if not isinstance(grid, dict):
            raise ValueError("give a mapping such as {learning_rate: [0.01, 0.03]}")
        for key in grid:
            if key not in OVERRIDABLE:
                raise ValueError(f"unknown hyper-parameter {key!r}{nearest(str(key), OVERRIDABLE)}")
        return {key: tuple(as_list(value)) for key, value in grid.items()}

    @model_validator(mode="after")
    def _complete(self) -> "SweepSpec":
        wide = len(self.recipe) * len(self.variants) * math.prod(map(len, self.set.values()))
        if wide > MAX_CELLS:  # before the cells are looked at one by one
            raise ValueError(f"asks for {wide:,} combinations: at most {MAX_CELLS:,} fit one sweep")
        runs = len(list(self.cells())) * len(self.seed_ranges)
        if runs > MAX_RUNS:
            raise ValueError(f"asks for {runs:,} runs: at most {MAX_RUNS:,} fit one sweep")
        return self

    @property
    def seed_ranges(self) -> SeedRanges:
        """The seeds, parsed."""
        return SeedRanges.parse(self.seeds)

    def cells(self) -> Iterator[tuple[Variant, DatasetOptions]]:
        """Every variant asked for, once, with its digits; duplicates by mathematics are dropped."""
        seen = set()
        for recipe, name in itertools.product(self.recipe, self.variants):
            for values in itertools.product(*self.set.values()):
                cell = variant(name, recipe, **dict(zip(self.set, values, strict=True)))
                options = self.dataset.options(recipe)
                if (cell.digest, options) not in seen:
                    seen.add((cell.digest, options))
                    yield cell, options

    @property
    def digest(self) -> str:
        """Eight hex digits over what is asked for, not over how it is run."""
        asked = self.model_dump(mode="json", exclude={"engine", "shard_width"})
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]


def presets() -> dict[str, str]:
    """Names of the presets shipped with the package, and what each asks for."""
    found = {}
    for file in sorted(resources.files("sweep.spec.presets").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            found[file.name.removesuffix(".yaml")] = file.read_text().splitlines()[0].lstrip("# ")
    return found


def read_spec(source: str | None, **changes: Any) -> SweepSpec:
    """A spec from a YAML file or a preset's name, with some keys changed.

    Args:
      source: path of a YAML file, a preset's name, or None for the defaults.
      changes: keys of SweepSpec that replace the file's; None leaves the file's.

    Raises:
      SpecError: missing or broken file, unknown key or value.
    """
    where, fields = _read(source)
    fields.update({key: value for key, value in changes.items() if value is not None})
    return parse(fields, where)


def parse(fields: dict[str, Any], where: str = "spec") -> SweepSpec:
    """A checked spec from plain data; `where` begins the message of a SpecError."""
    try:
        return SweepSpec(**fields)
    except ValidationError as error:
        raise SpecError(f"{where}: {_one_line(error)}") from None
    except TypeError:
        raise SpecError(f"{where}: keys must be words") from None


def _read(source: str | None) -> tuple[str, dict[str, Any]]:
    if source is None:
        return "sweep", {}
    if source in presets():
        text, where = resources.files("sweep.spec.presets").joinpath(f"{source}.yaml").read_text(), source
    else:
        path, where = Path(source), source
        if not path.is_file():
            if path.suffix in (".yaml", ".yml") or "/" in source:
                raise SpecError(f"{source}: there is no such file")
            raise SpecError(f"{source}: neither a file nor a preset{nearest(source, presets())}")
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{source}: cannot be read: {error}") from None
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise SpecError(f"{where}: broken YAML{line}: {getattr(error, 'problem', None) or error}") from None
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise SpecError(f"{where}: a spec is a mapping such as 'seeds: 0:64', not a {type(fields).__name__}")
    return where, fields


def _one_line(error: ValidationError) -> str:
    """The first problem: where, what, and what would be right."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = DatasetSpec.model_fields if first["loc"][0] == "dataset" else SweepSpec.model_fields
        return f"unknown key {key!r}{nearest(key, known)}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "literal_error":
        choices = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message = f"unknown {place} {first['input']!r}{nearest(str(first['input']), choices)}"
        return message
    return f"{place}: {message}" if place else message
