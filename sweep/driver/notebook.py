"""Progress display in Jupyter: a bar and a table in the output of the cell. Loads IPython only inside a notebook."""

import io
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from rich.console import Console

from sweep.driver.cost import Costs
from sweep.driver.progress import Display
from sweep.messages import Message, Observer
from sweep.spec.shard import Shard
from sweep.store.store import Store

UPDATE_SECONDS = 0.5


class NotebookDisplay(Observer):
    """Shows what `Display` counts, as HTML that is replaced while a run proceeds."""

    def __init__(self, costs: Costs | None = None) -> None:
        """costs: times of stored shards."""
        self._lines = io.StringIO()
        self._display = Display(Console(file=self._lines), costs, line_seconds=math.inf)
        self._handle: Any = None  # of the output, once it exists
        self._updated = 0.0

    def phase(self, text: str) -> None:
        """See `Observer`."""
        self._display.phase(text)
        self.update()

    def waiting(self, driver: str, seconds: float) -> None:
        """See `Observer`."""
        self._display.waiting(driver, seconds)
        self.update()

    def begin(self, shards: list[Shard], stored: int) -> None:
        """See `Observer`."""
        self._display.begin(shards, stored)
        self.update()

    def message(self, shard: Shard, message: Message) -> None:
        """See `Observer`."""
        self._display.message(shard, message)
        if time.monotonic() - self._updated >= UPDATE_SECONDS:
            self.update()

    def update(self) -> None:
        """Replace the output."""
        from IPython.display import HTML, display

        self._updated = time.monotonic()
        page = HTML(self.html())
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)

    def html(self) -> str:
        """The bar, the table and the remarks so far."""
        parts = []
        if rows := self._display.rows():
            share = self._display.share_done()
            parts.append(f'<progress value="{share:.4f}" max="1" style="width: 20em"></progress> ')
            parts.append("done" if share >= 1 else escape(self._display.caption()))
            body = "".join(_row("td", row) for row in rows)
            parts.append(f"<table>{_row('th', Display.HEAD)}{body}</table>")
        lines = self._lines.getvalue().splitlines()
        return "".join(parts) + "<br>".join(map(escape, lines))


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


@contextmanager
def default_observer(store: Store) -> Iterator[Observer]:
    """The observer of a run without one: a display in a notebook, else a silent one."""
    if not in_notebook():
        yield Observer()
        return
    display = NotebookDisplay(Costs(file.metadata for file in store.files) if store.exists else None)
    try:
        yield display
    finally:
        display.update()
