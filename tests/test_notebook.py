"""The notebook runs top to bottom on the digits that ship with a dependency."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PROJECT = Path(__file__).parents[1]
NOTEBOOK = PROJECT / "notebooks" / "error-versus-seed.ipynb"


def outputs(cell):
    return [
        output
        for output in cell.get("outputs", [])
        if output.output_type in ("display_data", "execute_result")
    ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PROJECT))
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return notebook


def test_it_runs_and_shows_a_progress_bar_a_figure_and_the_outcome(executed):
    shown = [output.data for cell in executed.cells for output in outputs(cell)]
    bars = [data["text/html"] for data in shown if "<progress" in data.get("text/html", "")]
    assert len(bars) == 2  # of the two runs
    assert all("done" in bar for bar in bars)
    texts = " ".join(data.get("text/plain", "") for data in shown)
    assert "1 run trained in 1 shard, 0 failed" in texts
    assert "31 runs trained in " in texts
    assert any("image/png" in data for data in shown)


def test_the_stored_outputs_are_of_the_stored_cells(executed):
    stored = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for before, after in zip(stored.cells, executed.cells, strict=True):
        assert len(outputs(before)) == len(outputs(after))
        assert str(PROJECT) not in before.source
    assert os.fspath(Path.home()) not in NOTEBOOK.read_text()
