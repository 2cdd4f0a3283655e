"""`--notify` posts one document to a real HTTP server, however the command ends."""

import json
import signal
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from model.engines import load_engine
from sweep.cli.running import _command_line
from tests.sweep.cli.command import sweep
from tests.sweep.driver.test_stop import interrupted

SPEC = "name: mine\nvariants: base\nseeds: 0:2\nset: {epochs: 2}\ndataset: {name: mnist5k, n_train: 120, n_test: 60}"


@pytest.fixture
def server():
    """A server that keeps the documents; `status` is its answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.documents.append(json.loads(body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.documents, server.status = [], 200
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def address(server):
    return f"http://127.0.0.1:{server.server_port}/hook"


@pytest.fixture
def run(tmp_path, server):
    (tmp_path / "spec.yaml").write_text(SPEC)

    def run(*options):
        return sweep(
            "run", "spec.yaml", "--executor", "inline", "--notify", address(server), *options, cwd=tmp_path
        )

    return run


def test_the_end_of_a_sweep(run, server):
    ended = run()
    assert ended.code == 0, ended.err
    (document,) = server.documents
    name, _, digest = document.pop("sweeps")[0].rpartition("-")
    assert (name, len(digest)) == ("mine", 8)
    assert document.pop("seconds") > 0
    assert abs(datetime.now(UTC) - datetime.fromisoformat(document.pop("time"))) < timedelta(minutes=1)
    assert document == {
        "event": "finished",
        "runs_trained": 2,
        "runs_left": 0,
        "failed_shards": [],
        "answered": None,
        "error": None,
        "root": "results",
    }


def test_an_error_that_ends_the_command(run, server, tmp_path):
    assert run().code == 0
    path = next((tmp_path / "results" / "epochs").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:200])
    ended = run()
    assert ended.code == 2
    assert len(server.documents) == 2
    document = server.documents[-1]
    assert (document["event"], document["runs_left"]) == ("failed", None)
    assert ended.err == f"sweep: {document['error']}\n"


@pytest.mark.slow
@pytest.mark.skipif(load_engine("lanes").unsupported() is not None, reason="one engine")
def test_a_failed_shard(run, server):
    """The last bits of two engines differ, so the runs that are repeated for their weights are rejected."""
    assert run("--engine", "vmap").code == 0
    assert run("--engine", "lanes", "--keep-weights", "0:2").code == 1
    document = server.documents[-1]
    assert (document["event"], document["runs_trained"], document["runs_left"]) == ("failed", 0, 0)
    assert len(document["failed_shards"]) == 1
    assert document["error"] is None


def test_the_time_limit(run, server):
    ended = run("--epochs", "4000", "--max-hours", "0.0001")
    assert ended.code == 0, ended.err
    (document,) = server.documents
    assert (document["event"], document["runs_left"]) == ("time limit", 2)


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_an_interruption(tmp_path, server, number):
    """SIGINT during the training, and SIGTERM before it."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    options = ("--executor", "inline", "--epochs", "4000", "--notify", address(server))
    after = "engine" if number == signal.SIGINT else "loading"
    code, _ = interrupted(tmp_path, after, *options, number=number)
    assert code == 130
    (document,) = server.documents
    assert (document["event"], document["runs_trained"], document["runs_left"]) == ("interrupted", 0, 2)


def test_a_server_that_refuses_does_not_change_the_result(run, server):
    server.status = 500
    ended = run()
    assert ended.code == 0
    assert (
        ended.err.splitlines()[-1]
        == "--notify: not accepted by 127.0.0.1: answered 500 Internal Server Error"
    )
    assert "hook" not in ended.err


def test_a_server_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("sweep.network.SECONDS", 0.5)
    (tmp_path / "spec.yaml").write_text(SPEC)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        options = ("--executor", "inline", "--notify", url)
        ended = sweep("run", "spec.yaml", *options, cwd=tmp_path)
    assert ended.code == 0
    assert ended.err.splitlines()[-1].startswith("--notify: not accepted by 127.0.0.1: ")
    ended = sweep("run", "spec.yaml", *options, cwd=tmp_path)  # the port is closed
    assert ended.code == 0
    assert ended.err.splitlines()[-1] == "--notify: not accepted by 127.0.0.1: Connection refused"


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "http://",
        "http://[::1",
        "http://h:x/",
        "http://h/a b",
        "http://h/\n",
    ],
)
@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_wrong_url_is_rejected_before_training(tmp_path, command, url):
    ended = sweep(command, "--notify", url, "--root", tmp_path / "r")
    assert ended.code == 2
    assert ended.err.startswith("sweep: --notify ")
    assert ended.err.endswith(": write a URL, such as https://example.org/hook\n")
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_the_command_that_continues_does_not_repeat_the_address():
    for words in (["--notify", "http://h/secret"], ["--notify=http://h/secret"]):
        shown = _command_line(["run", *words, "--seeds", "0:2"])
        assert "secret" not in shown
        assert shown.startswith("sweep run --notify")
        assert shown.endswith("--seeds 0:2")
