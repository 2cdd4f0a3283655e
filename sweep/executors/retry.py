"""What is tried again, by class of fault. The scheduler says which class it was, this says what follows."""

from dataclasses import dataclass
from typing import Literal

from sweep.messages import Failed, Note, Repartitioned
from sweep.spec.shard import Shard

Fault = Literal["lost", "memory", "own"]
"""The worker or its machine went away; memory ran out; the shard raised an exception of its own."""

CRASH_RETRIES = 20  # machines are taken away all night long; a shard that kills its worker must still end
LONGEST_PAUSE = 60.0  # seconds between retries of one shard


@dataclass
class Attempt:
    """A shard on its way: how often it was tried, and when it may be tried again."""

    shard: Shard
    not_before: float = 0.0  # seconds, of the caller's clock
    crashes: int = 0
    errors: int = 0


def after(
    fault: Fault, name: str, traceback: str, attempt: Attempt, now: float
) -> tuple[list[Attempt], Note | Repartitioned | Failed]:
    """What to try next, and what to tell.

    Args:
      fault: its class.
      name: of the exception, for people.
      traceback: what is kept of a shard that is given up.
      attempt: what came to grief; counts are kept in it.
      now: seconds, of the clock of `Attempt.not_before`.
    """
    shard = attempt.shard
    if fault == "memory" and len(shard.seeds) > 1:
        middle = shard.seeds.start + len(shard.seeds) // 2
        halves = tuple(
            Shard(shard.cell, seeds)
            for seeds in (range(shard.seeds.start, middle), range(middle, shard.seeds.stop))
        )
        return [Attempt(half, now) for half in halves], Repartitioned((shard,), halves, "memory")
    if fault != "own" and attempt.crashes < CRASH_RETRIES:
        attempt.crashes += 1
        pause = min(LONGEST_PAUSE, 0.5 * 2**attempt.crashes)
        attempt.not_before = now + pause
        return [attempt], Note(f"{name}: tried again in {pause:.0f} s")
    if fault == "own" and attempt.errors < 1:
        attempt.errors += 1
        return [attempt], Note(f"{name}: tried once more")
    return [], Failed(traceback)
