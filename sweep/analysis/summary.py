"""Tables of single cells: summary, wide, curve, precision."""

import math
from typing import Any

import numpy as np
import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.placing import sources_beside
from sweep.analysis.planned import asked, pending, provisional_note
from sweep.analysis.runs import STUCK, Runs, Split, all_runs, cells, cells_at, describe, runs_of

# Columns that need at least one run that trained, every epoch, or spread; NaN without.
# fmt: off
_LOCATION = (
    "mean", "sd", "se", "ci_lo", "ci_hi", "ci_method", "sd_lo", "sd_hi", "median", "median_lo", "median_hi",
    "iqm", "iqm_lo", "iqm_hi", "min", "min_seed", "q05", "q25", "q75", "q95", "max", "max_seed",
    "mean_err_pct", "mean_train_misses", "sd_train_misses", "mean_train_loss", "mean_test_loss",
)
_BEST_EPOCH = ("own_best_mean", "optimism_mean", "common_best_epoch", "common_best_mean")
_NOISE = (
    "binom_sd", "dispersion", "dispersion_lo", "dispersion_hi", "indep_sd", "sigma_dist", "test_sampling_sd",
    "se_mean_total",
)
# fmt: on

PRECISION_SEEDS = (5, 10, 20, 50, 100, 200, 500, 1000, 5000)


def summary(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
    noise: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per cell: how many runs, where they lie, how they spread, and why.

    The headline is the last epoch. The best epoch of each run is chosen by looking at the test digits; it
    appears only as `optimism_mean`, how much that choice flatters. Location and spread are of the runs that
    trained; diverged ones are counted apart.

    Args:
      epochs: rows of the store. With every epoch the columns on the best epoch are filled, with the last
      they
        are NaN.
      planned: what was asked for, see `planned.requested`.
      split: whose misses.
      epoch: from 1; None: the last.
      noise: `digits.noise` of the same runs; fills `indep_sd` and `sigma_dist` and replaces the estimated
        test-set variance.

    Returns:
      Columns as in `_row`; misses are counts, rates and errors fractions or, with `pct`, %.
      `attrs["notes"]` says what the table mixes.

    Raises:
      ValueError: nothing to summarise.
    """
    found = cells_at(epochs, epoch)
    runs = [runs_of(cell, rows, epoch) for cell, rows in found]
    frame = pd.DataFrame([_row(r, split, planned, noise, number) for number, r in enumerate(runs)])
    if epoch is None:
        best = [_best_epochs(rows, r, split) for (_, rows), r in zip(found, runs, strict=True)]
        frame[list(_BEST_EPOCH)] = pd.DataFrame(best)[list(_BEST_EPOCH)]
    frame.attrs["notes"] = [*provisional_note(planned, runs), *describe(runs)]
    return frame


def _row(
    runs: Runs, split: Split, planned: pd.DataFrame | None, noise: pd.DataFrame | None, number: int
) -> dict[str, Any]:
    x, m, n = runs.misses(split), runs.sizes[split], runs.n
    total = n + len(runs.diverged)
    divergence = st.rate_interval(len(runs.diverged), total)
    waiting, wanted = pending(planned, runs), asked(planned, runs.cell)
    row: dict[str, Any] = {
        "variant": runs.cell.variant,
        "recipe": runs.cell.recipe,
        "dataset": runs.cell.dataset,
        "variant_digest": runs.cell.variant_digest,
        "dataset_digest": runs.cell.dataset_digest,
        "engine": runs.engine,
        "device": runs.device,
        "code": runs.code,
        "split": split,
        "n_digits": m,
        "epoch": runs.epoch,
        "epochs": runs.epochs,
        "n_requested": _whole(wanted.get("n_requested")),
        "n_ok": n,
        "n_diverged": len(runs.diverged),
        "n_failed": _whole(wanted.get("n_failed")),
        "n_pending": _whole(waiting),
        "look_no": _whole(wanted.get("look_no")),
        "provisional": bool(waiting),
        "diverged_rate": len(runs.diverged) / total,
        "diverged_lo": divergence.lo,
        "diverged_hi": divergence.hi,
    }
    row |= dict.fromkeys(_LOCATION, np.nan) | {"ci_method": "", "min_seed": pd.NA, "max_seed": pd.NA}
    row |= dict.fromkeys((*_BEST_EPOCH, *_NOISE), np.nan)
    row |= {"n_stuck": 0, "note": "no run trained"} | sources_beside(runs, split)
    if n:
        row |= _location(runs, split, np.random.default_rng([1989, 1, number])) | _noise(runs, split, noise)
        row["n_stuck"] = stuck = int(np.sum(x > STUCK * m))
        row["note"] = "; ".join(_remarks(x, stuck, total))
    return row


def _location(runs: Runs, split: Split, rng: np.random.Generator) -> dict[str, Any]:
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


def _noise(runs: Runs, split: Split, noise: pd.DataFrame | None) -> dict[str, float]:
    x, m = runs.misses(split), runs.sizes[split]
    mean, variance = float(np.mean(x)), st.sd(x) ** 2
    floor = st.test_set_floor(mean, variance, m) if len(x) > 1 else math.nan
    row = {"indep_sd": math.nan, "sigma_dist": math.nan}
    if noise is not None and split == "test":
        mine = noise[
            (noise["variant_digest"] == runs.cell.variant_digest)
            & (noise["dataset_digest"] == runs.cell.dataset_digest)
        ]
        if len(mine):
            floor = float(mine["floor"].iloc[0])
            row = {
                "indep_sd": float(mine["indep_sd"].iloc[0]),
                "sigma_dist": math.sqrt(max(0.0, float(mine["sigma_dist_squared"].iloc[0]))),
            }
    ratio = st.dispersion(x, m)
    return row | {
        "binom_sd": math.sqrt(st.binomial_variance(mean, m)),
        "dispersion": ratio.ratio,
        "dispersion_lo": ratio.lo,
        "dispersion_hi": ratio.hi,
        "test_sampling_sd": math.sqrt(max(0.0, floor)),
        "se_mean_total": math.sqrt(variance / len(x) + max(0.0, floor)),
    }


def _remarks(x: np.ndarray, stuck: int, total: int) -> list[str]:
    remarks = []
    if len(x) == 1:
        remarks.append("one run: no interval")
    elif np.ptp(x) == 0:
        remarks.append("constant")
    if stuck:
        remarks.append(f"{stuck} of {total} stuck above 50 % error")
    return remarks


def _best_epochs(rows: pd.DataFrame, runs: Runs, split: Split) -> dict[str, float]:
    """How much choosing the epoch by these very misses flatters, over the runs that trained to the end."""
    if runs.n == 0 or int(rows["epoch"].min()) == runs.epoch:
        return dict.fromkeys(_BEST_EPOCH, math.nan)
    mine = rows[~rows["seed"].isin(runs.diverged)] if len(runs.diverged) else rows
    misses = mine[f"{split}_misses"].astype(np.float32)  # exact for counts, and half the memory
    own_best = float(misses.groupby(mine["seed"], sort=False).min().astype(np.float64).mean())
    by_epoch = misses.groupby(mine["epoch"]).sum().astype(np.float64) / runs.n
    common = int(by_epoch.to_numpy().argmin())
    return {
        "own_best_mean": own_best,
        "optimism_mean": float(np.mean(runs.misses(split))) - own_best,
        "common_best_epoch": float(by_epoch.index[common]),
        "common_best_mean": float(by_epoch.iloc[common]),
    }


def _whole(number: int | None) -> Any:
    return pd.NA if number is None else number


def wide(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
) -> pd.DataFrame:
    """One row per (data set, seed), a pair of columns per variant: its misses and its status.

    Missing and diverged runs are NA, never 0. `n_ok` counts the variants that trained.

    Raises:
      ValueError: nothing to show.
    """
    runs = all_runs(epochs, epoch)
    blocks = []
    for digest in dict.fromkeys(r.cell.dataset_digest for r in runs):
        mine = [r for r in runs if r.cell.dataset_digest == digest]
        columns: dict[str, pd.Series] = {}
        for r in mine:
            seeds = pd.Index(np.concatenate([r.seeds, r.diverged]), name="seed")
            misses = pd.array([*r.misses(split).astype(int), *[pd.NA] * len(r.diverged)], dtype="Int64")
            status = ["ok"] * r.n + ["diverged"] * len(r.diverged)
            columns[f"{r.cell.variant}_misses"] = pd.Series(misses, index=seeds)
            columns[f"{r.cell.variant}_status"] = pd.Series(status, index=seeds, dtype="object")
        block = pd.DataFrame(columns).sort_index()
        status_columns = [f"{r.cell.variant}_status" for r in mine]
        block["n_ok"] = (block[status_columns] == "ok").sum(axis=1)
        block.insert(0, "dataset", mine[0].cell.dataset)
        block.insert(1, "dataset_digest", digest)
        blocks.append(block.reset_index())
    frame = pd.concat(blocks, ignore_index=True)
    frame.insert(2, "seed", frame.pop("seed"))
    frame.insert(len(frame.columns) - 1, "n_ok", frame.pop("n_ok"))
    frame.attrs["notes"] = [*provisional_note(planned, runs), *describe(runs)]
    return frame


def curve(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
) -> pd.DataFrame:
    """One row per (cell, epoch): misses and loss over the runs still trained at that epoch.

    The bands are pointwise: a run inside the band at one epoch may be outside at the next.

    Args:
      epochs: rows of the store, every epoch.
      planned: see `summary`.
      split: whose misses and loss.
      epoch: only this one; None: all.

    Raises:
      ValueError: nothing to show.
    """
    runs = all_runs(epochs, epoch)
    misses, loss = f"{split}_misses", f"{split}_loss"
    blocks = []
    for cell, rows in cells(epochs):
        ok = rows[rows["status"] == "ok"]
        values = ok[[misses, loss]].astype(np.float64).groupby(ok["epoch"], sort=True)
        columns: dict[str, Any] = {"n_ok": values.size(), "mean": values[misses].mean()}
        n, spread = columns["n_ok"], values[misses].std()
        half = st.stats.t.ppf(1 - st.ALPHA / 2, np.maximum(n - 1, 1)) * spread / np.sqrt(n)
        columns |= {"ci_lo": columns["mean"] - half, "ci_hi": columns["mean"] + half}
        levels = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
        q = values[misses].quantile(list(levels.values())).unstack()  # type: ignore[arg-type]
        columns |= {name: q[level] for name, level in levels.items()} if len(q) else {}
        columns |= {
            "min": values[misses].min(),
            "max": values[misses].max(),
            "mean_loss": values[loss].mean(),
        }
        q = values[loss].quantile([0.05, 0.5, 0.95]).unstack()  # type: ignore[arg-type]
        columns |= {f"{name}_loss": q[levels[name]] for name in ("q05", "q50", "q95")} if len(q) else {}
        block = pd.DataFrame(columns).reset_index()
        identity = {
            "variant": cell.variant,
            "recipe": cell.recipe,
            "dataset": cell.dataset,
            "variant_digest": cell.variant_digest,
            "dataset_digest": cell.dataset_digest,
            "split": split,
        }
        blocks.append(block.assign(**identity)[[*identity, *block]])
    frame = pd.concat(blocks, ignore_index=True)
    if epoch is not None:
        frame = frame[frame["epoch"] == epoch].reset_index(drop=True)
    frame.attrs["notes"] = [*provisional_note(planned, runs), *describe(runs), "Bands are pointwise."]
    return frame


def precision(
    epochs: pd.DataFrame,
    *,
    planned: pd.DataFrame | None = None,
    split: Split = "test",
    epoch: int | None = None,
    r: float = 0.5,
    delta: float = 3.0,
) -> pd.DataFrame:
    """What the seeds so far allow to say, and what more seeds would.

    Args:
      epochs, planned, split, epoch: as in `summary`.
      r: correlation over seeds assumed for paired comparisons.
      delta: difference in misses that one wants to find, for `needed_unpaired` and `needed_paired`.

    Returns:
      variant …, n, s, halfwidth (of the t interval of the mean), sd_lo_factor, sd_hi_factor (of the
      interval of the standard deviation), mdd_unpaired, mdd_paired (smallest true difference found with 80
      % power at 5 %), needed_unpaired, needed_paired (seeds of each variant to find delta), extrapolated
      (not the n there is).

    Raises:
      ValueError: every cell has a single run.
    """
    runs = all_runs(epochs, epoch)
    rows = []
    for one in runs:
        s = st.sd(one.misses(split))
        if not s > 0:
            continue
        for n in sorted({one.n, *PRECISION_SEEDS}):
            factors = st.sd_factors(n)
            rows.append(
                {
                    "variant": one.cell.variant,
                    "recipe": one.cell.recipe,
                    "dataset": one.cell.dataset,
                    "variant_digest": one.cell.variant_digest,
                    "dataset_digest": one.cell.dataset_digest,
                    "split": split,
                    "n": n,
                    "s": s,
                    "halfwidth": st.half_width(s, n),
                    "sd_lo_factor": factors.lo,
                    "sd_hi_factor": factors.hi,
                    "mdd_unpaired": st.detectable_difference(s, n),
                    "mdd_paired": st.detectable_difference(s, n, r),
                    "needed_unpaired": st.seeds_needed(delta, s),
                    "needed_paired": st.seeds_needed(delta, s, r),
                    "extrapolated": n != one.n,
                }
            )
    if not rows:
        raise ValueError("precision needs two runs that differ: train more seeds")
    frame = pd.DataFrame(rows)
    frame.attrs["notes"] = [
        *provisional_note(planned, runs),
        *describe(runs),
        f"Paired: r = {r:g} assumed. Seeds needed to find {delta:g} misses with 80 % power at 5 %. "
        "Rows at other n than the present one take its sd as the truth.",
    ]
    return frame
