"""What every tracker does, and the export to one of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from model.names import nearest
from sweep.analysis.selection import Selection
from sweep.errors import SpecError
from sweep.export.registry import TRACKERS
from sweep.export.runs import Per, TrackerRun, keys, tracker_runs


class Tracker(Protocol):
    """Destination of an export. A run counts as present only once all of it is written."""

    address: str  # for messages

    def keys(self) -> set[str]:
        """Keys of the runs that earlier exports wrote."""
        ...

    def add(self, runs: Iterable[TrackerRun]) -> None:
        """Write runs that are not present."""
        ...


@dataclass(frozen=True)
class Exported:
    """Result of an export."""

    address: str
    added: int
    present: int  # runs that an earlier export wrote


def export(
    data: Selection, tracker: str, *, per: Per = "seed", to: str | None = None, experiment: str | None = None
) -> Exported:
    """Write the finished runs that a tracker lacks.

    Args:
      data: the runs.
      tracker: a name in `registry.TRACKERS`.
      per: one run of the tracker per seed, with its metrics; or per variant, with statistics over its seeds. When a
        variant has more seeds than at the last export, a new run is added and the old one stays.
      to: file, folder or server; None for the tracker's default.
      experiment: experiment of MLflow or project of Weights & Biases; None for "lecun1989-sweep".

    Raises:
      SpecError: unknown tracker, its library is not installed, or an unusable destination.
      ValueError: no run is left, or an unknown name in a filter.
      StoreError: a damaged root.
    """
    if tracker not in TRACKERS:
        raise SpecError(f"unknown tracker {tracker!r}{nearest(tracker, TRACKERS)}")
    wanted = keys(data, per)
    try:
        destination: Tracker = TRACKERS[tracker].load()(to, experiment)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] in ("data", "model", "sweep"):
            raise
        raise SpecError(
            f"`sweep export {tracker}` requires the package {error.name.partition('.')[0]}: "
            f"pip install 'lecun1989-sweep[{tracker}]'"
        ) from None
    present = destination.keys().intersection(wanted)
    if len(present) < len(wanted):
        destination.add(tracker_runs(data, per, present))
    return Exported(destination.address, len(wanted) - len(present), len(present))
