"""Read a spec from a YAML file or a preset, with changes from the command line or from Python."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from data import options as data_options
from model import variants as model_variants
from model.identity import Identity
from model.names import nearest
from sweep.errors import SpecError
from sweep.spec.spec import SweepSpec, parse
from sweep.spec.yamlfile import parse_mapping, read_mapping

EXAMPLE = "a mapping such as 'seeds: 0:64'"


def presets() -> dict[str, str]:
    """Names of the presets shipped with the package, with one line about each."""
    found = {}
    for file in sorted(resources.files("sweep.spec.presets").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            found[file.name.removesuffix(".yaml")] = file.read_text().splitlines()[0].lstrip("# ")
    return found


def read_spec(
    source: str | None = None,
    *,
    epochs: int | None = None,
    n_train: Any = None,
    subset_seed: Any = None,
    **changes: Any,
) -> SweepSpec:
    """A spec from a YAML file or a preset, with some keys changed.

    Args:
      source: path of a YAML file, name of a preset, or None for the defaults.
      epochs: short for ``set={"epochs": epochs}``.
      n_train, subset_seed: values of these keys of `dataset`: a number, a range such as "0:16", or a list.
      changes: keys of SweepSpec that replace the file's; None leaves the file's. `set` replaces the values of
        the hyperparameters that it names and leaves the others.

    Raises:
      SpecError: no such file, broken YAML, or an unknown key or value; one line.
    """
    where, fields = _read(source)
    changed = {key: value for key, value in changes.items() if value is not None}
    if epochs is not None:
        if "epochs" in changed.get("set", {}):
            raise SpecError("epochs is given twice, by itself and in set: give it once")
        changed["set"] = {**changed.get("set", {}), "epochs": str(epochs)}  # as from --epochs
    if isinstance(fields.get("set"), Mapping) and isinstance(changed.get("set"), Mapping):
        changed["set"] = _replaced(fields["set"], changed["set"], model_variants.IDENTITY)
    grid = {"n_train": n_train, "subset_seed": subset_seed}
    if grid := {key: value for key, value in grid.items() if value is not None}:
        dataset = changed.get("dataset", fields.get("dataset", {}))
        dataset = {"name": dataset} if isinstance(dataset, str) else dataset
        if isinstance(dataset, Mapping):  # otherwise `parse` reports it
            changed["dataset"] = _replaced(dataset, grid, data_options.IDENTITY)
    try:
        return parse(fields | changed, where)
    except SpecError:
        if changed and where:
            parse(fields, where)  # raises if the file itself is wrong
            return parse(fields | changed)  # raises without the file's name: a change is wrong
        raise


def _replaced(old: Mapping[str, Any], new: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """The old values with the new ones in place. A former name of a key gives way to the present one."""
    replaced = identity.by_field(new).keys()
    names = {former: name for name, former in identity.stored_names.items()}
    return {key: value for key, value in old.items() if names.get(key, key) not in replaced} | dict(new)


def _read(source: str | None) -> tuple[str, dict[str, Any]]:
    """Where the fields come from, for error messages, and the fields."""
    if source is None:
        return "", {}
    if source in presets():
        text = resources.files("sweep.spec.presets").joinpath(f"{source}.yaml").read_text()
        return source, parse_mapping(text, source, EXAMPLE)
    path = Path(source)
    if not path.exists() and path.suffix not in (".yaml", ".yml") and "/" not in source:
        raise SpecError(f"{source}: neither a file nor a preset{nearest(source, presets())}")
    return source, read_mapping(path, EXAMPLE)
