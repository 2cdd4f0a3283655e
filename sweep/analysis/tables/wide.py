"""Table `wide`: one row per seed, one column of misses per variant."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.table import Table


def make(data: Selection, *, split: SplitName = "test", epoch: int | None = None) -> pd.DataFrame:
    """The table of a selection."""
    return wide(data.runs(epoch), planned=data.planned, split=split)


def wide(runs: Sequence[Runs], *, planned: Planned | None = None, split: SplitName = "test") -> pd.DataFrame:
    """One row per (data set, seed), with the misses and the status of each variant.

    Misses of absent and diverged runs are NA. `n_ok` counts the variants that did not diverge.
    """
    digests = dict.fromkeys(r.cell.dataset_digest for r in runs)
    blocks = [_block([r for r in runs if r.cell.dataset_digest == digest], split) for digest in digests]
    frame = pd.concat(blocks, ignore_index=True)
    frame.insert(2, "seed", frame.pop("seed"))
    frame.insert(len(frame.columns) - 1, "n_ok", frame.pop("n_ok"))
    frame.attrs["notes"] = [*provisional_note(planned, runs), *describe(runs, split)]
    return frame


def _block(runs: list[Runs], split: SplitName) -> pd.DataFrame:
    columns: dict[str, pd.Series] = {}
    for r in runs:
        seeds = pd.Index(np.concatenate([r.seeds, r.diverged]), name="seed")
        misses = pd.array([*r.misses(split).astype(int), *[pd.NA] * len(r.diverged)], dtype="Int64")
        status = ["ok"] * r.n + ["diverged"] * len(r.diverged)
        columns[f"{r.cell.variant}_misses"] = pd.Series(misses, index=seeds)
        columns[f"{r.cell.variant}_status"] = pd.Series(status, index=seeds, dtype="object")
    block = pd.DataFrame(columns).sort_index()
    block["n_ok"] = (block[[name for name in block if str(name).endswith("_status")]] == "ok").sum(axis=1)
    block.insert(0, "dataset", runs[0].cell.dataset)
    block.insert(1, "dataset_digest", runs[0].cell.dataset_digest)
    return block.reset_index()


TABLE = Table(make, None, limit=100)
