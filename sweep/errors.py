"""Errors that the user sees as one line. Standard library only."""

import os


class SpecError(ValueError):
    """The request is wrong."""


class StoreError(Exception):
    """The root cannot be used in its present state."""


def one_line(error: BaseException) -> str:
    """The reason for an error in one line: the operating system's text, else the first line of its message."""
    if isinstance(error, OSError) and error.errno:
        return (
            os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
        )  # below 0: of name resolution
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def printable(text: str) -> str:
    """The text with control characters and line breaks escaped, for a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
