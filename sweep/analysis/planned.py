"""Requested and finished runs: a table with pending runs is provisional."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweep.analysis.runs import Runs


class Requested(NamedTuple):
    """Seeds of one cell that the recorded sweeps request."""

    variant: str
    seeds: int
    failed: int  # seeds whose shard failed
    looks: int  # interim looks: the number of sweeps that request the cell


Planned = Mapping[tuple[str, str], Requested]
"""By digests of the variant and of the data set, 8 hex digits each (`CellId.key`)."""


def pending(planned: Planned | None, runs: Runs) -> int | None:
    """Requested seeds that neither finished nor failed; None if no sweep is recorded."""
    wanted = (planned or {}).get(runs.cell.key)
    return None if wanted is None else max(0, wanted.seeds - wanted.failed - runs.total)


def provisional_note(planned: Planned | None, runs: Sequence[Runs]) -> list[str]:
    """The warning above every table made before its sweeps are complete.

    Repeated interim looks increase the false-positive rate. In a simulation, testing at 5 % at six looks between
    n = 20 and 1,000 found a difference that does not exist in 20 % of sweeps, testing after every seed in 46 %.
    Dividing the 5 % by the number of looks (Bonferroni) corrects for them.
    """
    if not planned:
        return []
    here = {r.cell.key for r in runs}
    digests = {r.cell.dataset_digest for r in runs}
    waiting = [
        f"{p} of {planned[r.cell.key].seeds} {r.cell.variant}" for r in runs if (p := pending(planned, r))
    ]
    absent = sorted({w.variant for key, w in planned.items() if key not in here and key[1] in digests})
    waiting += [f"all of {name}" for name in absent]
    if not waiting:
        return []
    return [f"PROVISIONAL, runs pending: {', '.join(waiting)}. p values of repeated looks are too small."]
