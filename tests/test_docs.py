"""The documentation site builds without a warning, and the Python examples of the API page are complete."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweep

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        tmp_path / "site",
    ]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "site" / "api" / "index.html").read_text()
    assert all(
        f'id="sweep.{home.removeprefix("sweep.")}.{name}"' in page for name, home in sweep._HOMES.items()
    )


def test_the_api_page_imports_every_public_name():
    (line,) = re.findall(r"^from sweep import (.*)$", (DOCS / "api.md").read_text(), re.M)
    assert line.split(", ") == sweep.__all__
    for name in sweep.__all__:
        assert getattr(sweep, name).__doc__
