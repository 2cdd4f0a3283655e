"""How far every recorded sweep is, from the store alone."""

from dataclasses import dataclass

from sweep.spec.seeds import SeedRanges
from sweep.store import lease
from sweep.store.records import cells, recorded_sweeps
from sweep.store.schema import DIVERGED
from sweep.store.store import Store


@dataclass(frozen=True)
class CellStatus:
    """Runs of one variant on one data set, as counts of seeds."""

    variant: str
    dataset: str
    wanted: int
    done: int
    running: int  # begun and not finished, while a driver is at work
    epoch: str  # that they have reached, "" when none runs
    missing: int  # neither done nor running
    diverged: int  # of those done


def sweep_status(store: Store) -> dict[str, list[CellStatus]]:
    """Status of each cell of each recorded sweep, by the sweep's name."""
    last = store.epochs(["variant", "seed", "status"], last_only=True)
    gone = last[last["status"] == DIVERGED]
    completed, begun = store.completed(), store.checkpoints()
    at_work = lease.holder(store) is not None
    found: dict[str, list[CellStatus]] = {}
    for name, (spec, datasets) in recorded_sweeps(store).items():
        found[name] = []
        for cell in cells(spec, datasets):
            wanted = spec.seed_ranges
            left = wanted - completed.get(cell.key, SeedRanges())
            running = left & SeedRanges(begun.get(cell.folder, ())) if at_work else SeedRanges()
            epochs = sorted(store.checkpoint_epochs(cell.folder)) if running else []
            count, missing = len(wanted), len(left)
            here = gone[
                (gone["variant_digest"] == cell.variant.digest[:8])
                & (gone["dataset_digest"] == cell.dataset_digest[:8])
            ]
            diverged = sum(seed in wanted for seed in here["seed"])
            found[name].append(
                CellStatus(
                    variant=cell.variant.name,
                    dataset=cell.dataset,
                    wanted=count,
                    done=count - missing,
                    running=len(running),
                    epoch="–".join(map(str, dict.fromkeys([epochs[0], epochs[-1]]))) if epochs else "",
                    missing=missing - len(running),
                    diverged=diverged,
                )
            )
    return found
