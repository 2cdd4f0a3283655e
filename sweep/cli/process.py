"""The command as a process: streams, exit codes, and every expected error as one line."""

import codecs
import errno
import gc
import io
import os
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import typer

from sweep.errors import SpecError, StoreError, one_line, printable

FAILED = 1  # shards failed, or `doctor` found damage
WRONG_REQUEST = 2  # nothing was done, or it could not be completed; one line gives the reason
INTERRUPTED = 130


def run_process(command: Callable[[], Any]) -> NoReturn:
    """Run a command and end the process with its exit code.

    Args:
      command: returns its exit code or None, or raises SystemExit or an error.
    """
    code = exit_code(command)
    gc.freeze()  # otherwise the interpreter looks for garbage in all modules before it ends: a fifth of a second
    sys.exit(code)


def exit_code(command: Callable[[], Any]) -> int:
    """Run a command; its exit code. A wrong request or a failing system is printed as one line.

    Programming errors are not caught.
    """
    from data import DataUnavailable
    from model.engines import EngineUnavailable

    _transliterate_output()
    try:
        code = _call(command)
        if sys.stdout is not None:
            sys.stdout.flush()
    except typer.TyperException as error:
        text = error.format_message()
        say(text if "\n" in text else f"sweep: {printable(text)}")  # several lines: the help
        return error.exit_code
    except BrokenPipeError:  # the reader has ended, as in `sweep table | head`
        _discard_output()
        return FAILED
    except OSError as error:
        _discard_output()
        say(f"sweep: {printable(_system_error(error))}")
        return WRONG_REQUEST
    except (SpecError, StoreError, DataUnavailable, EngineUnavailable) as error:
        say(f"sweep: {printable(str(error))}")
        return WRONG_REQUEST
    return code


def say(text: str) -> None:
    """Print to stderr, which may be closed."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _call(command: Callable[[], Any]) -> int:
    try:
        code = command()
    except SystemExit as stop:
        code = stop.code
    return code if isinstance(code, int) else 0


def _system_error(error: OSError) -> str:
    if isinstance(error.filename, str | bytes):
        return f"{os.fsdecode(error.filename)}: {one_line(error)}"
    if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG):
        return f"standard output: {one_line(error)}"  # files are written where their name is known
    return one_line(error)


def _discard_output() -> None:
    """Let Python's own flush at the end of the process succeed."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _transliterate_output() -> None:
    """Print characters that the terminal's encoding lacks as ASCII, instead of failing."""
    codecs.register_error("sweep.ascii", _ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="sweep.ascii")


_ASCII = {"×": "x", "–": "-", "—": "-", "…": "...", "±": "+-", "≤": "<=", "≥": ">=", "→": "->", "σ": "sigma"}


def _ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or _closest(c) for c in characters), error.end


def _closest(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"
