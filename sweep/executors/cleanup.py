"""Remove the processes and the folder of a local Ray after its driver ends or is killed. Standard library only.

    python cleanup.py FOLDER

Waits until standard input closes, which happens when the driver closes it, exits or is killed. The servers of a
killed driver also end, but two agents would run for another minute, and the folder would remain. If a server dies,
Ray's native code may end the driver at once, so this process also prints that the driver ended without closing Ray.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

CLOSED = "closed"  # the driver writes this to standard input after it has stopped Ray itself
ENDED = (
    "sweep: the run ended unexpectedly: it was killed, or a process of its local Ray ended; finished shards and "
    "checkpoints are stored, the same command continues"
)
SECONDS = 5.0  # during which new processes are searched for


def main() -> None:
    """Wait for the end of the driver, then clean up."""
    folder, driver = Path(sys.argv[1]), os.getppid()
    if sys.stdin.read() != CLOSED:
        with suppress(OSError):
            print(ENDED, file=sys.stderr)
    kill_processes(folder, keep=driver)
    shutil.rmtree(folder, ignore_errors=True)


def kill_processes(folder: Path, keep: int) -> None:
    """Kill every process that has a file below the folder open, except this one and `keep`."""
    end = time.monotonic() + SECONDS
    while (found := processes(folder) - {keep, os.getpid()}) and time.monotonic() < end:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def processes(folder: Path) -> set[int]:
    """IDs of this user's processes that have a file below a folder open. Empty without /proc.

    Every process of a local Ray writes its log there. Titles and environments do not identify them: Ray overwrites
    both.
    """
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's process, or one that has just ended
            if any(os.readlink(file).startswith(f"{folder}/") for file in (process / "fd").iterdir()):
                found.add(int(process.name))
    return found


if __name__ == "__main__":
    main()
