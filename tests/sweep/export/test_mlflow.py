"""Export to a real MLflow: a tracking server process over its database, and the database without a server."""

import os
import shutil
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
pytest.importorskip("sqlalchemy", reason="the database of MLflow needs SQLAlchemy")

from mlflow import MlflowClient

from sweep.errors import SpecError
from sweep.export.mlflow import KEY
from sweep.export.registry import EXPERIMENT
from sweep.export.tracker import export
from tests.sweep.cli.command import sweep
from tests.sweep.export.roots import misses, more_seeds, select, small_root

pytestmark = pytest.mark.slow  # MLflow takes seconds to import and to create its database


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database, which takes MLflow seconds to create."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def address(database, tmp_path):
    return f"sqlite:///{shutil.copy(database, tmp_path)}"


@pytest.fixture
def server(database, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = f"sqlite:///{shutil.copy(database, tmp_path)}"
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "mlflow.server.fastapi_app:app"]
    environment = os.environ | {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(tmp_path / "artifacts"),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            break
        except (URLError, OSError):
            assert process.poll() is None
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def runs_of(address, name=EXPERIMENT):
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(name)
    return client, {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def history(client, run, metric):
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, metric)]


def test_a_server_has_every_epoch_parameter_and_tag(server, tmp_path):
    root = small_root(tmp_path / "r")
    ended = sweep("export", "mlflow", "--root", root, "--to", server)
    assert (ended.code, ended.out, ended.err) == (0, "", f"12 runs exported to {server}\n")
    client, runs = runs_of(server)
    run = runs["base,epochs=5, seed 2"]
    assert run.info.status == "FINISHED"
    assert history(client, run, "test_misses") == list(enumerate(misses("base", 2), 1))
    assert run.data.params.items() >= {"seed": "2", "learning_rate": "0.03", "n_test": "60"}.items()
    assert run.data.tags.items() >= {"engine": "vmap", "status": "ok", "code": "0.1.0+00000000"}.items()
    diverged = runs["dropout,epochs=5, seed 3"]
    assert history(client, diverged, "test_misses") == list(enumerate(misses("dropout", 3), 1))
    ended = sweep("export", "mlflow", "--root", root, "--to", server)
    assert ended.err == f"0 runs exported to {server}, 12 already there\n"
    assert len(runs_of(server)[1]) == 12


def test_a_second_export_adds_only_what_is_new(address, tmp_path):
    root = small_root(tmp_path / "r")
    assert export(select(root), "mlflow", to=address).added == 12
    more_seeds(root, 6, 8)
    result = export(select(root), "mlflow", to=address)
    assert (result.added, result.present) == (2, 12)
    assert export(select(root), "mlflow", to=address, per="variant").added == 2
    client, runs = runs_of(address)
    assert len(runs) == 16
    assert len(history(client, runs["base,epochs=5, seeds 0:8"], "test_misses_mean")) == 5


def test_an_interrupted_export_is_completed(address, tmp_path):
    root = small_root(tmp_path / "r")
    export(select(root), "mlflow", to=address)
    client, runs = runs_of(address)
    expected = {name: history(client, run, "train_loss") for name, run in runs.items()}
    lost = runs["base,epochs=5, seed 1"]
    client.delete_run(lost.info.run_id)
    partial = client.create_run(
        lost.info.experiment_id, tags={KEY: lost.data.tags[KEY]}, run_name=lost.info.run_name
    )
    client.log_metric(
        partial.info.run_id, "train_loss", expected[lost.info.run_name][0][1], timestamp=1, step=1
    )
    result = export(select(root), "mlflow", to=address)
    assert (result.added, result.present) == (1, 11)
    client, runs = runs_of(address)
    assert runs[lost.info.run_name].info.run_id == partial.info.run_id
    assert runs[lost.info.run_name].info.status == "FINISHED"
    assert len(runs) == 12


def test_wrong_places_are_one_line(tmp_path):
    root = small_root(tmp_path / "r")
    (tmp_path / "file").touch()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for to, reason in (
        (f"http://127.0.0.1:{port}", "no MLflow server answers"),
        ("nonsense://x", "nonsense"),
        (f"sqlite:///{tmp_path}/file/m.db", "ile exists"),
    ):
        ended = sweep("export", "mlflow", "--root", root, "--to", to)
        assert ended.code == 2
        assert reason in ended.err
        assert len(ended.err.splitlines()) == 1


def test_a_deleted_experiment_is_not_written(address, tmp_path):
    root, client = small_root(tmp_path / "r"), MlflowClient(address)
    client.delete_experiment(client.create_experiment("mine"))
    with pytest.raises(SpecError, match="'mine' is deleted"):
        export(select(root), "mlflow", to=address, experiment="mine")
