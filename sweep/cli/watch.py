"""`sweep report --watch`: write the page again and again while a driver trains, and once more at the end."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweep.cli.output import OutputFile
from sweep.cli.process import INTERRUPTED, say
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.analysis.report import Running


def watch(root: str, file: OutputFile, make: "Callable[[Running | None], str]", seconds: int) -> None:
    """Refresh the page until no driver holds the root or waits for it.

    Args:
      root: where the results are.
      file: the page.
      make: reads the root and makes the page; None: no sweep runs.
      seconds: between two pages.

    Raises:
      SystemExit: `INTERRUPTED` after Ctrl-C.
      StoreError: no such root, or a damaged one.
    """
    from sweep.analysis.report import Running
    from sweep.store import lease, queue
    from sweep.store.status import count_runs
    from sweep.store.store import existing

    first = True
    try:
        while True:
            store = existing(root)
            running = bool(lease.holder(store) or queue.waiting(store))  # before the last page is made
            done, wanted = count_runs(store)
            progress = f"{done:,} of {counted(wanted, 'run')} finished"
            page = make(Running(seconds, progress) if running else None)
            file.write(page, announce=first or not running)
            if not running:
                say(f"no driver is running; {progress}")
                return
            first = False
            time.sleep(seconds)
    except KeyboardInterrupt:
        say(f"interrupted; {file.path} is provisional")
        raise SystemExit(INTERRUPTED) from None
