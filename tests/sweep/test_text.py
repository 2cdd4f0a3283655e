"""Wording of messages."""

import pytest

from sweep.text import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 runs"), (1, "1 run"), (2000, "2,000 runs")])
def test_counted(number, text):
    assert counted(number, "run") == text
