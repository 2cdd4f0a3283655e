"""SQL views: the rows of the store's own reader, on local files and in an object store."""

import json
import subprocess
import sys
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("duckdb", reason="the extra `sql` is not installed")

from sweep.analysis.sql import query
from sweep.store.store import Store
from tests.sweep.analysis.stored import stored
from tests.sweep.cli.command import sweep

WRONG = np.random.default_rng(2).random((6, 60)) < 0.2


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("sql") / "results"
    return stored(root, {"base": WRONG, "dropout": ~WRONG}, diverged={"dropout": {3}}, width=4)


ORDER = " ORDER BY variant, seed"


def assert_equal(found, expected):
    assert list(found.columns) == list(expected.columns)
    for name in found:
        assert found[name].fillna(-1).tolist() == expected[name].fillna(-1).tolist(), name


def test_epochs_and_final_have_the_rows_of_the_store(store):
    assert_equal(query(store, f"FROM epochs{ORDER}, epoch"), store.epochs())
    assert_equal(query(store, f"FROM final{ORDER}"), store.epochs(last_only=True))


def test_predictions_are_lists(store):
    found, stored_rows = query(store, f"FROM predictions{ORDER}"), store.labels()
    assert [name for name in found if name != "predictions"] == [n for n in stored_rows if n != "predictions"]
    for mine, theirs in zip(found["predictions"], stored_rows["predictions"], strict=True):
        assert mine == (None if theirs is None else list(theirs))
    assert found["predictions"].isna().sum() == 1  # the diverged run


def test_misses_computed_from_lists(store):
    joined = (
        "SELECT f.variant, f.seed, f.test_misses AS stored, len(list_filter(list_zip(p.predictions, b.predictions), "
        "lambda x: x[1] <> x[2])) AS differing FROM final f JOIN predictions p USING (variant_digest, seed) "
        "JOIN predictions b ON b.variant = 'base,epochs=5' AND b.seed = 0 WHERE f.variant = 'base,epochs=5' "
        "ORDER BY f.seed"
    )
    found = query(store, joined)
    assert found["differing"].tolist() == [int((WRONG[0] != row).sum()) for row in WRONG]


def test_a_run_that_two_files_hold_counts_once(tmp_path):
    stored(tmp_path / "r", {"base": WRONG}, width=6)
    twice = stored(tmp_path / "r", {"base": WRONG}, width=4)
    assert query(twice, "SELECT count(*) AS n, count(DISTINCT seed) AS seeds FROM final").values.tolist() == [
        [6, 6]
    ]
    assert len(query(twice, "FROM predictions")) == 6


def test_the_columns_of_the_views_are_listed_without_a_statement(store):
    ended = sweep("sql", "--root", store.root, "--format", "csv")
    assert ended.code == 0, ended.err
    assert {"epochs,dataset_digest,VARCHAR", "predictions,predictions,UTINYINT[]"} <= set(
        ended.out.splitlines()
    )


@pytest.mark.parametrize("format", ["text", "csv", "markdown", "latex"])
def test_the_command_prints_names_and_lists_in_every_text_format(store, format):
    values = "avg(f.test_misses), any_value(p.predictions[:2]) AS firsts"
    statement = f"SELECT {values} FROM final f JOIN predictions p USING (seed)"
    ended = sweep("sql", statement, "--root", store.root, "--format", format)
    assert ended.code == 0, ended.err
    assert "f.test" in ended.out
    assert "firsts" in ended.out


def test_json_and_parquet_keep_lists(store, tmp_path):
    statement = f"SELECT seed, predictions[:3] AS labels FROM predictions{ORDER} LIMIT 1"
    out = json.loads(sweep("sql", statement, "--root", store.root, "--format", "json").out)
    expected = list(store.labels()["predictions"][0][:3])
    assert out["rows"] == [{"seed": 0, "labels": expected}]
    assert sweep("sql", statement, "--root", store.root, "--out", tmp_path / "t.parquet").code == 0
    assert pd.read_parquet(tmp_path / "t.parquet")["labels"][0].tolist() == expected


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT nothing FROM final", 'Referenced column "nothing" not found'),
        ("SELEC 1", "syntax error"),
        ("", "returns no rows"),
    ],
)
def test_a_wrong_statement_is_one_line(store, statement, reason):
    ended = sweep("sql", statement, "--root", store.root)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert len(ended.err.splitlines()) == 1


def test_without_duckdb_one_line_names_the_extra(store):
    program = (
        "import sys\nsys.modules['duckdb'] = None\nfrom sweep.cli.main import main\n"
        f"main(['sql', 'FROM final', '--root', {store.root!r}])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "sweep: `sweep sql` requires DuckDB: pip install 'lecun1989-sweep[sql]'\n"


@pytest.mark.slow
def test_an_object_store(store, monkeypatch):
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        urlopen(Request(f"http://{host}:{port}/bucket", method="PUT")).close()
        bucket = Store("s3://bucket/results").folder
        for path in store.folder.everything():
            bucket.write(path, store.folder.read(path))
        remote = Store("s3://bucket/results")
        for view in ("epochs", "final", "predictions"):
            pd.testing.assert_frame_equal(
                query(remote, f"FROM {view} ORDER BY ALL"), query(store, f"FROM {view} ORDER BY ALL")
            )
    finally:
        server.stop()
