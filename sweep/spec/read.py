"""Read a spec from a YAML file or a preset, with changes from the command line or from Python."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from model.names import nearest
from model.variants import IDENTITY
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


def read_spec(source: str | None = None, *, epochs: int | None = None, **changes: Any) -> SweepSpec:
    """A spec from a YAML file or a preset, with some keys changed.

    Args:
      source: path of a YAML file, name of a preset, or None for the defaults.
      epochs: short for ``set={"epochs": epochs}``.
      changes: keys of SweepSpec that replace the file's; None leaves the file's. `set` replaces the values of
        the hyper-parameters that it names and leaves the others.

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
        # A former name in the file gives way to the present one in a change.
        names = {former: name for name, former in IDENTITY.stored_names.items()}
        replaced = {names.get(key, key) for key in changed["set"]}
        kept = {key: value for key, value in fields["set"].items() if names.get(key, key) not in replaced}
        changed["set"] = {**kept, **changed["set"]}
    try:
        return parse(fields | changed, where)
    except SpecError:
        if changed and where:
            parse(fields, where)  # raises if the file itself is wrong
            return parse(fields | changed)  # raises without the file's name: a change is wrong
        raise


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
