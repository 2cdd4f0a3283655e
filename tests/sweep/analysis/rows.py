"""Rows as the store gives them, from chosen misses. The oracle samples of the specification."""

import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

A = np.array([82, 74, 90, 79, 85, 88, 77, 81, 93, 84], float)
B = np.array([87, 78, 90, 83, 84, 95, 80, 88, 96, 89], float)
C = np.array([71, 69, 75, 68, 77, 72, 66, 73, 80, 70], float)
X200 = np.rint(83 + 6 * norm.ppf((np.arange(200) + 0.5) / 200))

WRONG = np.array(  # [seed, test digit], 1 = wrongly classified
    [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0, 0],
    ],
    bool,
)

TEXTS = [
    "variant",
    "recipe",
    "dataset",
    "status",
    "variant_digest",
    "dataset_digest",
    "engine",
    "device",
    "code",
]


def digest(name: str) -> str:
    """Eight hex digits that stand for a variant's or a data set's."""
    return f"{zlib.crc32(name.encode()):08x}"


def epochs(
    misses: Mapping[str, Sequence[float] | Sequence[Sequence[float]] | np.ndarray],
    *,
    dataset: str = "mnist",
    device: str = "cpu",
    code: str = "0.1.0+00000000",
    first_seed: int = 0,
    diverged: Mapping[str, Collection[int]] | None = None,
    sizes: tuple[int, int] = (7291, 2007),
) -> pd.DataFrame:
    """One row per (variant, seed, epoch).

    misses: of each variant, [n] for one epoch or [n, epochs]; diverged: seeds of each variant.
    """
    blocks = []
    for variant, values in misses.items():
        table = np.asarray(values, float)
        table = table[:, None] if table.ndim == 1 else table
        n, last = table.shape
        seeds = np.repeat(np.arange(n) + first_seed, last)
        broken = np.isin(seeds, list((diverged or {}).get(variant, ())))
        flat = np.where(broken, np.nan, table.ravel())
        block = pd.DataFrame(
            {
                "variant": variant,
                "recipe": variant.partition(",")[0].partition("@")[2] or "flax",
                "dataset": dataset,
                "seed": seeds,
                "epoch": np.tile(np.arange(1, last + 1, dtype=np.int32), n),
                "learning_rate": np.float32(0.03),
                "status": np.where(broken, "diverged", "ok"),
                "variant_digest": digest(variant),
                "dataset_digest": digest(dataset),
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
            block[f"{split}_error"] = (counts / size).astype(np.float32)
            block[f"{split}_loss"] = (counts / size * 2).astype(np.float32)
        blocks.append(block)
    frame = pd.concat(blocks, ignore_index=True)
    return frame.astype(dict.fromkeys(TEXTS, "category"))


def planned(frame: pd.DataFrame, requested: int) -> pd.DataFrame:
    """As many seeds asked for of every cell of the frame."""
    keys = ["variant", "variant_digest", "dataset", "dataset_digest"]
    return frame[keys].astype(str).drop_duplicates().assign(n_requested=requested, n_failed=0, look_no=1)


def labels(wrong: np.ndarray, truth: np.ndarray, variant: str = "base", first_seed: int = 0) -> pd.DataFrame:
    """Predictions that are the truth, or the next digit where wrong. wrong: [n, m] bool; truth: [m]."""
    predicted = np.where(wrong, (truth + 1) % 10, truth).astype(np.uint8)
    return pd.DataFrame(
        {
            "variant": variant,
            "recipe": "flax",
            "dataset": "mnist",
            "variant_digest": digest(variant),
            "dataset_digest": digest("mnist"),
            "seed": np.arange(len(predicted)) + first_seed,
            "predictions": [row.tobytes() for row in predicted],
        }
    )
