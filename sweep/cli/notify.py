"""`--notify URL`: one JSON document at the end of a training command, however it ends."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sweep.cli.process import say
from sweep.errors import one_line, printable
from sweep.network import post_json

Event = Literal["finished", "failed", "interrupted", "time limit"]


@dataclass
class Result:
    """How a training command ended. The command fills it in; an error leaves the event "failed"."""

    event: Event = "failed"
    runs_trained: int = 0
    runs_left: int | None = None  # None: unknown, after an error
    answered: bool | None = None  # whether the goal of --until is reached; None without one
    failed_shards: list[str] = field(default_factory=list)
    error: str | None = None


@contextmanager
def notified(url: str | None, root: str, sweeps: Sequence[str]) -> Iterator[Result]:
    """Post the result when the block ends or raises.

    A server that does not accept it, or Ctrl-C while it is posted, gives one line and changes nothing else.

    Args:
      url: where to; None posts nothing.
      root: of the results.
      sweeps: names of the sweeps.
    """
    result, began = Result(), time.monotonic()
    try:
        yield result
    except Exception as error:
        result.error = one_line(error)
        raise
    finally:
        if url is not None:
            document = asdict(result) | {
                "root": root,
                "sweeps": list(sweeps),
                "seconds": round(time.monotonic() - began, 3),
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            try:
                post_json(url, document)
            except ConnectionError as error:
                say(printable(f"--notify: not accepted by {error}"))
            except KeyboardInterrupt:
                say("--notify: interrupted")
