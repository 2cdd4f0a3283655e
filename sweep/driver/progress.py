"""Progress display: a live table on a terminal, otherwise one line at intervals."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import fmean

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from model.variants import Variant
from sweep.driver.cost import Costs
from sweep.messages import Failed, Finished, Message, Observer, Progress, Repartitioned, Retried, Started
from sweep.spec.shard import Shard
from sweep.store.queue import WAITING
from sweep.text import counted, duration

PLAIN_SECONDS = 10.0
LINE_VARIANTS = 2  # named in one line; the others are counted


@dataclass
class _VariantState:
    """Counts of one variant."""

    variant: Variant
    runs: int = 0
    done: int = 0
    work: int = 0  # presentations of a digit to train, those of checkpoints included
    worked: int = 0
    last_epochs: dict[Shard, Progress] = field(default_factory=dict)  # of shards in progress
    finished_errors: list[float] = field(default_factory=list)

    @property
    def errors(self) -> list[float]:
        """Test errors of the replicas in progress, or else of the finished ones."""
        running = [e for p in self.last_epochs.values() for e in p.test_errors]
        return running or self.finished_errors


class Display(Observer):
    """Shows per variant: finished runs, epoch, mean test error, share of the work; and the remaining time."""

    HEAD = ("variant", "runs done", "epoch", "mean test error", "work")

    def __init__(
        self, console: Console, costs: Costs | None = None, line_seconds: float = PLAIN_SECONDS
    ) -> None:
        """Create a display.

        Args:
          console: where the table or the lines are printed.
          costs: times of stored shards, so that the remaining time is known at once after a resume.
          line_seconds: time between two lines where the console is not a terminal.
        """
        self._console, self._costs, self._line_seconds = console, costs or Costs(), line_seconds
        self._variants: dict[str, _VariantState] = {}
        self._live: Live | None = None
        self._printed = time.monotonic()
        self._remarks: set[str] = set()
        self._waiting = ""  # for which driver
        self._waited = 0.0  # seconds
        self._epochs: dict[Shard, int] = {}  # finished epochs of shards in progress

    @contextmanager
    def shown(self) -> Iterator["Display"]:
        """Display while the block runs."""
        if self._console.is_terminal:
            with Live(console=self._console, refresh_per_second=4, get_renderable=self._table) as self._live:
                yield self
        else:
            yield self

    def waiting(self, driver: str, seconds: float) -> None:
        """See `Observer`. Prints each driver once; a terminal shows the time as well."""
        if driver != self._waiting:
            self._say(f"{WAITING}{driver}")
        self._waiting, self._waited = driver, seconds

    def phase(self, text: str) -> None:
        """See `Observer`."""
        self._waiting = ""
        self._say(text)

    def begin(self, shards: list[Shard], stored: int) -> None:
        """See `Observer`."""
        for shard in shards:
            variant = shard.cell.variant
            state = self._variants.setdefault(variant.name, _VariantState(variant))
            state.runs += len(shard.seeds)
            state.work += shard.work
        runs = sum(len(s.seeds) for s in shards)
        found = f", {stored:,} already stored" if stored else ""
        if shards:
            self._say(f"{counted(runs, 'run')} to train in {counted(len(shards), 'shard')}{found}")
        else:
            self._say(f"nothing to train: {counted(stored, 'run')} already stored")

    def message(self, shard: Shard, message: Message) -> None:
        """See `Observer`."""
        state = self._variants[shard.cell.variant.name]
        match message:
            case Started(epoch, engine, device, remark):
                self._remark(remark or f"engine {engine} on {device}")
                self._advance(state, shard, epoch)
            case Progress(epoch, seconds=seconds):
                self._costs.observe(shard, seconds)
                self._advance(state, shard, epoch)
                state.last_epochs[shard] = message
            case Finished():
                state.done += len(shard.seeds)
                self._epochs.pop(shard, None)
                last = state.last_epochs.pop(shard, None)
                state.finished_errors += last.test_errors if last else []
            case Retried(reason):
                self._forget(state, shard)
                self._say(f"{shard.title}: {reason}")
            case Repartitioned(reason="memory"):
                self._forget(state, shard)
                self._say(f"{shard.title}: out of memory, continues as two halves")
            case Failed():
                self._forget(state, shard)
                self._say(f"{shard.title}: failed, the other shards continue")
        if self._live is None and time.monotonic() - self._printed >= self._line_seconds:
            self._printed = time.monotonic()
            self._say(self._line())

    def _advance(self, state: _VariantState, shard: Shard, epoch: int) -> None:
        state.worked += shard.presentations(epoch - self._epochs.get(shard, 0))
        self._epochs[shard] = epoch

    def _forget(self, state: _VariantState, shard: Shard) -> None:
        """Reset a shard. The next attempt reports its finished epochs again."""
        state.worked -= shard.presentations(self._epochs.pop(shard, 0))
        state.last_epochs.pop(shard, None)

    def _remark(self, text: str) -> None:
        if text not in self._remarks:
            self._remarks.add(text)
            self._say(text)

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)

    # --- remaining time ---

    def share_done(self) -> float:
        """Fraction of the work that is done, weighted by the time that each variant takes."""
        weighted = [(self._costs.weight(s.variant), s) for s in self._variants.values()]
        return sum(w * s.worked for w, s in weighted) / max(sum(w * s.work for w, s in weighted), 1e-9)

    def seconds_left(self) -> float | None:
        """Remaining device-seconds over the number of shards in progress, but no less than the longest shard.

        None until an epoch was timed, here or in the store.
        """
        costs = {name: self._costs.seconds(s.variant) for name, s in self._variants.items()}
        known = {name: seconds for name, seconds in costs.items() if seconds is not None}
        if len(known) < len(costs) or not self._epochs:
            return None
        total = sum(known[name] * (s.work - s.worked) for name, s in self._variants.items())
        longest = max(
            known[shard.cell.variant.name] * (shard.work - shard.presentations(epoch))
            for shard, epoch in self._epochs.items()
        )
        return max(total / len(self._epochs), longest)

    def _line(self) -> str:
        states = self._variants.values()
        active = [f"{name}{_error(s)}" for name, s in self._variants.items() if s.last_epochs]
        more = [f"{len(active) - LINE_VARIANTS} more"] if len(active) > LINE_VARIANTS else []
        parts = [
            f"{self.share_done():4.0%}",
            _time_left(self.seconds_left()),
            f"{sum(s.done for s in states)}/{sum(s.runs for s in states)} runs",
            ", ".join(active[:LINE_VARIANTS] + more),
        ]
        return "  ".join(filter(None, parts))

    def rows(self) -> list[tuple[str, ...]]:
        """One row per variant, with the columns of `HEAD`."""
        rows: list[tuple[str, ...]] = []
        for name, s in self._variants.items():
            epochs = [p.epoch for p in s.last_epochs.values()]
            span = "–".join(str(e) for e in sorted({min(epochs), max(epochs)})) if epochs else ""
            epoch = f"{span}/{s.variant.epochs}" if span else ""
            work = f"{s.worked / s.work if s.work else 1:.0%}"
            rows.append((name, f"{s.done}/{s.runs}", epoch, _error(s).strip(), work))
        return rows

    def caption(self) -> str:
        """Share of the work that is done, and the remaining time."""
        return f"{self.share_done():.0%} done, {_time_left(self.seconds_left())}"

    def _table(self) -> Table | Text:
        if self._waiting:
            return Text(f"waiting {duration(self._waited)}")
        table = Table(*self.HEAD, box=None, pad_edge=False)
        for row in self.rows():
            table.add_row(*row)
        if self._variants:
            table.caption = self.caption()
            table.caption_justify = "left"
        return table


def _error(state: _VariantState) -> str:
    return f" {fmean(state.errors):.2%}" if state.errors else ""


def _time_left(seconds: float | None) -> str:
    return "estimating the time left" if seconds is None else f"{duration(seconds)} left"
