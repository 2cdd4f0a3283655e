"""A request to end a run early: a time limit, or an interruption. Standard library only."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

LIMIT_SECONDS = 60.0  # for the last epochs and checkpoints after a time limit
INTERRUPT_SECONDS = 3.0  # the same after Ctrl-C or SIGTERM


@dataclass
class Stop:
    """Asked by the executor between messages. Once requested, shards in progress take a last checkpoint.

    Attributes:
      at: end of the run on the clock `time.monotonic`; None without a time limit.
      interrupted: whether the user or the system asked for the end.
      training: whether shards are being trained, so that a last checkpoint is possible.
      waiting: whether another driver holds the root.
      waited: seconds until the root was free.
    """

    at: float | None = None
    interrupted: bool = False
    training: bool = False
    waiting: bool = False
    waited: float = 0.0

    @classmethod
    def after(cls, hours: float | None) -> "Stop":
        """A time limit from now on; None for no limit."""
        return cls(None if hours is None else time.monotonic() + hours * 3600)

    @contextmanager
    def while_training(self) -> Iterator[None]:
        """Set `training` while the block runs."""
        self.training = True
        try:
            yield
        finally:
            self.training = False

    @property
    def requested(self) -> bool:
        """Whether the run should end now."""
        return self.interrupted or (self.at is not None and time.monotonic() >= self.at)

    @property
    def seconds(self) -> float:
        """Longest wait for an epoch to end and its checkpoint to arrive."""
        return INTERRUPT_SECONDS if self.interrupted else LIMIT_SECONDS
