"""Watch a local Ray, and remove its processes and folder after its driver ends. Standard library only.

    python cleanup.py FOLDER

The driver writes lines to standard input: `NAME PID` for each server of its Ray, and `CLOSING` before it stops them.
Standard input closes when the driver exits or is killed. Then the servers of a killed driver also end, but two agents
would run for another minute, and the folder would remain. If a server dies, Ray's native code may end the driver at
once or block it, so this process then ends the driver and prints the reason.
"""

import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

CLOSING = "closing"
KEPT = "finished shards and checkpoints are stored, the same command continues"
ENDED = f"sweep: the run ended unexpectedly: it was killed, or a process of its local Ray ended; {KEPT}"
DIED = f"sweep: a process of the local Ray ended unexpectedly: {{name}}; {KEPT}"
SECONDS = 5.0  # during which new processes are searched for
DRIVER_SECONDS = 8.0  # for the driver to end by itself after a server died
STDIN = 0


def main() -> None:
    """Wait for the end of the driver, then clean up."""
    folder, driver = Path(sys.argv[1]), os.getppid()
    if message := wait_for_end(driver):
        with suppress(OSError):
            print(message, file=sys.stderr)
    kill_processes(folder, keep=driver)
    shutil.rmtree(folder, ignore_errors=True)


def wait_for_end(driver: int) -> str | None:
    """Wait until standard input closes. A driver that does not end after the death of a server is killed.

    Returns:
      The message for the user; None if the driver stopped its Ray itself.
    """
    servers: dict[int, str] = {}  # names, by file descriptor of the process
    dead: list[str] = []
    deadline: float | None = None
    received = b""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = select.select([STDIN, *servers], [], [], left)[0]
        if not ready:
            deadline = None
            with suppress(ProcessLookupError):
                os.kill(driver, signal.SIGKILL)
        if STDIN in ready:
            content = os.read(STDIN, 65536)
            if not content:  # before servers that end at the same moment: they may follow the driver
                return DIED.format(name=", ".join(dead)) if dead else ENDED
            *lines, received = (received + content).split(b"\n")
            if CLOSING.encode() in lines:
                sys.stdin.read()
                return None
            watch(lines, servers)
        for server in servers.keys() & ready:
            dead.append(servers.pop(server))
            deadline = time.monotonic() + DRIVER_SECONDS


def watch(lines: list[bytes], servers: dict[int, str]) -> None:
    """Open the processes of lines `NAME PID`, where the system can."""
    for line in lines:
        name, _, pid = line.decode().partition(" ")
        if sys.platform == "linux":
            with suppress(ProcessLookupError):
                servers[os.pidfd_open(int(pid))] = name


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
