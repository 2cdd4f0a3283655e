"""Run the command `sweep` in this process."""

import io
import signal
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sweep.cli.main import main


@dataclass
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str


def sweep(*arguments: object, cwd: Path | None = None) -> Ended:
    """The exit code and the output of a command, as a shell would see them."""
    before = signal.getsignal(signal.SIGINT)  # ignored at the end of a training command
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with redirect_stdout(streams[0]), redirect_stderr(streams[1]), chdir(cwd or "."):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        finally:
            signal.signal(signal.SIGINT, before)
    out, err = (stream.buffer.getvalue().decode() for stream in streams)
    assert isinstance(code, int)
    return Ended(code, out, err)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
