"""`sweep run --until GOAL`: train the seeds of a spec in looks, and stop when the stored runs answer the question."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.cli.process import say
from sweep.errors import SpecError

if TYPE_CHECKING:
    from sweep.analysis.runs import Runs
    from sweep.cli.notify import Result
    from sweep.spec.spec import SweepSpec
    from sweep.store.store import Store


@dataclass(frozen=True)
class Goal:
    """When a sweep may stop: every step is decided, or every mean is known."""

    halfwidth: float | None  # of the 95 % interval of every mean, in misses; None: when every step is decided

    @staticmethod
    def parse(text: str) -> "Goal":
        """Read "decided" or "halfwidth=1".

        Raises:
          SpecError: neither.
        """
        if text == "decided":
            return Goal(None)
        name, _, value = text.partition("=")
        try:
            halfwidth = float(value)
        except ValueError:
            halfwidth = 0.0
        if name != "halfwidth" or not 0 < halfwidth < float("inf"):
            raise SpecError(f"--until {text}: write decided, or halfwidth=N with N misses above 0")
        return Goal(halfwidth)

    def sizes(self, spec: "SweepSpec") -> list[int]:
        """Numbers of seeds after which the goal is checked.

        Raises:
          SpecError: the spec cannot reach the goal.
        """
        from sweep.analysis.statistics.sequential import FIRST_LOOK, looks

        total = len(spec.seed_ranges)
        if self.halfwidth is not None:
            return list(dict.fromkeys([*looks(total), total]))
        if len(list(spec.cells())) < 2:
            raise SpecError("--until decided compares variants: the spec has only one")
        if total < FIRST_LOOK:
            raise SpecError(f"--until decided looks at {FIRST_LOOK} seeds first: the spec has {total}")
        return looks(total)


def steps(spec: "SweepSpec", goal: Goal, store: "Store", result: "Result") -> Iterator["SweepSpec"]:
    """The spec with its first 16, 32, 64 … seeds, until the stored runs answer the question or a shard fails.

    The caller trains each spec before it takes the next one. `result.answered` is set.
    """
    total = len(spec.seed_ranges)
    result.answered = False
    for size in goal.sizes(spec):
        look = first_seeds(spec, size)
        yield look
        if result.failed_shards:
            return
        left = open_question(look, goal, store)
        result.answered = not left
        seeds = f"{size:,} of {total:,} seeds"
        say(f"{seeds}: {left or 'the question is answered'}")
        if result.answered:
            return
    say("not answered with the seeds of the spec")


def first_seeds(spec: "SweepSpec", n: int) -> "SweepSpec":
    """The spec with its first n seeds."""
    from sweep.spec.seeds import SeedRanges

    return spec.model_copy(update={"seeds": str(SeedRanges(spec.seed_ranges.split(1)[:n]))})


def open_question(spec: "SweepSpec", goal: Goal, store: "Store") -> str:
    """What the stored runs of a spec leave open, in one line; "" if nothing."""
    from sweep.analysis.selection import Filters, Selection
    from sweep.store.records import cells, recorded_datasets

    store.refresh()
    keys = {(c.variant.digest[:8], c.dataset_digest[:8]) for c in cells(spec, recorded_datasets(store, spec))}
    try:
        runs = [r for r in Selection(store, Filters(seeds=spec.seeds)).runs() if r.cell.key in keys]
        return _undecided(runs) if goal.halfwidth is None else _unknown_means(runs, goal.halfwidth)
    except ValueError as error:  # too few runs, because they diverged
        return str(error)


def _undecided(runs: "list[Runs]") -> str:
    from sweep.analysis.statistics.sequential import UNDECIDED
    from sweep.analysis.tables.decisions import decisions

    table = decisions(runs)
    left = table[table["verdict"] == UNDECIDED]
    return f"undecided: {', '.join(left['a'] + ' → ' + left['b'])}" if len(left) else ""


def _unknown_means(runs: "list[Runs]", goal: float) -> str:
    from sweep.analysis import statistics as st

    wide = {
        r.cell.variant: st.half_width(st.sd(r.misses("test")), r.n) if r.n > 1 else float("inf") for r in runs
    }
    name = max(wide, key=lambda name: wide[name])
    return f"the mean of {name} is known to ±{wide[name]:.2f} misses" if wide[name] > goal else ""
