"""A data set, an engine, a table and a plot are added through their registries: an entry and a module."""

import pytest

from data import DATASETS, describe
from data.options import DatasetEntry
from model.engines import ENGINES, EngineInfo
from sweep.analysis.names import Entry
from sweep.analysis.plots.plot import make_plot
from sweep.analysis.plots.registry import PLOTS
from sweep.analysis.tables.registry import TABLES
from sweep.analysis.tables.table import make_table
from sweep.store.store import Store
from tests.sweep.small import rows, run_inline, small_spec


@pytest.fixture
def toy_data(monkeypatch):
    entry = DatasetEntry(
        summary="20 toy digits",
        module="tests.toys",
        rows=(20, 10),
        shared=False,
        sizes=(20, 10),
        permuted=False,
        resized=False,
    )
    monkeypatch.setitem(DATASETS, "toy", entry)


def test_a_data_set(toy_data, tmp_path):
    spec = small_spec(dataset="toy", variants="base", seeds="0:2", set={"epochs": 2})
    assert run_inline(tmp_path / "results", spec).runs_trained == 2
    frame = rows(tmp_path / "results")
    assert set(frame["dataset"]) == {"toy"}
    assert len(frame) == 4
    assert describe("toy") == "in the tests"


def test_an_engine_a_table_and_a_plot(toy_data, tmp_path, monkeypatch):
    monkeypatch.setitem(ENGINES, "toy", EngineInfo("learns nothing", (), lambda memory: 2, "tests.toys"))
    monkeypatch.setitem(TABLES, "toy", Entry("tests.toys:TABLE", "number of runs"))
    monkeypatch.setitem(PLOTS, "toy", Entry("tests.toys:plot", "number of runs"))
    spec = small_spec(dataset="toy", variants="base", seeds="0:2", set={"epochs": 2}, engine="toy")
    run_inline(tmp_path / "results", spec)
    frame = rows(tmp_path / "results")
    assert frame.groupby("seed")["test_loss"].nunique().tolist() == [1, 1]  # the toy engine trained them
    store = Store(str(tmp_path / "results"))
    table, _ = make_table(store, "toy")
    assert table["runs"].tolist() == [2]
    assert make_plot(store, "toy").axes
