"""Rows as the store returns them, from chosen misses, and the oracle samples of the specification."""

import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from model.variants import VARIANTS
from sweep.analysis.history import History, history
from sweep.analysis.planned import Planned, Requested
from sweep.analysis.predictions import Predictions, reduce_predictions
from sweep.analysis.runs import CellId, Runs, group_runs

A = np.array([82, 74, 90, 79, 85, 88, 77, 81, 93, 84], float)
B = np.array([87, 78, 90, 83, 84, 95, 80, 88, 96, 89], float)
C = np.array([71, 69, 75, 68, 77, 72, 66, 73, 80, 70], float)
X200 = np.rint(83 + 6 * norm.ppf((np.arange(200) + 0.5) / 200))

WRONG = np.array(  # [seed, test digit], 1 = misclassified
    [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0],
    ],
    bool,
)
TRUTH = np.arange(8) % 10  # of the digits of WRONG

Values = Sequence[float] | Sequence[Sequence[float]] | np.ndarray


def digest(name: str) -> str:
    """Eight hex digits instead of the digest of a variant or a data set."""
    return f"{zlib.crc32(name.encode()):08x}"


def cell(variant: str = "base", dataset: str = "mnist") -> CellId:
    """Identity of a cell."""
    recipe = variant.partition(",")[0].partition("@")[2] or "flax"
    return CellId(variant, recipe, dataset, digest(variant), digest(dataset))


def epochs(
    misses: Mapping[str, Values],
    *,
    dataset: str = "mnist",
    device: str = "cpu",
    code: str = "0.1.0+00000000",
    first_seed: int = 0,
    diverged: Mapping[str, Collection[int]] | None = None,
    sizes: tuple[int, int] = (7291, 2007),
) -> pd.DataFrame:
    """One row per (variant, seed, epoch).

    misses: of each variant, [n] for only the last epoch or [n, epochs]; diverged: seeds of each variant.
    """
    blocks = []
    for variant, values in misses.items():
        table = np.asarray(values, float)
        only_last = table.ndim == 1
        table = table[:, None] if only_last else table
        n, count = table.shape
        last = VARIANTS[variant.partition(",")[0].partition("@")[0]].epochs if only_last else count
        seeds = np.repeat(np.arange(n) + first_seed, count)
        broken = np.isin(seeds, list((diverged or {}).get(variant, ())))
        flat = np.where(broken, np.nan, table.ravel())
        block = pd.DataFrame(
            {
                **cell(variant, dataset).columns,
                "seed": seeds,
                "epoch": np.tile(np.arange(last - count + 1, last + 1, dtype=np.int32), n),
                "status": np.where(broken, "diverged", "ok"),
                "engine": "vmap",
                "device": device,
                "code": code,
                "epochs": last,
                "n_train": sizes[0],
                "n_test": sizes[1],
            }
        )
        for split, size, share in (("train", sizes[0], 0.5), ("test", sizes[1], 1.0)):
            counts = np.floor(flat * share)
            block[f"{split}_misses"] = pd.array(counts, dtype="Float64").astype("Int32")
            block[f"{split}_loss"] = (counts / size * 2).astype(np.float32)
        blocks.append(block)
    return pd.concat(blocks, ignore_index=True)


def last(frame: pd.DataFrame) -> list[Runs]:
    """Runs after the last epoch, from rows of `epochs`."""
    return group_runs(frame[frame["epoch"] == frame["epochs"]])


def runs(misses: Mapping[str, Values], **options) -> list[Runs]:
    """Runs after the last epoch, from the arguments of `epochs`."""
    return last(epochs(misses, **options))


def histories(frame: pd.DataFrame) -> list[History]:
    """Every epoch of every cell, from rows of `epochs`."""
    names = ("test_misses", "train_misses", "test_loss", "train_loss")
    groups = frame.groupby(["variant", "dataset"], sort=False)
    return [history(cell(*map(str, key)), [rows], names) for key, rows in groups]


def planned(chosen: Sequence[Runs], requested: int) -> Planned:
    """The same number of seeds requested of every cell."""
    return {r.cell.key: Requested(r.cell.variant, requested, 0, 1) for r in chosen}


def labels(wrong: np.ndarray, truth: np.ndarray, first_seed: int = 0) -> pd.DataFrame:
    """Predictions that are the truth, or the next digit where wrong. wrong: [n, m] bool; truth: [m]."""
    predicted = np.where(wrong, (truth + 1) % 10, truth).astype(np.uint8)
    return pd.DataFrame(
        {
            "seed": np.arange(len(predicted)) + first_seed,
            "predictions": [row.tobytes() for row in predicted],
        }
    )


def predictions(
    wrong: np.ndarray, truth: np.ndarray = TRUTH, variant: str = "base", first_seed: int = 0
) -> Predictions:
    """Reduced predictions of `labels`."""
    reduced = reduce_predictions(cell(variant), truth, [labels(wrong, truth, first_seed)])
    assert reduced is not None
    return reduced
