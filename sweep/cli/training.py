"""Train specs in this process, with progress on stderr: for `run`, `resume` and submitted jobs."""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from sweep.cli.monitor import progress_text
from sweep.cli.process import FAILED, INTERRUPTED, say
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.settings import Settings
    from sweep.spec.spec import SweepSpec
    from sweep.store.store import Store


def train(specs: "Sequence[SweepSpec]", store: "Store", settings: "Settings", resume_command: str) -> None:
    """Train specs one after the other, print the summary and exit.

    Args:
      specs: the sweeps.
      store: where results are written.
      settings: how to run.
      resume_command: the command that continues after an interruption, for the message.

    Raises:
      SystemExit: always; 0, `FAILED` if a shard failed, `INTERRUPTED` after Ctrl-C or SIGTERM.
    """
    from rich.console import Console

    from sweep.driver.cost import Costs
    from sweep.driver.eventlog import EventLog, logged
    from sweep.driver.progress import Display
    from sweep.driver.session import Session
    from sweep.spec.explain import identical_note
    from sweep.store.status import in_progress

    def sweep(session: Session, spec: "SweepSpec") -> bool:
        """Train one spec; whether a shard failed."""
        if note := identical_note(spec.identical()):
            say(note)
        costs = Costs(file.metadata for file in store.files) if store.exists else Costs()
        display = Display(Console(stderr=True), costs)
        with display.shown():
            outcome = session.run(spec, store, EventLog(store, display))
        if outcome.finished:
            seconds = time.monotonic() - began
            say(f"{counted(outcome.runs_trained, 'run')} trained in {seconds:.0f} s, stored in {store.root}")
        for shard in outcome.failed:
            say(f"failed: {shard.title}; `sweep status --root {store.root}` shows the reason")
        return bool(outcome.failed)

    began = time.monotonic()
    Thread(target=_import_summary).start()  # half a second, while the executor starts
    with _sigterm_as_interrupt(), logged(store):
        try:
            with Session(settings) as session:
                failed = [sweep(session, spec) for spec in specs]
        except KeyboardInterrupt:
            kept = f"finished runs and checkpoints are in {store.root}"
            if store.exists and (partial := in_progress(store)).runs:
                kept = f"{progress_text(partial, running=False)}; {kept}"
            say(f"interrupted; {kept}. To continue: {resume_command}")
            raise SystemExit(INTERRUPTED) from None
    _print_summary(specs, store)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is done: Ctrl-C does not change the exit code
    raise SystemExit(FAILED if any(failed) else 0)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends a sweep as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _import_summary() -> None:
    import sweep.analysis.tables.summary  # noqa: F401


def _print_summary(specs: "Sequence[SweepSpec]", store: "Store") -> None:
    from sweep.analysis.tables.format import render
    from sweep.analysis.tables.table import make_table

    if store.files:
        frame, columns = make_table(store, "summary", main_only=True)
        print(render(frame, "text", columns))
    else:
        names = ", ".join(dict.fromkeys(cell.name for spec in specs for cell, _ in spec.cells()))
        say(f"no run of {names} is finished yet")
