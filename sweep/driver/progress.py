"""Progress for people: a live table on a terminal, a plain line now and then otherwise."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

from rich.console import Console
from rich.live import Live
from rich.table import Table

from sweep.messages import Failed, Finished, Message, Note, Observer, Progress, Repartitioned, Started
from sweep.spec.shard import Shard

PLAIN_SECONDS = 10.0


@dataclass
class _VariantState:
    """Counts of one variant."""

    runs: int = 0
    done: int = 0
    epochs: int = 0
    work: int = 0  # replica-epochs to do
    worked: int = 0
    shards: dict[Shard, Progress] = field(default_factory=dict)  # under way
    finished_errors: list[float] = field(default_factory=list)

    @property
    def errors(self) -> list[float]:
        running = [e for p in self.shards.values() for e in p.test_errors]
        return running or self.finished_errors


class Display(Observer):
    """Shows per variant: runs done, epoch, mean test error of what is under way, time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._variants: dict[str, _VariantState] = {}
        self._live: Live | None = None
        self._began = time.monotonic()
        self._worked_here = 0
        self._printed = 0.0
        self._remarks: set[str] = set()
        self._last_epoch: dict[Shard, int] = {}

    @contextmanager
    def shown(self) -> Iterator["Display"]:
        """Display while the block runs."""
        if self._console.is_terminal:
            with Live(console=self._console, refresh_per_second=4, get_renderable=self._table) as self._live:
                yield self
        else:
            yield self

    def begin(self, shards: list[Shard], stored: int) -> None:
        """See `Observer`."""
        for shard in shards:
            state = self._variants.setdefault(shard.cell.variant.name, _VariantState())
            state.runs += len(shard.seeds)
            state.work += shard.epochs_of_work
            state.epochs = shard.cell.variant.epochs
        runs = sum(len(s.seeds) for s in shards)
        found = f", {stored:,} are there already" if stored else ""
        if shards:
            self._say(f"{runs:,} runs to train in {len(shards):,} shards{found}")
        else:
            self._say(f"nothing to train: all {stored:,} runs are there already")
        self._began = time.monotonic()

    def message(self, shard: Shard, message: Message) -> None:
        """See `Observer`."""
        state = self._variants[shard.cell.variant.name]
        match message:
            case Started(epoch, engine, device, remark):
                self._remark(remark or f"engine {engine} on {device}")
                state.worked += epoch * len(shard.seeds)
                self._last_epoch[shard] = epoch
            case Progress(epoch):
                steps = (epoch - self._last_epoch.get(shard, epoch - 1)) * len(shard.seeds)
                self._last_epoch[shard] = epoch
                state.worked += steps
                self._worked_here += steps
                state.shards[shard] = message
            case Finished():
                state.done += len(shard.seeds)
                last = state.shards.pop(shard, None)
                state.finished_errors += last.test_errors if last else []
            case Note(text):
                state.worked -= self._last_epoch.pop(shard, 0) * len(shard.seeds)
                state.shards.pop(shard, None)
                self._say(f"{shard.title}: {text}")
            case Repartitioned(reason="memory"):
                state.worked -= self._last_epoch.pop(shard, 0) * len(shard.seeds)
                state.shards.pop(shard, None)
                self._say(f"{shard.title}: ran out of memory, goes on as two halves")
            case Failed():
                state.shards.pop(shard, None)
                self._say(f"{shard.title}: given up, the others go on")
        if self._live is None and time.monotonic() - self._printed >= PLAIN_SECONDS:
            self._printed = time.monotonic()
            self._say(self._line())

    def _remark(self, text: str) -> None:
        if text not in self._remarks:
            self._remarks.add(text)
            self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    def _line(self) -> str:
        states = list(self._variants.values())
        parts = [f"{name} {s.done}/{s.runs}{_error(s)}" for name, s in self._variants.items() if s.worked]
        share = sum(s.worked for s in states) / max(sum(s.work for s in states), 1)
        return f"{share:4.0%}  {_duration(self._left_seconds())} left  {'  '.join(parts)}"

    def _left_seconds(self) -> float:
        work = sum(s.work - s.worked for s in self._variants.values())
        pace = self._worked_here / max(time.monotonic() - self._began, 1e-9)
        return work / pace if pace else float("inf")

    def _table(self) -> Table:
        table = Table(
            "variant", "runs done", "epoch", "mean test error", "of the work", box=None, pad_edge=False
        )
        for name, s in self._variants.items():
            epochs = [p.epoch for p in s.shards.values()]
            span = "–".join(str(e) for e in sorted({min(epochs), max(epochs)})) if epochs else ""
            share = s.worked / s.work if s.work else 1
            table.add_row(
                name,
                f"{s.done}/{s.runs}",
                f"{span}/{s.epochs}" if span else "",
                _error(s).strip(),
                f"{share:.0%}",
            )
        table.caption = f"{_duration(self._left_seconds())} left"
        table.caption_justify = "left"
        return table


def _error(state: _VariantState) -> str:
    return f" {fmean(state.errors):.2%}" if state.errors else ""


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
