"""Differences between variants: paired by seed where that is honest."""

import itertools
import math
from typing import Any, Literal

import numpy as np
import pandas as pd

from model.names import nearest
from sweep.analysis import statistics as st
from sweep.analysis.planned import provisional_note
from sweep.analysis.runs import Runs, Split, all_runs, describe

Family = Literal["steps", "all"]

MARGIN = 5.0  # misses; differences within it count as equivalent


def pairs(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
    family: Family = "steps",
    margin: float = MARGIN,
    two_way: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Variant b against variant a on the same digits, b - a in misses.

    Runs are paired when they share seed, device and code, because then they share the initial weights and the
    random streams; a variant's own noise remains, so `r` says how much the pairing helps. Where fewer than
    half of the smaller variant's runs find a partner all runs are compared unpaired.

    Args:
      epochs, planned, split, epoch: as in `summary.summary`.
      family: which pairs are asked about, and so what Holm corrects for: "steps", neighbours in the story
      under
        one recipe; "all", every pair on the same digits.
      margin: misses within which two variants count as equivalent.
      two_way: `digits.two_way` of the same runs; fills `se_diff_total`.

    Returns:
      One row per pair. p_t is the paired or Welch's t test, p_perm the sign flips (paired only), p_rank
      Wilcoxon's or Mann and Whitney's, p_holm Holm's adjustment of p_t (of p_perm where there is no t). poi
      is the chance that a run of b misses more digits than one of a, poi_same_seed the same for runs that
      share a seed, both with diverged runs above every number. p_tost tests that the difference exceeds the
      margin, mdd80 is the smallest true difference that so many seeds find with 80 % power. n_dropped
      counts runs left out of the pairs.

    Raises:
      ValueError: no two variants with two runs each on the same digits, or an unknown family.
    """
    if family not in ("steps", "all"):
        raise ValueError(f"unknown family {family!r}{nearest(family, ['steps', 'all'])}")
    runs = all_runs(epochs, epoch)
    chosen = [(a, b) for a, b in _asked(runs, family) if min(a.n, b.n) > 1]
    if not chosen:
        raise ValueError("a comparison needs two variants with two runs each on the same digits")
    frame = pd.DataFrame(
        [_row(a, b, split, margin, np.random.default_rng([1989, 3, i])) for i, (a, b) in enumerate(chosen)]
    )
    p = frame["p_t"].fillna(frame["p_perm"]).to_numpy(np.float64)
    frame.insert(list(frame).index("p_rank") + 1, "p_holm", st.holm(p))
    frame.insert(list(frame).index("p_holm") + 1, "family", f"{family} ({len(chosen)})")
    frame["se_diff_total"] = np.nan
    if two_way is not None and split == "test":
        known = two_way.set_index(["a", "b", "dataset_digest"])["se_diff_total"]
        keys = pd.MultiIndex.from_frame(frame[["a", "b", "dataset_digest"]])
        frame["se_diff_total"] = known.reindex(keys).to_numpy()
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs),
        "Difference: misses of b less those of a. P(b > a): chance that a run of b misses more digits.",
        f"p adjusted by Holm over {len(chosen)} comparisons; equivalence within ±{margin:g} misses.",
    ]
    return frame


def _asked(runs: list[Runs], family: Family) -> list[tuple[Runs, Runs]]:
    found = []
    for digest in dict.fromkeys(r.cell.dataset_digest for r in runs):
        mine = [r for r in runs if r.cell.dataset_digest == digest]
        neighbours = [(a, b) for a, b in itertools.pairwise(mine) if a.cell.recipe == b.cell.recipe]
        found += neighbours if family == "steps" else list(itertools.combinations(mine, 2))
    return found


def matched(a: Runs, b: Runs, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Misses of the runs that share seed, device and code, in the order of seeds: two [n] float64 arrays."""
    on = ["seed", "device", "code"]
    column = f"{split}_misses"
    both = a.ok[[*on, column]].astype({"device": str, "code": str})
    other = b.ok[[*on, column]].astype({"device": str, "code": str})
    joined = both.merge(other, on=on, suffixes=("_a", "_b")).sort_values("seed")
    return joined[f"{column}_a"].to_numpy(np.float64), joined[f"{column}_b"].to_numpy(np.float64)


def _row(a: Runs, b: Runs, split: Split, margin: float, rng: np.random.Generator) -> dict[str, Any]:
    x, y = matched(a, b, split)
    paired = len(x) >= max(2, min(a.n, b.n) / 2)
    if paired:
        d = st.paired_difference(x, y, margin, rng)
    else:
        x, y = a.misses(split), b.misses(split)
        d = st.unpaired_difference(x, y, margin)
    above = st.probability_above(a.all_misses(split), b.all_misses(split))
    return {
        "a": a.cell.variant,
        "b": b.cell.variant,
        "dataset": a.cell.dataset,
        "dataset_digest": a.cell.dataset_digest,
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
