"""Records of sweeps: which specs were run under a root, and on which data.

    <root>/sweeps/NAME-DIGEST.json
      {"schema_version": 2, "spec": {…}, "datasets": {KEY: {"digest", "name", "test_labels"}}, "digest": …}

Version 1 has no "schema_version" and no "digest", and its data set keys are the `repr` of the options.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from data.dataset import Dataset
from data.options import DatasetOptions
from model.identity import digest
from sweep.errors import SpecError, StoreError
from sweep.spec.shard import Cell
from sweep.spec.spec import SweepSpec, dataset_label, parse
from sweep.store.errors import Damaged, NewerVersion
from sweep.store.store import Store

RECORD_VERSION = 2

Datasets = Mapping[str, Mapping[str, str]]
"""Digest, name and true test labels (optional, one character per digit) of each data set, by `DatasetOptions.key`."""


class SweepRecord(NamedTuple):
    """A spec and the data sets of its cells."""

    spec: SweepSpec
    datasets: Datasets

    @property
    def name(self) -> str:
        """File name without ending."""
        return sweep_name(self.spec)

    def encode(self) -> bytes:
        """As JSON of the current version, with a digest over its content."""
        content = {
            "schema_version": RECORD_VERSION,
            "spec": self.spec.to_stored(),
            "datasets": {key: dict(entry) for key, entry in self.datasets.items()},
        }
        return json.dumps(content | {"digest": digest(content)}, indent=1, sort_keys=True).encode()

    @staticmethod
    def decode(text: bytes) -> "SweepRecord":
        """Read back from JSON of any version.

        Raises:
          NewerVersion: written by a newer version of the program.
          Damaged, json.JSONDecodeError: damaged.
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise Damaged("is not the record of a sweep")
        version = content.get("schema_version", 1)
        if not isinstance(version, int) or version < 1:
            raise Damaged(f"has no valid schema version: {version!r}")
        if version > RECORD_VERSION:
            raise NewerVersion.of(version, RECORD_VERSION)
        if version > 1 and content.pop("digest", None) != digest(content):
            raise Damaged("does not match its digest")
        match content:
            case {"spec": dict(fields), "datasets": dict(datasets)} if all(
                map(_is_dataset, datasets.values())
            ):
                pass
            case _:
                raise Damaged("has missing or invalid entries")
        try:
            spec = parse(fields)
        except SpecError as error:
            if version > 1:  # intact, so only its fields or values can be unknown
                raise NewerVersion(f"needs a newer lecun1989-sweep: {error}") from None
            raise Damaged(f"has an invalid spec: {error}") from None
        keys = {
            options.key: options.key if version > 1 else _version_1_key(options)
            for _, options in spec.cells()
        }
        if missing := keys.values() - datasets.keys():
            raise Damaged(f"has no data set {missing.pop()}")
        return SweepRecord(spec, {key: datasets[stored] for key, stored in keys.items()})


def dataset_entry(options: DatasetOptions, dataset: Dataset) -> dict[str, str]:
    """Entry of a data set in a record. Its true test labels serve tables where the digits are not available."""
    labels = "".join(str(label) for label in dataset.test.labels)
    return {"digest": dataset.digest, "name": dataset_label(options), "test_labels": labels}


def sweep_name(spec: SweepSpec) -> str:
    """Name of a spec's record: the spec's name and digest."""
    return f"{spec.name}-{spec.digest}"


def cells(spec: SweepSpec, datasets: Datasets) -> list[Cell]:
    """Every (variant, data set) of a spec whose data sets are known."""
    return [
        Cell(v, dataset_label(options), datasets[options.key]["digest"], options.sizes[0])
        for v, options in spec.cells()
    ]


def record_sweep(store: Store, spec: SweepSpec, datasets: Datasets) -> None:
    """Write the record of a spec, unless the stored one, of any version, has the same content.

    Raises:
      StoreError: the root cannot be written, or the stored record is damaged.
    """
    record = SweepRecord(spec, datasets)
    if recorded_sweeps(store).get(record.name) != record:
        store.folder.write(f"sweeps/{record.name}.json", record.encode())


def recorded_datasets(store: Store, spec: SweepSpec) -> Datasets:
    """Data sets that a spec was run on under this root; {} if it never was.

    Raises:
      StoreError: a record is damaged.
    """
    record = recorded_sweeps(store).get(sweep_name(spec))
    return record.datasets if record else {}


def recorded_sweeps(store: Store) -> dict[str, SweepRecord]:
    """Every record under a root, by name.

    Raises:
      StoreError: one is damaged, or written by a newer version.
    """
    return {name: _read(store, f"sweeps/{name}.json") for name in store.folder.names("sweeps", ".json")}


def _read(store: Store, path: str) -> SweepRecord:
    try:
        return SweepRecord.decode(store.folder.read(path))
    except NewerVersion as error:
        raise StoreError(f"{store.root}/{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, Damaged) else "is not valid JSON"
        raise StoreError(
            f"{store.root}/{path}: {reason}; `sweep doctor --repair --root {store.root}` quarantines it"
        ) from None


def _is_dataset(entry: Any) -> bool:
    """Whether an entry is valid. The digest, 64 hex digits, becomes part of a folder name."""
    return (
        isinstance(entry, dict)
        and "name" in entry
        and bool(re.fullmatch("[0-9a-f]{64}", str(entry.get("digest"))))
        and bool(re.fullmatch("[0-9]*", str(entry.get("test_labels", ""))))
    )


def _version_1_key(options: DatasetOptions) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in options.to_stored().items())
    return f"DatasetOptions({values})"
