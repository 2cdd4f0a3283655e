"""Errors of unusable stored files. Each message completes a sentence that begins with the file's path."""


class Damaged(ValueError):
    """A file is not what this program wrote."""


class NewerVersion(ValueError):
    """A file that only a newer version of this program can read."""

    @classmethod
    def of(cls, found: int, known: int) -> "NewerVersion":
        """For a file whose version number is above the newest known one."""
        return cls(
            f"has schema version {found}; this program reads up to {known}: install a newer lecun1989-sweep"
        )
