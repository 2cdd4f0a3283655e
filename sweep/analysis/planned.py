"""What was asked for, beside what is there: pending runs make a table provisional."""

from collections.abc import Sequence

import pandas as pd

from sweep.analysis.runs import Cell, Runs


def asked(planned: pd.DataFrame | None, cell: Cell) -> dict[str, int]:
    """What was asked for of a cell: n_requested seeds, n_failed of them, look_no; {} when nobody says.

    Every sweep that asked for the cell is one occasion to look at it and go on: look_no counts them.

    Args:
      planned: variant_digest, dataset_digest, n_requested, n_failed, look_no; one row per cell.
      cell: the cell.
    """
    if planned is None or planned.empty:
        return {}
    mine = (planned["variant_digest"] == cell.variant_digest) & (
        planned["dataset_digest"] == cell.dataset_digest
    )
    found = planned[mine].to_dict("records")
    return {key: int(found[0][key]) for key in ("n_requested", "n_failed", "look_no")} if found else {}


def pending(planned: pd.DataFrame | None, runs: Runs) -> int | None:
    """Seeds asked for and neither finished nor failed; None when nobody says."""
    wanted = asked(planned, runs.cell)
    if not wanted:
        return None
    return max(0, wanted["n_requested"] - wanted["n_failed"] - runs.n - len(runs.diverged))


def provisional_note(planned: pd.DataFrame | None, runs: Sequence[Runs]) -> list[str]:
    """The warning above every table made while a sweep still runs.

    Looking early is not free. Simulated: judging differences at 5 % at six looks between n = 20 and 1000
    finds a difference that is not there in 20 % of sweeps, looking after every seed in 46 %; dividing the 5
    % by the number of looks keeps it.
    """
    if planned is None or planned.empty:
        return []
    here = {(r.cell.variant_digest, r.cell.dataset_digest) for r in runs}
    waiting = [
        f"{p} of {asked(planned, r.cell)['n_requested']} {r.cell.variant}"
        for r in runs
        if (p := pending(planned, r))
    ]
    chosen = planned[planned["dataset_digest"].isin({digest for _, digest in here})]
    keys = zip(chosen["variant_digest"], chosen["dataset_digest"], strict=True)
    not_begun = sorted(set(chosen["variant"][[key not in here for key in keys]].astype(str)))
    waiting += [f"all of {name}" for name in not_begun]
    if not waiting:
        return []
    return [
        f"PROVISIONAL, runs still missing: {', '.join(waiting)}. p values of repeated looks are too small."
    ]
