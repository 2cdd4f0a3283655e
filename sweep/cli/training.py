"""Train specs in this process, with progress on stderr: for `run`, `resume` and submitted jobs."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from sweep.cli.monitor import progress_text
from sweep.cli.notify import Result, notified
from sweep.cli.process import FAILED, INTERRUPTED, say
from sweep.cli.until import Goal, steps
from sweep.text import counted

if TYPE_CHECKING:
    from sweep.driver.session import Session
    from sweep.settings import Settings
    from sweep.spec.spec import SweepSpec
    from sweep.stop import Stop
    from sweep.store.store import Store


def train(
    specs: "Sequence[SweepSpec]",
    store: "Store",
    settings: "Settings",
    resume_command: str,
    max_hours: float | None = None,
    notify: str | None = None,
    goal: Goal | None = None,
) -> None:
    """Train specs one after the other, print the summary and exit.

    Args:
      specs: the sweeps.
      store: where results are written.
      settings: how to run.
      resume_command: the command that continues after an interruption, for the message.
      max_hours: time limit; None for none.
      notify: URL that receives one JSON document at the end; None for none.
      goal: of `--until`, for a single spec; None trains all its seeds.

    Raises:
      SystemExit: always; 0, also after the time limit, `FAILED` if a shard failed, `INTERRUPTED` after Ctrl-C or
        SIGTERM.
    """
    from sweep.stop import Stop
    from sweep.store.records import sweep_name

    stop = Stop.after(max_hours)
    with notified(notify, store.root, [sweep_name(spec) for spec in specs]) as result:
        _train_all(specs, store, settings, stop, result, goal)
        if stop.interrupted:
            result.event = "interrupted"
        elif not result.failed_shards:
            result.event = "finished"
        if (notify or stop.requested) and not result.answered:
            result.runs_left = _left(specs, store)
        limited = stop.requested and not stop.interrupted and result.runs_left
        if limited and result.event == "finished":
            result.event = "time limit"
    if stop.interrupted and stop.waiting:
        say(
            f"interrupted while waiting for {store.root}; nothing was trained. To wait again: {resume_command}"
        )
        raise SystemExit(INTERRUPTED)
    if stop.interrupted:
        say(f"interrupted; {_stored(store)}. To continue: {resume_command}")
        raise SystemExit(INTERRUPTED)
    if limited:
        stored = f"{store.root} is in use by another driver" if stop.waiting else _stored(store)
        say(
            f"the time limit of {max_hours:g} h is reached, {counted(limited, 'run')} left; {stored}. "
            f"To continue: {resume_command}"
        )
    summary = _summary(store)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # everything is done: Ctrl-C does not change the exit code
    if summary:
        print(summary)
    else:
        names = ", ".join(dict.fromkeys(cell.name for spec in specs for cell, _ in spec.cells()))
        say(f"no run of {names} is finished yet")
    raise SystemExit(FAILED if result.failed_shards else 0)


def _train_all(
    specs: "Sequence[SweepSpec]",
    store: "Store",
    settings: "Settings",
    stop: "Stop",
    result: Result,
    goal: Goal | None,
) -> None:
    """Train the specs until a stop is requested, and count the runs in the result."""
    from sweep.driver.eventlog import logged
    from sweep.driver.session import Session

    imports = Thread(target=_import_summary)  # half a second, which would delay the start of the executor
    with _interrupts(stop), logged(store):
        try:
            with Session(settings, stop, imports.start) as session:
                for spec in steps(specs[0], goal, store, result) if goal else specs:
                    _train_one(
                        session, spec, store, stop, result
                    )  # the first one in any case, which records it
                    if stop.requested:
                        break
        except KeyboardInterrupt:
            stop.interrupted = True


def _train_one(session: "Session", spec: "SweepSpec", store: "Store", stop: "Stop", result: Result) -> None:
    """Train one spec with its progress on stderr, and count its runs in the result."""
    from rich.console import Console

    from sweep.driver.cost import Costs
    from sweep.driver.eventlog import EventLog
    from sweep.driver.progress import Display
    from sweep.spec.explain import identical_note

    began = time.monotonic() - stop.waited
    if note := identical_note(spec.identical()):
        say(note)
    costs = Costs(file.metadata for file in store.files) if store.exists else Costs()
    display = Display(Console(stderr=True), costs)
    with display.shown():
        outcome = session.run(spec, store, EventLog(store, display))
    result.runs_trained += outcome.runs_trained
    result.failed_shards += [shard.title for shard in outcome.failed]
    if outcome.finished:
        seconds = time.monotonic() - stop.waited - began
        say(f"{counted(outcome.runs_trained, 'run')} trained in {seconds:.0f} s, stored in {store.root}")
    for shard in outcome.failed:
        say(f"failed: {shard.title}; `sweep status --root {store.root}` shows the reason")


@contextmanager
def _interrupts(stop: "Stop") -> Iterator[None]:
    """SIGTERM ends a sweep as Ctrl-C does: at once, or while shards are trained after their last checkpoints.

    A second signal, or the end of the time for these checkpoints, ends it at once.
    """

    def interrupt(number: int, frame: object) -> None:
        at_once = stop.interrupted or not stop.training
        stop.interrupted = True  # first: a finalizer or an import may lose the exception
        if at_once:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, stop.seconds + 1)

    report = sys.unraisablehook

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:  # `stop` has it; Python would print a traceback
            report(lost)

    sys.unraisablehook = report_others
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = report
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _stored(store: "Store") -> str:
    """What a root holds after the end of a run."""
    from sweep.store.status import in_progress

    if not store.exists:
        return "nothing is stored yet"
    partial = in_progress(store)
    if partial.runs:
        return f"{progress_text(partial, running=False)}; finished runs and checkpoints are in {store.root}"
    if store.files:
        return f"finished runs are in {store.root}, and no unfinished one has a checkpoint"
    return "no run has finished or has a checkpoint yet"


def _left(specs: "Sequence[SweepSpec]", store: "Store") -> int:
    """Number of runs of the specs that are not stored."""
    from sweep.driver.driver import count, missing
    from sweep.store.records import recorded_datasets

    store.refresh()
    left = 0
    for spec in specs:
        datasets = recorded_datasets(store, spec) if store.exists else {}
        shards = missing(spec, store, datasets) if datasets else []
        left += sum(len(shard.seeds) for shard in shards) if datasets else count(spec)
    return left


def _import_summary() -> None:
    import sweep.analysis.tables.summary  # noqa: F401


def _summary(store: "Store") -> str | None:
    """The table `summary` as text; None without a finished run."""
    from sweep.analysis.tables.format import render
    from sweep.analysis.tables.table import make_table

    if not store.files:
        return None
    frame, columns = make_table(store, "summary", main_only=True)
    return str(render(frame, "text", columns))
