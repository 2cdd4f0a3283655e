"""What single test digits say: predicted labels of every seed, digit by digit.

Labels of one data set at a time; rows of the store's labels and the true labels of the same digits go in.
Runs that diverged have no predictions and take no part.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sweep.analysis import statistics as st
from sweep.analysis.runs import KEY, Cell

PAIR_MAXIMUM = 1000  # seeds for what costs their square, or many resamples: the first so many are taken
DRAWS = 200  # random committees of each size
SIZES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
CLASSES = 10


@dataclass(frozen=True)
class Answers:
    """What the runs of one cell said about every test digit."""

    cell: Cell
    seeds: np.ndarray  # [n] int64, ascending
    predicted: np.ndarray  # [n, m] uint8
    truth: np.ndarray  # [m] uint8

    @property
    def wrong(self) -> np.ndarray:
        """[n, m] float32, 1 where a run is wrong."""
        return (self.predicted != self.truth).astype(np.float32)

    def first(self, n: int) -> "Answers":
        """Of the first n seeds only."""
        return Answers(self.cell, self.seeds[:n], self.predicted[:n], self.truth)


def answers(labels: pd.DataFrame, truth: np.ndarray) -> list[Answers]:
    """The labels of every cell, as arrays.

    Args:
      labels: `schema.LABELS` and the two digests; one data set.
      truth: [m] true labels of its test digits.

    Raises:
      ValueError: no labels, several data sets, or labels of another number of digits.
    """
    kept = labels[labels["predictions"].notna()]
    if kept.empty:
        raise ValueError("no predicted labels are stored: no run has finished without diverging")
    names = sorted(map(str, kept["dataset"].astype(str).unique()))
    if kept["dataset_digest"].nunique() > 1:
        raise ValueError(f"digits are looked at one data set at a time: choose one of {', '.join(names)}")
    digits = np.asarray(truth, np.uint8)
    found = []
    for key, rows in kept.groupby(KEY, observed=True, sort=False):
        at = rows.sort_values("seed")
        lengths = at["predictions"].map(len)
        if (lengths != len(digits)).any():
            raise ValueError(
                f"{key[0]}: labels of {int(lengths.iloc[0])} test digits, but {names[0]} has {len(digits)}"
            )
        flat = np.frombuffer(b"".join(at["predictions"]), np.uint8)
        cell = Cell(*map(str, key))
        found.append(Answers(cell, at["seed"].to_numpy(np.int64), flat.reshape(len(at), -1), digits))
    return sorted(found, key=lambda a: a.cell.order)


def digits(labels: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """One row per (test digit, cell), hardest digit first: how many seeds get it wrong, and take it for what.

    Args:
      labels, truth: as in `answers`.

    Returns:
      index (position in the test split), true, n (seeds), wrong, rate, rate_lo, rate_hi (Wilson), modal_wrong
      (the commonest wrong label, the smaller at a tie; NA if never wrong), modal_share (of all seeds).
    """
    from statsmodels.stats.proportion import proportion_confint

    blocks, found = [], answers(labels, truth)
    for a in found:
        n, m = a.predicted.shape
        counts = _votes(a.predicted)
        wrong = n - counts[a.truth, np.arange(m)]
        counts[a.truth, np.arange(m)] = -1
        modal = counts.argmax(axis=0)
        most = counts.max(axis=0)
        lo, hi = proportion_confint(wrong, n, method="wilson")
        block = pd.DataFrame(
            {
                "index": np.arange(m),
                "true": a.truth,
                "n": n,
                "wrong": wrong,
                "rate": wrong / n,
                "rate_lo": lo,
                "rate_hi": hi,
                "modal_wrong": pd.array(np.where(wrong > 0, modal, 0), dtype="Int64"),
                "modal_share": np.where(wrong > 0, most / n, 0.0),
            }
        )
        block.loc[block["wrong"] == 0, "modal_wrong"] = pd.NA
        blocks.append(_identified(block, a.cell))
    frame = pd.concat(blocks, ignore_index=True)
    hardness = -frame.groupby("index")["rate"].transform("mean")
    order = np.lexsort((frame["index"], hardness))  # stable: cells stay in the order of the story
    return _noted(frame.iloc[order].reset_index(drop=True), found)


@dataclass(frozen=True)
class Decomposition:
    """Where the variance of the misses over seeds comes from.

    With R seeds, p each digit's error rate over them and v = p(1-p):

      independent   Σv·R/(R-1): errors that fall anew with every seed
      real          (s² - independent)·m/(m-1): real differences in quality between runs; may come out below 0
      floor         m·(variance of p - mean of v/(R-1)): test digits are a sample; more seeds do not remove it

    All three are unbiased.
    """

    variance: float  # s², of the misses
    independent: float
    real: float
    floor: float


def decompose(wrong: np.ndarray) -> Decomposition:
    """wrong: [R, m], 1 where a run is wrong; R ≥ 2."""
    runs, m = wrong.shape
    misses = wrong.sum(axis=1, dtype=np.float64)
    p = wrong.mean(axis=0, dtype=np.float64)
    variance = float(misses.var(ddof=1))
    independent, real, floor = _parts(p, variance, runs, m)
    return Decomposition(variance, float(independent), float(real), float(floor))


def _parts(p: np.ndarray, variance: Any, runs: int, m: int) -> tuple[Any, Any, Any]:
    """The formulas of `Decomposition`. p: [..., m]; variance: [...]."""
    v = p * (1 - p)
    independent = v.sum(axis=-1) * runs / (runs - 1)
    real = (variance - independent) * m / (m - 1)
    floor = m * (p.var(axis=-1, ddof=1) - v.mean(axis=-1) / (runs - 1))
    return independent, real, floor


def noise(labels: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """One row per cell with at least two runs: the decomposition, and what follows from it.

    Args:
      labels, truth: as in `answers`.

    Returns:
      n, n_digits, mean, variance, sd, binom_sd, dispersion, indep_sd, sigma_dist_squared (below 0 when the
      runs differ less than their independent errors would make them), sigma_dist_lo, sigma_dist_hi
      (percentile bootstrap over seeds), floor, test_sampling_sd, se_seed, se_total, churn (share of digits
      that are right in one run and wrong in another, over pairs of runs), churn_labels (share that get
      another label), jaccard (overlap of the wrong digits of two runs), majority_wrong, always_wrong,
      never_wrong (counts of digits).

    Raises:
      ValueError: no cell has two runs.
    """
    found = [a for a in answers(labels, truth) if len(a.seeds) > 1]
    if not found:
        raise ValueError("noise needs two runs of a variant: train more seeds")
    frame = pd.concat(
        [
            _identified(pd.DataFrame([_noise_row(a, np.random.default_rng([1989, 4, i]))]), a.cell)
            for i, a in enumerate(found)
        ],
        ignore_index=True,
    )
    return _noted(frame, found)


def _noise_row(a: Answers, rng: np.random.Generator) -> dict[str, float]:
    wrong = a.wrong
    n, m = wrong.shape
    parts = decompose(wrong)
    mean = float(wrong.sum(dtype=np.float64) / n)
    rate = wrong.mean(axis=0)
    lo, hi = _real_interval(wrong[:PAIR_MAXIMUM], rng)
    binomial = st.binomial_variance(mean, m)
    return {
        "n": n,
        "n_digits": m,
        "mean": mean,
        "variance": parts.variance,
        "sd": math.sqrt(parts.variance),
        "binom_sd": math.sqrt(binomial),
        "dispersion": parts.variance / binomial if binomial > 0 else math.nan,
        "indep_sd": math.sqrt(parts.independent),
        "sigma_dist_squared": parts.real,
        "sigma_dist_lo": lo,
        "sigma_dist_hi": hi,
        "floor": parts.floor,
        "test_sampling_sd": math.sqrt(max(0.0, parts.floor)),
        "se_seed": math.sqrt(parts.variance / n),
        "se_total": math.sqrt(parts.variance / n + max(0.0, parts.floor)),
        "churn": 2 * parts.independent / m,
        "churn_labels": float(_disagreement(a, a)),
        "jaccard": _mean_overlap(wrong[:PAIR_MAXIMUM]),
        "majority_wrong": int((rate > 0.5).sum()),
        "always_wrong": int((rate == 1).sum()),
        "never_wrong": int((rate == 0).sum()),
    }


def _real_interval(wrong: np.ndarray, rng: np.random.Generator) -> st.Interval:
    """Percentile bootstrap over seeds of the variance of real differences."""
    runs, m = wrong.shape
    sometimes = wrong[:, (wrong.sum(axis=0) > 0) & (wrong.sum(axis=0) < runs)]  # others never vary
    misses = wrong.sum(axis=1, dtype=np.float64)
    if sometimes.shape[1] == 0:
        return st.Interval(0.0, 0.0)

    def real(chosen: np.ndarray, axis: int) -> np.ndarray:
        picks = np.moveaxis(chosen, axis, -1).reshape(-1, runs).astype(np.int64)
        weights = np.zeros((len(picks), runs), np.float32)
        np.add.at(weights, (np.arange(len(picks))[:, None], picks), 1.0)
        p = (weights @ sometimes) / runs
        variance = misses[picks].var(axis=-1, ddof=1)
        within = (p * (1 - p)).sum(axis=-1) * runs / (runs - 1)
        return ((variance - within) * m / (m - 1)).reshape(np.moveaxis(chosen, axis, -1).shape[:-1])

    result = stats.bootstrap(
        (np.arange(runs),),
        real,
        n_resamples=st.RESAMPLES,
        batch=st.BATCH,
        method="percentile",
        confidence_level=st.LEVEL,
        vectorized=True,
        rng=rng,
    )
    return st.Interval(*map(float, result.confidence_interval))


def _mean_overlap(wrong: np.ndarray) -> float:
    """Shared wrong digits of two runs over all their wrong digits, mean over pairs; 1 for faultless ones."""
    shared = wrong @ wrong.T
    misses = wrong.sum(axis=1)
    union = misses[:, None] + misses[None, :] - shared
    overlap = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
    return float(overlap[np.triu_indices(len(wrong), 1)].mean())


def _votes(predicted: np.ndarray) -> np.ndarray:
    """[10, m] int64: how many runs give each label to each digit."""
    return np.stack([(predicted == label).sum(axis=0) for label in range(CLASSES)])


def _disagreement(a: Answers, b: Answers) -> float:
    """Mean share of digits that a run of a and another of b label differently, in closed form."""
    agree = (_votes(a.predicted) * _votes(b.predicted)).sum(axis=0)
    n_a, n_b = len(a.seeds), len(b.seeds)
    if a.cell == b.cell:
        return float(1 - ((agree - n_a) / (n_a * (n_a - 1))).mean())
    return float(1 - (agree / (n_a * n_b)).mean())


def churn(labels: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """How much two runs differ digit by digit: within each cell, and between every two cells.

    Args:
      labels, truth: as in `answers`.

    Returns:
      a, b, n_a, n_b, churn_labels (share of digits labelled differently by a run of a and another of b),
      churn (share right in one and wrong in the other), same_seed (churn_labels of runs that share a seed;
      NaN within a cell), overlap (of their wrong digits: expected shared ones over expected wrong ones of
      either).
    """
    found, rows = answers(labels, truth), []
    for a, b in itertools.combinations_with_replacement(found, 2):
        if a is b and len(a.seeds) < 2:
            continue
        n_a, n_b = len(a.seeds), len(b.seeds)
        p, q = a.wrong.mean(axis=0, dtype=np.float64), b.wrong.mean(axis=0, dtype=np.float64)
        both = (n_a * p * p - p) / (n_a - 1) if a is b else p * q  # chance that both are wrong
        seeds, at_a, at_b = np.intersect1d(a.seeds, b.seeds, return_indices=True)
        same = (a.predicted[at_a] != b.predicted[at_b]).mean() if len(seeds) and a is not b else math.nan
        either = (p + q - both).sum()
        rows.append(
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
                "n_a": n_a,
                "n_b": n_b,
                "churn_labels": _disagreement(a, b),
                "churn": float((p + q - 2 * both).mean()),
                "same_seed": float(same),
                "overlap": float(both.sum() / either) if either > 0 else math.nan,
            }
        )
    if not rows:
        raise ValueError("churn needs two runs: train more seeds")
    return _noted(pd.DataFrame(rows), found)


def ensemble(labels: pd.DataFrame, truth: np.ndarray, *, draws: int = DRAWS) -> pd.DataFrame:
    """Misses of a plurality vote of k seeds against k.

    Committees are drawn at random without replacement; a tie goes to the smallest label. All seeds together
    are one committee only. Of more than 1,000 seeds the first 1,000 take part.

    Args:
      labels, truth: as in `answers`.
      draws: committees of each size.

    Returns:
      size, draws, mean, q05, q95, min, max (misses of the committees), err_pct, single (mean misses of one
      run).
    """
    found, rows = answers(labels, truth), []
    for i, whole in enumerate(found):
        a = whole.first(PAIR_MAXIMUM)
        rng = np.random.default_rng([1989, 5, i])
        n, m = a.predicted.shape
        contested = (a.predicted != a.predicted[0]).any(axis=0)  # the others get the same label by any vote
        certain = int((a.predicted[0] != a.truth)[~contested].sum())
        labels_given = a.predicted[:, contested]
        said = np.stack([labels_given == label for label in range(CLASSES)]).astype(np.float32)  # [10, n, k]
        for size in sorted({k for k in SIZES if k < n} | {n}):
            drawn = 1 if size == n else draws
            members = np.zeros((drawn, n), np.float32)
            for row in members:
                row[rng.choice(n, size, replace=False)] = 1
            votes = np.stack([members @ label for label in said])  # [10, drawn, k]
            misses = certain + (votes.argmax(axis=0) != a.truth[contested]).sum(axis=1)
            lo, hi = np.quantile(misses, [0.05, 0.95])
            rows.append(
                _identity(a.cell)
                | {
                    "n": n,
                    "size": size,
                    "draws": drawn,
                    "mean": float(misses.mean()),
                    "q05": float(lo),
                    "q95": float(hi),
                    "min": int(misses.min()),
                    "max": int(misses.max()),
                    "err_pct": 100 * float(misses.mean()) / m,
                    "single": float(a.wrong.sum(dtype=np.float64) / n),
                }
            )
    frame = _noted(pd.DataFrame(rows), found)
    frame.attrs["notes"].append(
        "Plurality vote; a tie goes to the smallest label. Band: 5 to 95 % of committees."
    )
    return frame


def fixes(labels: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """Which digits each step of the story fixes and which it breaks, the most changed first.

    Args:
      labels, truth: as in `answers`.

    Returns:
      One row per (step, digit) that either variant gets wrong at least once: a, b, index, true, rate_a,
      rate_b, change (rate_b - rate_a; below 0 is fixed).

    Raises:
      ValueError: fewer than two variants.
    """
    found, blocks = answers(labels, truth), []
    for a, b in _steps(found):
        p, q = a.wrong.mean(axis=0, dtype=np.float64), b.wrong.mean(axis=0, dtype=np.float64)
        block = pd.DataFrame({"index": np.arange(len(p)), "true": a.truth, "rate_a": p, "rate_b": q})
        block = block[(p > 0) | (q > 0)].assign(change=lambda f: f["rate_b"] - f["rate_a"])
        block.insert(0, "a", a.cell.variant)
        block.insert(1, "b", b.cell.variant)
        order = block["change"].abs().sort_values(ascending=False, kind="stable").index
        blocks.append(block.loc[order].assign(dataset=a.cell.dataset, dataset_digest=a.cell.dataset_digest))
    return _noted(pd.concat(blocks, ignore_index=True), found)


def two_way(labels: pd.DataFrame, truth: np.ndarray) -> pd.DataFrame:
    """Each step's difference with both seeds and test digits drawn anew: what other digits would also show.

    Runs that share a seed stay together where at least half do, else each variant's seeds are drawn apart. Of
    more than 1,000 seeds the first 1,000 take part.

    Args:
      labels, truth: as in `answers`.

    Returns:
      a, b, n_a, n_b, diff (b - a in misses), se_diff_total, total_lo, total_hi (percentile bootstrap).

    Raises:
      ValueError: fewer than two variants.
    """
    found, rows = answers(labels, truth), []
    for i, (a, b) in enumerate(_steps(found)):
        a, b = a.first(PAIR_MAXIMUM), b.first(PAIR_MAXIMUM)
        rng = np.random.default_rng([1989, 6, i])
        _, at_a, at_b = np.intersect1d(a.seeds, b.seeds, return_indices=True)
        if len(at_a) >= min(len(a.seeds), len(b.seeds)) / 2:
            differences = [b.wrong[at_b] - a.wrong[at_a]]
        else:
            differences = [b.wrong, -a.wrong]
        resampled = np.concatenate([_resampled(differences, size, rng) for size in _batches(st.RESAMPLES)])
        lo, hi = np.quantile(resampled, [0.025, 0.975])
        rows.append(
            {
                "a": a.cell.variant,
                "b": b.cell.variant,
                "dataset": a.cell.dataset,
                "dataset_digest": a.cell.dataset_digest,
                "n_a": len(a.seeds),
                "n_b": len(b.seeds),
                "diff": float(sum(d.sum() / len(d) for d in differences)),
                "se_diff_total": float(resampled.std(ddof=1)),
                "total_lo": float(lo),
                "total_hi": float(hi),
            }
        )
    return _noted(pd.DataFrame(rows), found)


def _resampled(differences: list[np.ndarray], size: int, rng: np.random.Generator) -> np.ndarray:
    """[size] total differences, seeds and digits drawn with replacement."""
    m = differences[0].shape[1]
    ever = np.any([(d != 0).any(axis=0) for d in differences], axis=0)  # the others add nothing, drawn or not
    chances = np.append(np.full(ever.sum(), 1 / m), 1 - ever.sum() / m)
    weights = rng.multinomial(m, chances, size)[:, :-1].astype(np.float32)
    total = np.zeros(size)
    for d in (d[:, ever] for d in differences):
        drawn = rng.multinomial(len(d), np.full(len(d), 1 / len(d)), size).astype(np.float32)
        total += ((drawn @ d) * weights).sum(axis=1) / len(d)
    return total


def _batches(total: int) -> list[int]:
    return [min(st.BATCH, total - done) for done in range(0, total, st.BATCH)]


def _steps(found: list[Answers]) -> list[tuple[Answers, Answers]]:
    steps = [(a, b) for a, b in itertools.pairwise(found) if a.cell.recipe == b.cell.recipe]
    if not steps:
        raise ValueError("a comparison needs two variants of one recipe on the same digits")
    return steps


def _identity(cell: Cell) -> dict[str, str]:
    return {name: getattr(cell, name) for name in KEY}


def _identified(block: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    return block.assign(**_identity(cell))[[*KEY, *block.columns]]


def _noted(frame: pd.DataFrame, found: list[Answers]) -> pd.DataFrame:
    cell = found[0].cell
    counts = ", ".join(f"{a.cell.variant} {len(a.seeds)}" for a in found)
    frame.attrs["notes"] = [
        f"{cell.dataset} ({cell.dataset_digest}): {len(found[0].truth):,} test digits. Seeds: {counts}.",
        "Predicted labels after the last epoch, of runs that did not diverge.",
    ]
    return frame
