"""Results of every version stay readable when fields and columns are added."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.errors import StoreError
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.sweep.small import rows
from tests.sweep.store.test_check import VERSION_1, doctor, files

SOURCE = Path(__file__).parents[3]

STATE = """
import json, sys
from model.variants import RECIPES, VARIANTS, variant
from sweep.spec.read import presets, read_spec
from sweep.store.check import examine
from sweep.store.records import recorded_sweeps
from sweep.store.status import sweep_status
from sweep.store.store import Store

store = Store(sys.argv[1])
print(json.dumps({
    "variants": [variant(v, r).digest for v in VARIANTS for r in RECIPES],
    "presets": [read_spec(p).digest for p in presets()],
    "keys": [options.key for _, options in read_spec("recipes").cells()],
    "recorded": {name: record.spec.digest for name, record in recorded_sweeps(store).items()},
    "status": [(row.variant, row.wanted, row.done) for rows in sweep_status(store).values() for row in rows],
    "damaged": [finding.what for finding in examine(store)],
    "epochs": store.epochs(["variant", "seed", "epoch", "test_misses"]).to_csv(),
    "labels": len(store.labels()),
}))
"""


def add_field(path: Path, name: str, line: str) -> None:
    """Insert a line after the last field of a class."""
    text = path.read_text()
    (body,) = [n.body for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == name]
    last = max(n.end_lineno for n in body if isinstance(n, ast.AnnAssign))
    lines = text.splitlines()
    path.write_text("\n".join([*lines[:last], f"    {line}", *lines[last:]]))


def add_column(path: Path, after: str, line: str) -> None:
    lines = path.read_text().splitlines()
    (at,) = [i for i, text in enumerate(lines) if f'pa.field("{after}"' in text]
    path.write_text("\n".join([*lines[: at + 1], f"        {line}", *lines[at + 1 :]]))


@pytest.fixture(scope="module")
def later(tmp_path_factory) -> Path:
    """A later version of the program: with one additional line for each new field and column."""
    source = tmp_path_factory.mktemp("later")
    for package in ("data", "model", "sweep"):
        shutil.copytree(SOURCE / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    add_field(source / "model" / "variants.py", "Variant", "momentum: float = 0.0")
    add_field(source / "model" / "variants.py", "Variant", "init_seed: int | None = None")
    add_field(source / "data" / "options.py", "DatasetOptions", "crop: int = 0")
    add_field(source / "sweep" / "spec" / "spec.py", "DatasetSpec", "crop: int | None = None")
    add_field(source / "sweep" / "spec" / "spec.py", "SweepSpec", "tags: Names = ()")
    schema = source / "sweep" / "store" / "schema.py"
    add_column(schema, "margins", '(3, pa.field("outputs", pa.list_(pa.float16()))),')
    add_column(schema, "test_misses", '(3, pa.field("test_margin", pa.float32())),')
    return source


def python(source: Path, program: str, *arguments: object) -> str:
    run = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=source,
        env=os.environ | {"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_neutral_fields_and_nullable_columns_change_nothing_stored(later):
    before, after = (json.loads(python(source, STATE, VERSION_1)) for source in (SOURCE, later))
    assert after == before
    assert after["status"] == [["base,epochs=3", 4, 4], ["dropout,epochs=3", 4, 4]]
    assert after["damaged"] == []


def test_a_missing_column_is_read_as_null(later):
    program = """
import sys
from sweep.store.store import Store
store = Store(sys.argv[1])
epochs, labels = store.epochs(), store.labels()
assert epochs["test_margin"].isna().all() and len(epochs) == 24, epochs
assert labels[["margins", "outputs"]].isna().all(axis=None) and len(labels) == 8, labels
"""
    python(later, program, VERSION_1)


def test_a_value_that_is_not_neutral_changes_the_digest(later):
    program = """
from data.options import DatasetOptions
from model.variants import variant
from sweep.spec.spec import parse
assert variant("base", momentum=0.0).digest == variant("base").digest
assert variant("base", momentum=0.9).digest != variant("base").digest
assert variant("base", momentum=0.9).name == "base,momentum=0.9"
assert variant("base", init_seed="7").init_seed == 7
assert variant("base", init_seed=0).digest != variant("base", init_seed=None).digest
assert DatasetOptions("mnist", crop=1).key != DatasetOptions("mnist").key
assert parse({"tags": "a"}).digest != parse({}).digest
assert parse({"dataset": {"name": "mnist", "crop": 1}}).digest != parse({"dataset": "mnist"}).digest
assert parse({"tags": "a"}).to_stored()["tags"] == ["a"] and "tags" not in parse({}).to_stored()
"""
    python(later, program)


WRITE = """
import random, sys
import pyarrow as pa
from sweep.driver.driver import train
from sweep.messages import Finished
from sweep.spec.spec import parse
from sweep.store.check import examine
from sweep.store.store import Store
from tests.simulation.workers import Workers

extra, outputs = eval(sys.argv[2]), sys.argv[3] == "outputs"
spec = parse({"variants": "base", "seeds": "0:4", "shard_width": 3} | extra)
datasets = {options.key: {"digest": "d" * 64, "name": "digits"} for _, options in spec.cells()}

def workers(shards, resume_from):
    for shard, message in Workers(random.Random(0), 0.0)(shards, resume_from):
        if outputs and isinstance(message, Finished):
            column = pa.array([[1.5, -2.0, float(seed)] for seed in shard.seeds], pa.list_(pa.float16()))
            labels = message.labels.drop_columns("outputs").append_column("outputs", column)
            message = Finished(message.epochs, labels, message.metadata)
        yield shard, message

store = Store(sys.argv[1])
store.open_for_writing()
train(spec, store, datasets, workers)
assert examine(store) == [], examine(store)
labels = store.labels()
assert not outputs or labels["outputs"].notna().all()
assert not outputs or [float(m[2]) for m in labels["outputs"]] == [0.0, 1.0, 2.0, 3.0], labels["outputs"]
"""


@pytest.fixture(scope="module")
def writer(later):
    """The later version, which trains a sweep with simulated workers."""
    shutil.copytree(SOURCE / "tests", later / "tests")
    return later


@pytest.fixture(scope="module")
def fields_only(writer, tmp_path_factory):
    """A later version with new fields but no new column."""
    source = tmp_path_factory.mktemp("fields") / "later"
    shutil.copytree(writer, source)
    shutil.copy(SOURCE / "sweep" / "store" / "schema.py", source / "sweep" / "store" / "schema.py")
    return source


def test_a_new_column_is_written_and_verified(writer, tmp_path):
    python(writer, WRITE, tmp_path / "results", {"set": {"epochs": 3}}, "outputs")


def check_reported(root: Path) -> None:
    """The present version reports files of the later one and leaves them in place."""
    before = files(root)
    findings = examine(Store(str(root)))
    assert findings
    assert all("newer" in finding.what and finding.severity == "unverified" for finding in findings)
    assert doctor(root, "--repair").exit_code == 1
    assert {name: content for name, content in files(root).items() if name != "driver.json"} == before


def test_files_with_a_later_column_are_reported_and_never_quarantined(writer, tmp_path):
    root = tmp_path / "results"
    python(writer, WRITE, root, {"set": {"epochs": 3}}, "none")
    check_reported(root)
    with pytest.raises(StoreError, match="newer lecun1989-sweep"):
        rows(root)


@pytest.mark.parametrize("extra", [{"set": {"momentum": 0.9, "epochs": 3}}, {"tags": "a"}])
def test_files_with_a_later_field_are_reported_and_never_quarantined(fields_only, tmp_path, extra):
    root = tmp_path / "results"
    python(fields_only, WRITE, root, extra, "none")
    check_reported(root)
    assert len(rows(root)) > 0
    with pytest.raises(StoreError, match="newer lecun1989-sweep"):
        recorded_sweeps(Store(str(root)))


def test_a_record_of_version_1_is_kept_as_it_is(tmp_path):
    from tests.sweep.store.test_check import again

    root = Path(shutil.copytree(VERSION_1, tmp_path / "results"))
    again(root)
    assert files(root) == files(VERSION_1)
    ((spec, datasets),) = recorded_sweeps(Store(str(root))).values()
    assert [datasets[options.key]["digest"] for _, options in spec.cells()] == ["d" * 64] * 2
