"""Table `decisions`: larger, smaller, equivalent or undecided for each step, at the declared looks."""

from collections.abc import Sequence

import pandas as pd

from sweep.analysis.names import Family, SplitName
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.statistics.sequential import Pair, decide
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.pairs import MARGIN, are_paired, family_pairs, matched
from sweep.analysis.tables.table import DATASET, STEP, Table


def make(
    data: Selection, *, split: SplitName = "test", family: Family = "steps", margin: float = MARGIN
) -> pd.DataFrame:
    """The table of a selection."""
    return decisions(data.runs(), split=split, family=family, margin=margin)


def decisions(
    runs: Sequence[Runs], *, split: SplitName = "test", family: Family = "steps", margin: float = MARGIN
) -> pd.DataFrame:
    """One row per pair of cells: the first decision over the looks of `statistics.sequential`.

    Args:
      runs: of each cell.
      split: whose misses.
      family: which pairs, as in table `pairs`.
      margin: misses within which two variants count as equivalent.

    Returns:
      verdict (of b against a), seeds (at the deciding look), diff, p and p_equivalent (Holm-adjusted at that look),
      level (of that look), n (seeds of each variant so far).

    Raises:
      ValueError: no pair, an unknown family, or a margin that is not positive.
    """
    _, chosen = family_pairs(runs, family, margin)
    pairs = [_pair(a, b, split) for a, b in chosen]
    frame = pd.DataFrame(
        [
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
                "split": split,
                "n": pair.n,
                "margin": margin,
                **decision._asdict(),
            }
            for (a, b), pair, decision in zip(chosen, pairs, decide(pairs, margin), strict=True)
        ]
    )
    frame.attrs["notes"] = [
        *describe(runs, split),
        "b against a. Look k, at 16, 32, 64 … seeds, tests at 5 % / (k (k + 1)) with Holm's correction; number of "
        f"comparisons: {len(pairs)}.",
        "Over all looks: at most 5 % for a false larger or smaller, and at most 5 % for a false equivalent "
        f"(±{margin:g} misses), if margin and family were chosen before the runs.",
    ]
    return frame


def _pair(a: Runs, b: Runs, split: SplitName) -> Pair:
    """Their misses, paired where table `pairs` pairs them; b scaled to the number of digits of a."""
    x, y = matched(a, b, split)
    if are_paired(a, b, x):
        return Pair(x, y, paired=True)
    return Pair(a.misses(split), b.misses(split) * a.sizes[split] / b.sizes[split], paired=False)


TABLE = Table(
    make,
    (
        *STEP,
        DATASET,
        Column("decision", "{verdict}"),
        Column("at seeds", "{seeds}"),
        Column("b - a", "{diff:+.1f}"),
        Column("p (Holm)", "{p:.2g}"),
        Column("p (equivalence)", "{p_equivalent:.2g}"),
        Column("level", "{level:.2g}"),
        Column("n", "{n}"),
    ),
)
