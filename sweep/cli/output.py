"""Tables and JSON documents on the terminal, and the rule for `--out` in all commands."""

import json
import math
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from sweep.cli.process import say
from sweep.errors import SpecError, one_line, printable

_UNLIMITED = 10_000


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    wrapped: Collection[str],
    title: str | None = None,
    caption: str | None = None,
) -> None:
    """Print rows as aligned columns.

    Args:
      head: column names.
      rows: cells; numbers are right-aligned.
      wrapped: columns that continue on the next line where the terminal is narrow; the others keep their
        width. No text is cut.
      title: a line above.
      caption: a line below.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    wide = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(file=sys.stdout, width=_UNLIMITED if wide else None, highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    for i, name in enumerate(head):
        numbers = all(isinstance(row[i], int | float) for row in rows)
        justify: Literal["left", "right"] = "right" if numbers else "left"
        table.add_column(name, justify=justify, no_wrap=name not in wrapped, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    if title:
        print(printable(title))
    console.print(table)
    if caption:
        print(printable(caption))


def print_json(document: Any) -> None:
    """Print one JSON document. Numbers that are not finite become null, as JSON has none."""
    print(json.dumps(_finite(document), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    """The value with None in place of NaN and infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


class OutputFile:
    """A file named with `--out`: checked before the work begins and written in one step afterwards."""

    def __init__(self, path: Path, suffixes: Collection[str]) -> None:
        """Check that the file can be written.

        Args:
          path: the file; missing folders are created when it is written.
          suffixes: file name suffixes that the command can write; empty for any.

        Raises:
          SpecError: another suffix, a folder, or a place that cannot be written.
        """
        self.path = path
        if suffixes and path.suffix.lower() not in suffixes:
            raise SpecError(f"--out {path}: the name must end in {', '.join(suffixes)}")
        if path.is_dir():
            raise SpecError(f"--out {path}: is a folder: name a file in it")
        if path.exists() and not path.is_file():
            raise SpecError(f"--out {path}: is not a regular file")
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise SpecError(f"--out {path}: {folder} is a file, not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SpecError(f"--out {path}: the folder {folder} is read-only")

    @property
    def suffix(self) -> str:
        """The suffix in lower case, with its point."""
        return self.path.suffix.lower()

    def write(self, content: bytes | str, *, announce: bool = True) -> None:
        """Write the file in one step. announce: whether to print its name on stderr."""
        with self.replacing(announce=announce) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)

    @contextmanager
    def replacing(self, *, announce: bool = True) -> Iterator[Path]:
        """A temporary file that replaces the file when the block ends, and is deleted when it raises."""
        temporary = self.path.with_name(f"_{os.getpid()}{self.path.suffix}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(self.path)
        except OSError as error:
            raise SpecError(f"--out {self.path}: cannot be written: {one_line(error)}") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if announce:
            say(f"wrote {printable(str(self.path))}")
