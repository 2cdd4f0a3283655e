"""Version of the running code and, in a checkout, its commit."""

import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sweep.settings import CODE


@cache
def code_id() -> str:
    """ "0.1.0+1a2b3c4d", with ".dirty" when the checkout has changes; outside a checkout only the version."""
    if CODE in os.environ:
        return os.environ[CODE]
    try:
        release = version("lecun1989-sweep")
    except PackageNotFoundError:  # code shipped to a cluster without being installed
        release = "unversioned"
    top = Path(__file__).resolve().parent.parent
    if not (top / ".git").exists():
        return release
    try:
        commit = _git(top, "rev-parse", "--short=8", "HEAD")
        dirty = ".dirty" if _git(top, "status", "--porcelain", "--untracked-files=no") else ""
    except (OSError, subprocess.SubprocessError):
        return release
    return f"{release}+{commit}{dirty}"


def _git(top: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", "-C", top, *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return run.stdout.strip()
