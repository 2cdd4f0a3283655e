"""Crossed designs among the runs of a root: runs that differ only in seeds of their sources of variance.

The sources are the initial weights ("init"), the presentation order ("order"), the subset of digits ("draw"), the
shifts ("shift") and the dropout masks ("dropout"). A stream without a fixed seed follows the seed of the run; several
such streams vary together and are one source, "shift + dropout".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from model.variants import Variant, variant
from sweep.analysis.components import LEAST_FILLED, Decomposition, decompose
from sweep.analysis.names import SplitName
from sweep.analysis.runs import CellId, Runs

SEEDS = ("init_seed", "shift_seed", "dropout_seed", "order_seed")  # overrides that select a level of a source
MISSES = "misses"


class DesignId(NamedTuple):
    """What all runs of a design have in common."""

    variant: str  # name without seeds
    recipe: str
    dataset: str  # name without the subset seed
    sizes: tuple[int, int]  # training and test digits
    free: tuple[str, ...]  # streams that follow the seed of the run


@dataclass(frozen=True)
class Design:
    """A crossed design: at least half of all combinations of its levels are finished runs.

    Attributes:
      id: what all runs have in common.
      cell: one of the cells, for names and colours.
      factors: the sources that vary.
      runs: one row per run: its level of each factor, and its misses.
      diverged: runs without a result.
      outside: runs at levels that too few other runs share.
    """

    id: DesignId
    cell: CellId
    factors: tuple[str, ...]
    runs: pd.DataFrame
    diverged: int
    outside: int

    def decompose(self) -> Decomposition:
        """Variance components of the misses."""
        return decompose(self.runs, self.factors, MISSES)


def crossed_designs(runs: Sequence[Runs], split: SplitName) -> list[Design]:
    """The crossed designs of at least two factors.

    Args:
      runs: of each cell, after the same epoch of the training.
      split: whose misses.
    """
    groups: dict[DesignId, list[tuple[Runs, Variant]]] = {}
    for r in runs:
        trained = variant(r.cell.parent, r.cell.recipe, **r.cell.overrides)
        groups.setdefault(_design_id(r, trained), []).append((r, trained))
    found = [_design(key, members, split) for key, members in groups.items()]
    return [design for design in found if design is not None]


def _design_id(runs: Runs, trained: Variant) -> DesignId:
    free = tuple(s for s in _streams(trained) if getattr(trained, f"{s}_seed") is None)
    plain = [part for part in runs.cell.variant.split(",") if part.partition("=")[0] not in SEEDS]
    dataset = [part for part in runs.cell.dataset.split(",") if not part.startswith("draw=")]
    sizes = runs.sizes["train"], runs.sizes["test"]
    return DesignId(",".join(plain), runs.cell.recipe, ",".join(dataset), sizes, free)


def _streams(trained: Variant) -> list[str]:
    """The random streams that a variant uses."""
    used = {"init": True, "shift": trained.shift > 0, "dropout": trained.dropout > 0}
    return [stream for stream, in_use in used.items() if in_use]


def _design(key: DesignId, members: Sequence[tuple[Runs, Variant]], split: SplitName) -> Design | None:
    blocks = [_levels(r, trained, key.free, split) for r, trained in members]
    rows = pd.concat(blocks, ignore_index=True)
    sources = [name for name in rows.columns if name != MISSES]
    rows = rows.drop_duplicates(sources)  # without a free stream, all seeds give the same run
    inside = _crossed_part(rows, sources)
    factors = tuple(name for name in sources if inside[name].nunique() > 1)
    if len(factors) < 2:
        return None
    return Design(
        id=key,
        cell=members[0][0].cell,
        factors=factors,
        runs=inside,
        diverged=sum(len(r.diverged) for r, _ in members),
        outside=len(rows) - len(inside),
    )


def _levels(runs: Runs, trained: Variant, free: Sequence[str], split: SplitName) -> pd.DataFrame:
    """One row per run: its level of each source, and its misses."""
    fixed = [stream for stream in _streams(trained) if stream not in free]
    levels: dict[str, Any] = {stream: getattr(trained, f"{stream}_seed") for stream in fixed}
    if free:
        levels[" + ".join(free)] = runs.seeds
    levels |= {"order": trained.order_seed, "draw": runs.cell.dataset_digest}
    return pd.DataFrame(levels | {MISSES: runs.misses(split)})


def _crossed_part(rows: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """The rows without the levels that occur in less than `LEAST_FILLED` of the combinations of the other sources."""
    while len(rows):
        combinations = 1
        for source in sources:
            combinations *= rows[source].nunique()
        filled = {
            (source, level): count * rows[source].nunique() / combinations
            for source in sources
            for level, count in rows[source].value_counts().items()
        }
        source, level = min(filled, key=lambda place: filled[place])
        if filled[source, level] >= LEAST_FILLED:
            break
        rows = rows[rows[source] != level]
    return rows
