"""Table `fixes`: which test digits each change fixes or breaks."""

from collections.abc import Sequence

import pandas as pd

from sweep.analysis.predictions import Predictions
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.labels import label_notes, steps
from sweep.analysis.tables.table import DATASET, STEP, Table


def make(data: Selection) -> pd.DataFrame:
    """The table of a selection."""
    return fixes(data.predictions)


def fixes(predictions: Sequence[Predictions]) -> pd.DataFrame:
    """One row per (pair of consecutive variants, digit that a run of either misclassifies), largest change first.

    Returns:
      a, b, index, true, rate_a, rate_b, change (rate_b - rate_a; negative means fixed).

    Raises:
      ValueError: fewer than two variants.
    """
    blocks = []
    for a, b in steps(predictions):
        block = pd.DataFrame(
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "index": range(len(a.truth)),
                "true": a.truth,
                "rate_a": a.error_rates,
                "rate_b": b.error_rates,
                "change": b.error_rates - a.error_rates,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
            }
        )
        block = block[(block["rate_a"] > 0) | (block["rate_b"] > 0)]
        blocks.append(block.sort_values("change", key=lambda c: -c.abs(), kind="stable"))
    frame = pd.concat(blocks, ignore_index=True)
    frame.attrs["notes"] = label_notes(predictions)
    return frame


TABLE = Table(
    make,
    (
        *STEP,
        DATASET,
        Column("digit", "{index}"),
        Column("true label", "{true}"),
        Column("error rate a", "{rate_a:.2f}"),
        Column("error rate b", "{rate_b:.2f}"),
        Column("change", "{change:+.2f}"),
    ),
    limit=40,
)
