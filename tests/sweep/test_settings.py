"""Every environment variable of the project is listed once, with its meaning."""

import re
from pathlib import Path

from sweep.settings import ENVIRONMENT

TOP = Path(__file__).parents[2]


def test_the_list_the_documentation_and_the_sources_name_the_same_variables():
    sources = [p for package in ("data", "model", "sweep") for p in (TOP / package).rglob("*.py")]
    used = {name for p in sources for name in re.findall(r"LECUN1989_[A-Z_]+", p.read_text())}
    table = re.findall(
        r"^\| `(\w+)` \| (.+) \|$", (TOP / "docs" / "environment.md").read_text(), re.MULTILINE
    )
    assert used == set(ENVIRONMENT)
    assert dict(table) == ENVIRONMENT
