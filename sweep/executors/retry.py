"""Retry policy: the next step after a failed attempt, by class of fault. Does not import Ray."""

from dataclasses import dataclass
from typing import Literal

from sweep.messages import Failed, Repartitioned, Retried
from sweep.spec.shard import Shard

Fault = Literal["lost", "memory", "error"]
"""The worker or its node ended; out of memory; the shard raised an exception."""

MAX_LOSSES = 20  # spot machines are reclaimed often, but a shard that kills its worker must end
MAX_ERRORS = 1
MAX_DELAY = 60.0  # seconds before the next attempt


@dataclass
class Attempt:
    """A shard in the queue, with the number of its failed attempts."""

    shard: Shard
    not_before: float = 0.0  # seconds, on the caller's clock
    losses: int = 0
    errors: int = 0


def after_fault(
    fault: Fault, name: str, traceback: str, attempt: Attempt, now: float
) -> tuple[list[Attempt], Retried | Repartitioned | Failed]:
    """Decide the next step after a failed attempt.

    Args:
      fault: its class.
      name: of the exception, for messages.
      traceback: stored if the shard is not tried again.
      attempt: the failed one; its counters are updated.
      now: seconds, on the clock of `Attempt.not_before`.

    Returns:
      The attempts to put into the queue, and the message for the driver.
    """
    shard = attempt.shard
    if fault == "memory" and len(shard.seeds) > 1:
        middle = shard.seeds.start + len(shard.seeds) // 2
        halves = tuple(
            Shard(shard.cell, seeds)
            for seeds in (range(shard.seeds.start, middle), range(middle, shard.seeds.stop))
        )
        return [Attempt(half, now) for half in halves], Repartitioned((shard,), halves, "memory")
    if fault != "error" and attempt.losses < MAX_LOSSES:
        attempt.losses += 1
        delay = min(MAX_DELAY, 0.5 * 2**attempt.losses)
        attempt.not_before = now + delay
        return [attempt], Retried(f"{name}: next attempt in {delay:.0f} s")
    if fault == "error" and attempt.errors < MAX_ERRORS:
        attempt.errors += 1
        return [attempt], Retried(f"{name}: next attempt now")
    return [], Failed(traceback)
