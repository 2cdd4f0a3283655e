"""Seeds that answer a question about a spec, from the spread of finished runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweep.analysis import statistics as st
from sweep.analysis.runs import Runs
from sweep.analysis.selection import Selection
from sweep.spec.spec import SweepSpec, dataset_label
from sweep.store.reference import Reference
from sweep.store.store import Store

LEAST_SEEDS = 8  # from which a standard deviation is used
FEW_SEEDS = 20  # below which the uncertainty of a standard deviation is worth a note


@dataclass(frozen=True)
class CellPlan:
    """One variant on one data set."""

    variant: str
    dataset: str
    sd: float  # of the test misses over seeds
    seeds_known: int  # from which the sd is computed
    source: str  # where these seeds are stored
    seeds_needed: int


@dataclass(frozen=True)
class SeedPlan:
    """Seeds that answer the question in every cell."""

    question: str
    cells: list[CellPlan]
    seeds: int
    notes: list[str]


def plan_seeds(
    spec: SweepSpec,
    sources: Sequence[Store | Reference],
    *,
    find: float | None = None,
    halfwidth: float | None = None,
) -> SeedPlan:
    """The number of seeds of each variant that answers a question.

    Args:
      spec: variants and data sets; its seeds are not used.
      sources: where spreads are known, in order of preference; a root need not exist.
      find: a difference in misses between two variants, to detect with 80 % power at the 5 % level. The runs are
        treated as unpaired; the seeds of the plan are those of the two variants with the largest spread.
      halfwidth: half width in misses of the 95 % interval of each mean. Exactly one of the two is given.

    Raises:
      ValueError: not exactly one positive goal, or the spread of a cell is unknown.
    """
    goals = [goal for goal in (find, halfwidth) if goal is not None]
    if len(goals) != 1 or not goals[0] > 0:
        raise ValueError("give one goal above 0, in misses: --find, or --halfwidth")
    goal = goals[0]
    known = [(source.root, _spreads(source)) for source in sources]
    cells = []
    for variant, options in spec.cells():
        key = variant.digest[:8], dataset_label(options)
        found = [(root, runs[key]) for root, runs in known if key in runs]
        if not found:
            raise ValueError(
                f"the spread of {variant.name} on {key[1]} is unknown: train {LEAST_SEEDS} seeds of it first"
            )
        root, runs = found[0]
        sd = st.sd(runs.misses("test"))
        needed = st.seeds_needed(goal, sd) if find is not None else st.seeds_for_half_width(goal, sd)
        cells.append(CellPlan(variant.name, key[1], sd, runs.n, root, needed))
    spreads = sorted(cell.sd for cell in cells)[-2:]
    if find is not None:
        question = (
            f"detect a difference of {find:g} misses between two variants with 80 % power at the 5 % level"
        )
        seeds = st.seeds_needed(goal, float(np.sqrt(np.mean(np.square(spreads)))))
    else:
        question = f"know each mean to ±{halfwidth:g} misses (95 % interval)"
        seeds = max(cell.seeds_needed for cell in cells)
    return SeedPlan(question, cells, seeds, _notes(cells))


def _spreads(source: Store | Reference) -> dict[tuple[str, str], Runs]:
    """Runs of the cells with enough seeds that differ, by digest of the variant and name of the data set."""
    if isinstance(source, Store) and not (source.exists and source.files):
        return {}
    return {
        (r.cell.variant_digest, r.cell.dataset): r
        for r in Selection(source).runs()
        if r.n >= LEAST_SEEDS and st.sd(r.misses("test")) > 0
    }


def _notes(cells: Sequence[CellPlan]) -> list[str]:
    fewest = min(cell.seeds_known for cell in cells)
    if fewest >= FEW_SEEDS:
        return []
    low, high = (factor**2 for factor in st.sd_factors(fewest))
    return [
        f"A standard deviation of {fewest} seeds is uncertain: the number of seeds is right within a factor of "
        f"{low:.1f} to {high:.1f} (95 %)."
    ]
