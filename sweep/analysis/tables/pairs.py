"""Table `pairs`: differences between cells, paired by seed where runs share their random streams."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from model.names import nearest
from sweep.analysis import statistics as st
from sweep.analysis.names import FAMILIES, Family, SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import Table
from sweep.analysis.tables.two_way import two_way as two_way_table

MARGIN = 5.0  # misses; differences within it count as equivalent


def make(
    data: Selection,
    *,
    split: SplitName = "test",
    epoch: int | None = None,
    family: Family = "steps",
    margin: float = MARGIN,
    noise: bool = False,
) -> pd.DataFrame:
    """The table of a selection; `noise` fills `se_diff_total` from predicted labels."""
    return pairs(
        data.runs(epoch),
        planned=data.planned,
        split=split,
        family=family,
        margin=margin,
        two_way=two_way_table(data.predictions) if noise and epoch is None else None,
    )


def pairs(
    runs: Sequence[Runs],
    *,
    planned: Planned | None = None,
    split: SplitName = "test",
    family: Family = "steps",
    margin: float = MARGIN,
    two_way: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per pair of cells: b against a, b - a in misses.

    Runs are paired if they share recipe, data set and seed: they then draw from the same random streams, and
    `r` shows how much the pairing helps. Pairs of runs from other devices or versions are valid as well, because
    seeds are independent. If fewer than half of the smaller cell's
    runs have a partner, all runs are compared unpaired. Misses out of test sets of different sizes are
    compared as if out of a's.

    Args:
      runs: of each cell.
      planned: what the recorded sweeps request.
      split: whose misses.
      family: which pairs, and so what Holm corrects for, see `_family`; "all" where "steps" has none.
      margin: misses within which two variants count as equivalent.
      two_way: `two_way.two_way` of the same runs; fills `se_diff_total`.

    Returns:
      p_t is the paired or Welch t test, p_perm the sign-flip test (paired only), p_rank Wilcoxon or
      Mann-Whitney, p_holm Holm's adjustment of p_t (of p_perm where there is no t). poi is the probability
      that a run of b misses more digits than a run of a, poi_same_seed the same for runs that share a seed;
      diverged runs rank above every number. p_tost tests equivalence within the margin, mdd80 is the minimum
      detectable effect at 80 % power. n_dropped counts runs without a partner.

    Raises:
      ValueError: no two cells with two runs each, an unknown family, or a margin that is not positive.
    """
    family, chosen = family_pairs(runs, family, margin)
    frame = pd.DataFrame(
        [_row(a, b, split, margin, np.random.default_rng([1989, 3, i])) for i, (a, b) in enumerate(chosen)]
    )
    p = frame["p_t"].fillna(frame["p_perm"]).to_numpy(np.float64)
    frame.insert(list(frame).index("p_rank") + 1, "p_holm", st.holm(p))
    frame.insert(list(frame).index("p_holm") + 1, "family", f"{family} ({len(chosen)})")
    frame["se_diff_total"] = _total_errors(frame, two_way) if split == "test" else np.nan
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs, split),
        *_design_notes(chosen, split),
        "Difference: misses of b less misses of a. P(b > a): probability that a run of b misses more digits.",
        f"p adjusted by Holm over {len(chosen)} comparisons; equivalence within ±{margin:g} misses. MDE: smallest "
        "true difference detected with 80 % power at the 5 % level.",
    ]
    return frame


def family_pairs(
    runs: Sequence[Runs], family: Family, margin: float
) -> tuple[Family, list[tuple[Runs, Runs]]]:
    """The pairs to compare, and their family: "all" instead of "steps" where that has none.

    Raises:
      ValueError: no two cells with two runs each, an unknown family, or a margin that is not positive.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown family {family!r}{nearest(family, FAMILIES)}")
    if not margin > 0:
        raise ValueError(f"margin = {margin:g} is out of range: give a number of misses above 0")
    able = [r for r in runs if r.n > 1]
    chosen = _family(able, family)
    if not chosen and family == "steps":
        family, chosen = "all", _family(able, "all")
    if not chosen:
        raise ValueError(f"family {family!r} has no pair: a comparison needs two variants with two runs each")
    return family, chosen


def _family(runs: Sequence[Runs], family: Family) -> list[tuple[Runs, Runs]]:
    """The pairs of a family.

    "steps": consecutive variants of one recipe on the same digits; "recipes": a variant under consecutive
    recipes on the same digits; "datasets": a variant under one recipe on consecutive data sets; "all": every
    two cells.
    """

    def group(r: Runs) -> tuple[str, ...]:
        plain = r.cell.variant.replace(f"@{r.cell.recipe}", "")
        return {
            "steps": (r.cell.dataset_digest, r.cell.recipe),
            "recipes": (r.cell.dataset_digest, plain),
            "datasets": (r.cell.recipe, plain),
            "all": (),
        }[family]

    found: list[tuple[Runs, Runs]] = []
    for key in dict.fromkeys(map(group, runs)):
        mine = [r for r in runs if group(r) == key]
        found += itertools.combinations(mine, 2) if family == "all" else itertools.pairwise(mine)
    return found


def matched(a: Runs, b: Runs, split: SplitName) -> tuple[np.ndarray, np.ndarray]:
    """Misses of the runs that share recipe, data set and seed, by seed: two [n] float64 arrays."""
    if not _shares_streams(a, b):
        return np.empty(0), np.empty(0)
    column = f"{split}_misses"
    left, right = a.ok[["seed", column]], b.ok[["seed", column]]
    joined = left.merge(right, on="seed", suffixes=("_a", "_b")).sort_values("seed")
    return joined[f"{column}_a"].to_numpy(np.float64), joined[f"{column}_b"].to_numpy(np.float64)


def are_paired(a: Runs, b: Runs, found: np.ndarray) -> bool:
    """Whether enough runs have a partner to compare the matched runs only; found: those of `matched`."""
    return len(found) >= max(2, min(a.n, b.n) / 2)


def _shares_streams(a: Runs, b: Runs) -> bool:
    return (a.cell.recipe, a.cell.dataset_digest) == (b.cell.recipe, b.cell.dataset_digest)


def _row(a: Runs, b: Runs, split: SplitName, margin: float, rng: np.random.Generator) -> dict[str, Any]:
    scale = a.sizes[split] / b.sizes[split]
    x, y = matched(a, b, split)
    paired = are_paired(a, b, x)
    if paired:
        d = st.paired_difference(x, y, margin, rng)
    else:
        x, y = a.misses(split), b.misses(split) * scale
        d = st.unpaired_difference(x, y, margin)
    above = st.probability_above(a.all_misses(split), b.all_misses(split) * scale)
    same_data = a.cell.dataset_digest == b.cell.dataset_digest
    return {
        "a": a.cell.variant,
        "b": b.cell.variant,
        "dataset": a.cell.dataset if same_data else f"{a.cell.dataset} → {b.cell.dataset}",
        "dataset_digest": a.cell.dataset_digest,
        "dataset_digest_b": b.cell.dataset_digest,
        "split": split,
        "design": "paired" if paired else "unpaired",
        "n_a": a.n,
        "n_b": b.n,
        "n_pairs": len(x) if paired else 0,
        "n_dropped": a.n + b.n - 2 * len(x) if paired else 0,
        "mean_a": float(np.mean(x)),
        "mean_b": float(np.mean(y)),
        "diff": d.diff,
        "diff_pp": 100 * d.diff / a.sizes[split],
        "ci_lo": d.ci_lo,
        "ci_hi": d.ci_hi,
        "sd_diff": d.sd_diff,
        "r": d.r,
        "p_t": d.p_t,
        "p_perm": d.p_perm,
        "p_rank": d.p_rank,
        "d_z": d.effect if paired else math.nan,
        "hedges_g": math.nan if paired else d.effect,
        "poi": above.probability,
        "poi_lo": above.lo,
        "poi_hi": above.hi,
        "poi_same_seed": float(np.mean(y > x) + np.mean(y == x) / 2) if paired else math.nan,
        "p_tost": d.p_equivalent,
        "margin": margin,
        "mdd80": d.detectable,
    }


def _design_notes(chosen: list[tuple[Runs, Runs]], split: SplitName) -> list[str]:
    notes = []
    if any(not _shares_streams(a, b) for a, b in chosen):
        notes.append(
            "Across recipes or data sets the comparison is unpaired: the runs share no random streams."
        )
    if any(a.sizes[split] != b.sizes[split] for a, b in chosen):
        notes.append(
            f"Where {split} sets differ in size, misses of b are scaled to the size of a's {split} set."
        )
    return notes


def _total_errors(frame: pd.DataFrame, two_way: pd.DataFrame | None) -> np.ndarray | float:
    if two_way is None:
        return math.nan
    known = two_way.set_index(["a", "b", "dataset_digest"])["se_diff_total"]
    return known.reindex(pd.MultiIndex.from_frame(frame[["a", "b", "dataset_digest"]])).to_numpy()


TABLE = Table(
    make,
    (
        Column("a", "{a}"),
        Column("b", "{b}"),
        Column("data set", "{dataset}", "if_mixed"),
        Column("design", "{design}"),
        Column("n", "{n_a}/{n_b}[ ({n_pairs} pairs)]"),
        Column("b - a", "{diff:+.1f}"),
        Column("95 % CI", "{ci_lo:+.1f} to {ci_hi:+.1f}"),
        Column("r", "{r:.2f}"),
        Column("p (Holm)", "{p_holm:.2g}"),
        Column("sign-flip p", "{p_perm:.2g}"),
        Column("P(b > a)", "{poi:.2f}"),
        Column("p (equivalence)", "{p_tost:.2g}"),
        Column("MDE (80 % power)", "{mdd80:.1f}"),
    ),
)
