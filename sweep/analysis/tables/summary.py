"""Table `summary`: one row per cell, with counts, location, spread, noise and the published numbers."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.history import MISSES, History
from sweep.analysis.names import SplitName
from sweep.analysis.planned import Planned, pending, provisional_note
from sweep.analysis.published import PublishedNumber, numbers_for, published_numbers
from sweep.analysis.runs import Runs, describe
from sweep.analysis.selection import Selection
from sweep.analysis.tables.format import Column
from sweep.analysis.tables.noise import make as noise_of
from sweep.analysis.tables.noise import row_of
from sweep.analysis.tables.table import DATASET, VARIANT, Table

# Columns that need a run that did not diverge, every epoch, or spread; NaN without.
# fmt: off
_LOCATION = (
    "mean", "sd", "se", "ci_lo", "ci_hi", "ci_method", "sd_lo", "sd_hi", "median", "median_lo", "median_hi",
    "iqm", "iqm_lo", "iqm_hi", "min", "min_seed", "q05", "q25", "q75", "q95", "max", "max_seed",
    "mean_err_pct", "mean_train_misses", "sd_train_misses", "mean_train_loss", "mean_test_loss",
)
_BEST_EPOCH = ("own_best_mean", "optimism_mean", "common_best_epoch", "common_best_mean")
_NOISE = (
    "binom_sd", "dispersion", "dispersion_lo", "dispersion_hi", "indep_sd", "sigma_dist", "sigma_dist_squared",
    "test_sampling_sd", "se_mean_total",
)
# fmt: on
_BESIDE = ("paper", "karpathy", "chang")  # sources with separate columns


def make(
    data: Selection,
    *,
    split: SplitName = "test",
    epoch: int | None = None,
    noise: bool = False,
    numbers: str | None = None,
    full: bool = True,
) -> pd.DataFrame:
    """The table of a selection; `full` reads every epoch for the columns on the best epoch."""
    every = full and epoch is None and data.every_epoch
    return summary(
        data.runs(epoch),
        histories=data.histories(MISSES[split]) if every else (),
        planned=data.planned,
        split=split,
        noise=noise_of(data) if noise else None,
        numbers=published_numbers(numbers),
    )


def summary(
    runs: Sequence[Runs],
    *,
    histories: Iterable[History] = (),
    planned: Planned | None = None,
    split: SplitName = "test",
    noise: pd.DataFrame | None = None,
    numbers: Iterable[PublishedNumber] | None = None,
) -> pd.DataFrame:
    """One row per cell: number of runs, location, spread, and its parts.

    The result is the last epoch. The best epoch of each run is chosen on the test digits; it appears only as
    `optimism_mean`, the bias of that choice. Location and spread are over the runs that did not diverge.

    Args:
      runs: of each cell.
      histories: of the same cells; fill the columns on the best epoch, which are NaN without.
      planned: what the recorded sweeps request.
      split: whose misses.
      noise: `noise.noise_table` of the same runs; fills `indep_sd`, `sigma_dist` and `sigma_dist_squared` and
        replaces the test-set variance estimated from counts.
      numbers: published numbers; None for the known ones.

    Returns:
      Columns as in `_row`. Misses are counts, rates are fractions, columns with `pct` are in %.
    """
    frame = pd.DataFrame([_row(r, split, planned, noise, number) for number, r in enumerate(runs)])
    frame = frame.join(pd.DataFrame([_published(r, split, numbers) for r in runs]))
    best = {h.cell: _best_epochs(h.misses(split)) for h in histories}
    for i, r in enumerate(runs):
        if r.cell in best:
            frame.loc[i, list(_BEST_EPOCH)] = best[r.cell]
    frame.attrs["notes"] = [*provisional_note(planned, runs), *describe(runs, split)]
    return frame


def _row(
    runs: Runs, split: SplitName, planned: Planned | None, noise: pd.DataFrame | None, number: int
) -> dict[str, Any]:
    total = runs.total
    divergence = st.rate_interval(len(runs.diverged), total)
    waiting, wanted = pending(planned, runs), (planned or {}).get(runs.cell.key)
    row: dict[str, Any] = {
        **runs.cell.columns,
        "engine": runs.engine,
        "device": runs.device,
        "code": runs.code,
        "split": split,
        "n_digits": runs.sizes[split],
        "epoch": runs.epoch,
        "epochs": runs.epochs,
        "n_requested": wanted.seeds if wanted else pd.NA,
        "n_ok": runs.n,
        "n_diverged": len(runs.diverged),
        "n_failed": wanted.failed if wanted else pd.NA,
        "n_pending": pd.NA if waiting is None else waiting,
        "look_no": wanted.looks if wanted else pd.NA,
        "provisional": bool(waiting),
        "diverged_rate": len(runs.diverged) / total,
        "diverged_lo": divergence.lo,
        "diverged_hi": divergence.hi,
    }
    row |= dict.fromkeys(_LOCATION, np.nan) | {"ci_method": "", "min_seed": pd.NA, "max_seed": pd.NA}
    row |= dict.fromkeys((*_BEST_EPOCH, *_NOISE), np.nan)
    row |= {"n_stuck": 0, "note": "every run diverged", "warning": "; ".join(_warnings(runs, split))}
    if runs.n:
        row |= _location(runs, split, np.random.default_rng([1989, 1, number])) | _noise(runs, split, noise)
        row["n_stuck"] = runs.stuck(split)
        row["note"] = "; ".join([*_remarks(runs.misses(split)), *_warnings(runs, split)])
    return row


def _location(runs: Runs, split: SplitName, rng: np.random.Generator) -> dict[str, Any]:
    x, train = runs.misses(split), runs.misses("train")
    mean, spread = float(np.mean(x)), st.sd(x)
    mean_ci, sd_ci, median_ci = st.mean_interval(x), st.sd_interval(x), st.median_interval(x)
    iqm_ci = st.interquartile_mean_interval(x, rng)
    q05, q25, median, q75, q95 = st.quantiles(x, [0.05, 0.25, 0.5, 0.75, 0.95])
    return {
        "mean": mean,
        "sd": spread,
        "se": spread / math.sqrt(len(x)),
        "ci_lo": mean_ci.lo,
        "ci_hi": mean_ci.hi,
        "ci_method": "t" if len(x) > 1 else "",
        "sd_lo": sd_ci.lo,
        "sd_hi": sd_ci.hi,
        "median": median,
        "median_lo": median_ci.lo,
        "median_hi": median_ci.hi,
        "iqm": st.interquartile_mean(x),
        "iqm_lo": iqm_ci.lo,
        "iqm_hi": iqm_ci.hi,
        "min": int(x.min()),
        "min_seed": int(runs.seeds[x.argmin()]),
        "q05": q05,
        "q25": q25,
        "q75": q75,
        "q95": q95,
        "max": int(x.max()),
        "max_seed": int(runs.seeds[x.argmax()]),
        "mean_err_pct": 100 * mean / runs.sizes[split],
        "mean_train_misses": float(np.mean(train)),
        "sd_train_misses": st.sd(train),
        "mean_train_loss": runs.mean_loss("train"),
        "mean_test_loss": runs.mean_loss("test"),
    }


def _noise(runs: Runs, split: SplitName, noise: pd.DataFrame | None) -> dict[str, float]:
    x, m = runs.misses(split), runs.sizes[split]
    mean, variance = float(np.mean(x)), st.sd(x) ** 2
    test_set = st.test_set_variance(mean, variance, m) if len(x) > 1 else math.nan
    row: dict[str, float] = {}
    mine = row_of(noise, runs.cell) if split == "test" else None
    if mine is not None:
        test_set = max(0.0, mine["floor"])
        row = {
            "indep_sd": mine["indep_sd"],
            "sigma_dist": math.sqrt(max(0.0, mine["sigma_dist_squared"])),
            "sigma_dist_squared": mine["sigma_dist_squared"],
        }
    ratio = st.dispersion(x, m)
    return row | {
        "binom_sd": math.sqrt(st.binomial_variance(mean, m)),
        "dispersion": ratio.ratio,
        "dispersion_lo": ratio.lo,
        "dispersion_hi": ratio.hi,
        "test_sampling_sd": math.sqrt(test_set),
        "se_mean_total": math.sqrt(variance / len(x) + test_set),
    }


def _remarks(x: np.ndarray) -> list[str]:
    if len(x) == 1:
        return ["one run: no interval"]
    return ["constant"] if np.ptp(x) == 0 else []


def _warnings(runs: Runs, split: SplitName) -> list[str]:
    found = {"not learning (> 50 % error)": runs.stuck(split), "diverged": len(runs.diverged)}
    return [f"{count} of {runs.total} {what}" for what, count in found.items() if count]


def _best_epochs(misses: np.ndarray) -> list[float]:
    """The values of `_BEST_EPOCH`, over the runs that did not diverge. misses: [n, epochs]."""
    trained = misses[~np.isnan(misses[:, -1])].astype(np.float64)
    if len(trained) == 0 or misses.shape[1] == 1:
        return [math.nan] * len(_BEST_EPOCH)
    own_best = float(trained.min(axis=1).mean())
    by_epoch = trained.mean(axis=0)
    common = int(by_epoch.argmin())
    return [own_best, float(by_epoch[-1]) - own_best, common + 1, float(by_epoch[common])]


def _published(
    runs: Runs, split: SplitName, numbers: Iterable[PublishedNumber] | None
) -> dict[str, float | str]:
    """Misses of each source, and their percentile from 40 seeds trained alike; other sources together as text."""
    x = runs.all_misses(split)
    row: dict[str, float | str] = {}
    for key in _BESIDE:
        row |= {key: math.nan, f"{key}_percentile": math.nan}
    more: dict[str, list[str]] = {"others": [], "yours": []}
    for number in numbers_for(runs, split, numbers):
        enough = runs.n and len(x) >= st.RANK_MINIMUM and not number.differences(runs.cell)
        percentile = 100 * float(np.mean(x < number.misses) + np.mean(x == number.misses) / 2)
        if number.source.key in _BESIDE:
            row[number.source.key] = float(number.misses)
            row[f"{number.source.key}_percentile"] = percentile if enough else math.nan
        else:
            rank = f" ({percentile:.0f} %)" if enough else ""
            group = "yours" if number.source.users else "others"
            more[group].append(f"{number.source.name} {number.misses}{rank}")
    return row | {group: "; ".join(texts) for group, texts in more.items()}


def _beside(key: str, title: str) -> Column:
    return Column(title, f"{{{key}:.0f}}[ ({{{key}_percentile:.0f}} %)]", "if_known")


TABLE = Table(
    make,
    (
        VARIANT,
        DATASET,
        Column("n", "{n_ok}"),
        Column("mean", "{mean:.1f}"),
        Column("95 % CI", "{ci_lo:.1f}–{ci_hi:.1f}"),
        Column("sd", "{sd:.1f}"),
        Column("min", "{min:.0f}"),
        Column("median", "{median:.1f}"),
        Column("max", "{max:.0f}"),
        Column("error %", "{mean_err_pct:.2f}"),
        Column("train", "{mean_train_misses:.1f}"),
        *(_beside(key, title) for key, title in zip(_BESIDE, ("paper", "Karpathy", "Chang"), strict=True)),
        Column("yours", "{yours}", "if_known"),
        Column("warning", "{warning}", "if_known"),
    ),
)
