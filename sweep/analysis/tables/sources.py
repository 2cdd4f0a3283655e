"""Table `sources`: variance of the misses by source, from crossed seeds, orders and subsets of digits."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis.components import FEW_LEVELS, Decomposition, Estimate, Term
from sweep.analysis.designs import Design, crossed_designs
from sweep.analysis.names import SplitName
from sweep.analysis.runs import Runs
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.table import VARIANT, Table

ALL = "all sources"


def make(data: Selection, *, split: SplitName = "test", epoch: int | None = None) -> pd.DataFrame:
    """The table of a selection."""
    return sources(data.runs(epoch), split=split)


def sources(runs: Sequence[Runs], *, split: SplitName = "test") -> pd.DataFrame:
    """One row per (crossed design, source or interaction), and one for all sources together.

    Args:
      runs: of each cell.
      split: whose misses.

    Returns:
      levels, n (runs of the design), mean (misses), variance, var_lo, var_hi (variance component), sd, sd_lo, sd_hi
      (its square root, 0 for a negative estimate), share (of the sum of all components, negative ones counted as 0),
      total_sd, total_lo, total_hi (total effect: sd over this source with the others fixed, on average), method
      ("anova" or "reml"), intervals ("rough" if they are only approximate).

    Raises:
      ValueError: no two sources are crossed.
    """
    designs = crossed_designs(runs, split)
    if not designs:
        raise ValueError(
            "sources needs crossed runs, such as several seeds with each of several values of order_seed or draw "
            "(preset sources)"
        )
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for design in designs:
        result = design.decompose()
        rows += _rows(design, result, split)
        notes += _notes(design, result)
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *notes,
        f"Variance components of the {split} misses with 95 % intervals; estimates can be negative and count as 0 in "
        "the shares. sd, others fixed: over one source at fixed levels of the others, its interactions included. "
        "draw: the subset of training and test digits.",
    ]
    return frame


def term_name(term: Term) -> str:
    """Display name of a source or an interaction: "init", "init x draw"."""
    return " x ".join(f"({factor})" if " + " in factor and len(term) > 1 else factor for factor in term)


def _rows(design: Design, result: Decomposition, split: SplitName) -> Iterator[dict[str, Any]]:
    common = {
        "variant": design.id.variant,
        "recipe": design.id.recipe,
        "dataset": design.id.dataset,
        "split": split,
        "n_train": design.id.sizes[0],
        "n_test": design.id.sizes[1],
        "n": result.n,
        "mean": result.mean,
        "method": result.method,
    }
    for term, component in result.components.items():
        (factor, *others) = term
        effect = None if others else result.total_effects[factor]
        yield {
            **common,
            "source": term_name(term),
            "levels": " x ".join(str(result.levels[name]) for name in term),
            **_estimate(component),
            "share": result.share(term),
            **_total_effect(effect),
            "intervals": "rough" if result.rough(term) else "",
        }
    yield {
        **common,
        "source": ALL,
        "levels": " x ".join(map(str, result.levels.values())),
        **_estimate(result.total),
        "share": 1.0,
        **_total_effect(result.total),
        "intervals": "rough" if result.rough(design.factors) else "",
    }


def _estimate(found: Estimate) -> dict[str, float]:
    return {
        "variance": found.variance,
        "var_lo": found.low,
        "var_hi": found.high,
        "sd": _root(found.variance),
        "sd_lo": _root(found.low),
        "sd_hi": _root(found.high),
    }


def _total_effect(found: Estimate | None) -> dict[str, float]:
    values = (found.variance, found.low, found.high) if found else (np.nan,) * 3
    return {
        name: _root(value) for name, value in zip(("total_sd", "total_lo", "total_hi"), values, strict=True)
    }


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance)) if not math.isnan(variance) else math.nan


def _notes(design: Design, result: Decomposition) -> Iterator[str]:
    name = f"{design.id.variant} on {design.id.dataset}"
    levels = ", ".join(f"{count} {factor}" for factor, count in result.levels.items())
    yield f"{name}: {result.n:,} runs, {levels}; {design.id.sizes[1]:,} test digits."
    if result.method == "reml":
        combinations = math.prod(result.levels.values())
        yield (
            f"{name}: {combinations - result.n:,} of {combinations:,} combinations are missing "
            f"({design.diverged:,} runs diverged), so the components are REML estimates, which are never negative."
        )
    if design.outside:
        yield f"{name}: {design.outside:,} runs are outside the crossed design and left out."
    if few := [factor for factor in design.factors if result.levels[factor] < FEW_LEVELS]:
        yield f"{name}: intervals of {', '.join(few)} are rough, with fewer than {FEW_LEVELS} levels."


TABLE = Table(
    make,
    (
        VARIANT,
        Column("data set", "{dataset}", "if_mixed"),
        Column("source", "{source}"),
        Column("levels", "{levels}"),
        Column("n", "{n}"),
        Column("variance", "{variance:.2f}"),
        Column("95 % CI", "{var_lo:.2f} to {var_hi:.2f}"),
        Column("sd", "{sd:.2f}"),
        Column("sd, 95 % CI", "{sd_lo:.2f}–{sd_hi:.2f}"),
        Column("share", "{share:.0%}"),
        Column("sd, others fixed", "{total_sd:.2f}[ ({total_lo:.2f}–{total_hi:.2f})]"),
        Column("intervals", "{intervals}", "if_known"),
    ),
)
