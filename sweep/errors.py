"""What may be said to a user in one line. Standard library only."""


class SpecError(ValueError):
    """The request cannot be served as written."""


class StoreError(Exception):
    """The root cannot be used as it is."""
