"""Real files if this machine has them: prepared copies in $TFDS_DATA_DIR, originals in $LECUN1989_MANUAL_DIR."""

from pathlib import Path

import pytest

from data import mnist, places, usps
from data.originals import Originals

MANUAL_DIRS = places.manual_dirs(None)  # before a test changes the environment
ORIGINALS = {"mnist": mnist.ORIGINALS, "usps": usps.ORIGINALS}


@pytest.fixture
def available():
    """Skips unless a data set can be loaded without a network."""

    def require(name: str) -> None:
        if places.locate(ORIGINALS[name], None) is None:
            pytest.skip(f"{name} is not on this machine: set TFDS_DATA_DIR or {places.MANUAL_DIR_VARIABLE}")

    return require


@pytest.fixture
def original_files():
    """Directory with the original files of a data set; skips if there is none."""

    def folder(originals: Originals) -> Path:
        for candidate in MANUAL_DIRS:
            if not originals.missing(candidate):
                return candidate
        pytest.skip(f"no original files of {originals.name}: set {places.MANUAL_DIR_VARIABLE}")

    return folder


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Environment without digits and without a network: the configured proxy does not answer."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(places.MANUAL_DIR_VARIABLE, raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path
