"""CSV files: every row, appended once, and refused where the file is another one."""

import pandas as pd
import pytest

from sweep.export.tracker import export
from sweep.store.store import Store
from tests.sweep.cli.command import sweep
from tests.sweep.export.roots import more_seeds, select, small_root


@pytest.fixture
def root(tmp_path):
    return small_root(tmp_path / "r")


def test_the_file_has_the_stored_rows(root, tmp_path):
    path = tmp_path / "new" / "runs.csv"
    ended = sweep("export", "csv", "--root", root, "--to", path)
    assert (ended.code, ended.err) == (0, f"12 runs exported to {path}\n")
    found, stored = pd.read_csv(path), Store(root).epochs()
    for name in ("variant", "seed", "epoch", "test_misses", "engine", "dataset_digest", "n_test"):
        assert found[name].fillna(-1).tolist() == stored[name].fillna(-1).tolist()
    assert (found["train_loss"].astype("float32").dropna() == stored["train_loss"].dropna()).all()
    diverged = found[found["status"] == "diverged"]  # a column of the run
    assert set(zip(diverged["variant"], diverged["seed"], strict=True)) == {("dropout,epochs=5", 3)}
    assert [p.name for p in path.parent.iterdir()] == ["runs.csv"]


def test_a_second_export_appends_only_new_runs(root, tmp_path):
    path = tmp_path / "runs.csv"
    export(select(root), "csv", to=str(path))
    before = path.read_bytes()
    stat = path.stat()
    assert export(select(root), "csv", to=str(path)).added == 0
    assert path.stat() == stat
    more_seeds(root, 6, 8)
    result = export(select(root), "csv", to=str(path))
    assert (result.added, result.present) == (2, 12)
    assert path.read_bytes().startswith(before)
    assert pd.read_csv(path).groupby("run_key").size().tolist() == [5] * 14


def test_statistics_per_variant(root, tmp_path):
    path = tmp_path / "variants.csv"
    assert export(select(root), "csv", per="variant", to=str(path)).added == 2
    found = pd.read_csv(path)
    assert found["seeds"].unique().tolist() == ["0:6"]
    assert found["n_ok"].tolist() == [6, 6, 6, 6, 6, 6, 6, 6, 6, 5]


def test_wrong_requests_are_one_line_and_write_nothing(root, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    runs = tmp_path / "runs.csv"
    export(select(root), "csv", to=str(runs), per="variant")
    before = runs.read_bytes()
    for arguments, reason in (
        (["csv", "--to", other], "was not written by `sweep export csv`"),
        (["csv", "--to", runs], "has other columns (another --per?)"),
        (["csv", "--to", tmp_path], "is a folder"),
        (["csv", "--to", other / "x" / "y.csv"], "cannot be written"),
        (["csv", "--experiment", "x"], "has no experiments"),
        (["cvs"], "unknown tracker 'cvs': did you mean 'csv'"),
        (["csv", "--variants", "bse,*"], "no finished run has variant"),
    ):
        ended = sweep("export", *arguments, "--root", root, cwd=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert reason in ended.err
        assert len(ended.err.splitlines()) == 1
    assert other.read_text() == "a,b\n1,2\n"
    assert runs.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.csv", "r", "runs.csv"]
