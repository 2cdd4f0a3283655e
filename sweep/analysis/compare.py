""" "Is my run normal?": one number of misses among the seeds of a variant."""

import math
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from model.names import nearest
from sweep.analysis import statistics as st
from sweep.analysis.placing import placement_columns
from sweep.analysis.plots import place_plot
from sweep.analysis.runs import Runs, Split, all_runs, describe


@dataclass(frozen=True)
class Comparison:
    """The answer in one line, in numbers and in a picture."""

    sentence: str
    row: pd.DataFrame  # one row: the columns of `published` that do not name a source
    figure: Figure


def compare(epochs: pd.DataFrame, variant: str, misses: int, *, split: Split = "test") -> Comparison:
    """Place a run's misses among the seeds.

    The run is taken to be one more seed: same digits, same training. What other digits would do is in the
    columns newdata_lo and newdata_hi.

    Args:
      epochs: rows of the store of one data set; the last epochs suffice.
      variant: name as in tables.
      misses: wrongly classified digits of the split.
      split: "test" or "train".

    Raises:
      ValueError: no run of the variant, several data sets, or misses that are no count out of the split.
    """
    runs = _the_runs(epochs, variant)
    m = runs.sizes[split]
    if not 0 <= misses <= m:
        raise ValueError(
            f"misses = {misses}: give a count from 0 to {m:,}, the {split} digits of {runs.cell.dataset}"
        )
    row = placement_columns(runs, split, misses)
    identity = {
        "variant": runs.cell.variant,
        "recipe": runs.cell.recipe,
        "dataset": runs.cell.dataset,
        "dataset_digest": runs.cell.dataset_digest,
        "split": split,
        "misses": misses,
        "err_pct": 100 * misses / m,
    }
    frame = pd.DataFrame([identity | row])
    frame.attrs["notes"] = describe([runs])
    return Comparison(_sentence(runs, misses, row), frame, place_plot(runs, split, misses))


def _the_runs(epochs: pd.DataFrame, variant: str) -> Runs:
    everything = all_runs(epochs)
    names = list(dict.fromkeys(r.cell.variant for r in everything))
    if variant not in names:
        raise ValueError(f"no finished run has variant {variant!r}{nearest(variant, names)}")
    mine = [r for r in everything if r.cell.variant == variant]
    if len(mine) > 1:
        sets = ", ".join(f"{r.cell.dataset} ({r.cell.dataset_digest})" for r in mine)
        raise ValueError(f"{variant} has runs on several data sets: choose one of {sets}")
    if not mine[0].n:
        raise ValueError(f"every run of {variant} diverged: there is nothing to compare with")
    return mine[0]


def _sentence(runs: Runs, misses: int, row: dict[str, float]) -> str:
    n, what = int(row["n"]), f"{misses} misses with {runs.cell.variant} on {runs.cell.dataset}"
    if n == 1:
        return f"{what}: the only seed so far misses {row['mean']:.0f}; train more seeds to tell."
    if math.isnan(row["p_model"]):
        same = row["diff"] == 0
        return f"{what}: {'what every one' if same else 'unlike any'} of {n} seeds gives ({row['mean']:.0f})."
    p = row["p_mid"] if n >= st.RANK_MINIMUM else row["p_model"]
    word = "ordinary" if p >= st.ALPHA else "unusually " + ("many" if row["diff"] > 0 else "few")
    rank = f"{row['n_lt']} of {n} seeds miss fewer, {row['n_eq']} as many, {row['n_gt']} more"
    return (
        f"{what}: {word}. {rank}; mean {row['mean']:.1f}, "
        f"one more seed falls within {max(0.0, row['pred_lo']):.0f}–{row['pred_hi']:.0f} (95 %)."
    )
