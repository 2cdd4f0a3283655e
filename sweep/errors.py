"""What may be said to a user in one line. Standard library only."""

import os


class SpecError(ValueError):
    """The request cannot be served as written."""


class StoreError(Exception):
    """The root cannot be used as it is."""


def one_line(error: OSError) -> str:
    """Why a file operation failed: the system's words, else the first line of the library's."""
    return os.strerror(error.errno) if error.errno else str(error).strip().partition("\n")[0]
