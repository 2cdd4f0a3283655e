"""Real files when they are at hand: TFDS' copies in $TFDS_DATA_DIR, originals in $LECUN1989_MANUAL_DIR."""

from pathlib import Path

import pytest

from data import mnist, places, usps
from data.places import Source

MANUAL_DIRS = places.manual_dirs(None)  # before a test changes the environment
SOURCES = {"mnist": mnist.SOURCE, "usps": usps.SOURCE}


@pytest.fixture
def at_hand():
    """Skips unless a data set can be loaded here without a network."""

    def require(name: str) -> None:
        if places.locate(SOURCES[name], None) is None:
            pytest.skip(f"{name} is not at hand: set TFDS_DATA_DIR or {places.MANUAL_DIR_VARIABLE}")

    return require


@pytest.fixture
def originals():
    """Folder of the original files of a data set; skips when there is none."""

    def folder(source: Source) -> Path:
        for candidate in MANUAL_DIRS:
            if all((candidate / name).is_file() for name in source.sums):
                return candidate
        pytest.skip(f"no original files of {source.name}: set {places.MANUAL_DIR_VARIABLE}")

    return folder


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine that has no digits yet and no network: the proxy it is told to use does not answer."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv(places.MANUAL_DIR_VARIABLE, raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path
