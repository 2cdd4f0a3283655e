"""The sentences of the report: its answer, definitions and limitations."""

from collections.abc import Sequence

import pandas as pd

from sweep.analysis import statistics as st
from sweep.analysis.planned import Planned, provisional_note
from sweep.analysis.published import numbers_for, published_numbers
from sweep.analysis.runs import Runs
from sweep.analysis.tables.pairs import MARGIN
from sweep.analysis.tables.placement import placement_columns


def answer(runs: Sequence[Runs], numbers: str | None = None) -> str:
    """The answer to the question how much the seed matters, in one or two sentences."""
    several = [r for r in runs if r.n > 1]
    if not several:
        return "One run per variant: train more seeds to see how much the seed matters."
    spreads = [st.sd(r.misses("test")) for r in several]
    shares = [
        100 * s / max(1.0, float(r.misses("test").mean())) for s, r in zip(spreads, several, strict=True)
    ]
    sizes = " or ".join(f"{size:,}" for size in sorted({r.sizes["test"] for r in several}))
    sentence = (
        f"Changing only the seed moves the test misses by {_range(spreads, 1)} of {sizes} digits "
        f"(one standard deviation), {_range(shares, 0)}\u00a0% of the mean."
    )
    known = published_numbers(numbers)
    inside, total = 0, 0
    for r in several:
        for number in (n for n in numbers_for(r, "test", known) if not n.differences(r.cell)):
            row = placement_columns(r, "test", number.misses)
            same = number.same_digits(r.cell) == "yes"
            low, high = (row["pred_lo"], row["pred_hi"]) if same else (row["newdata_lo"], row["newdata_hi"])
            total += 1
            inside += low <= number.misses <= high
    if not total:
        return sentence
    return (
        f"{sentence} {inside} of {total} published reproductions lie within the 95\u00a0% prediction interval for "
        "a new seed, with a new test set where their digits differ from these."
    )


def _range(values: Sequence[float], places: int) -> str:
    low, high = f"{min(values):.{places}f}", f"{max(values):.{places}f}"
    return low if low == high else f"{low} to {high}"


def definitions() -> dict[str, str]:
    """The terms of the tables."""
    return {
        "misses": "Misclassified digits after the last epoch. Error is misses over digits.",
        "95 % CI": "Student's t interval of the mean over seeds: how precisely this mean is known on these test "
        "digits. Most single runs lie outside it.",
        "sd": "Standard deviation over seeds, n - 1 in the denominator.",
        "percentile": "Share of seeds with fewer misses plus half of those with as many; Clopper-Pearson interval. "
        "In the summary from 40 seeds on.",
        "prediction interval for a new seed (and test set)": "The range of 95 % of further runs on these digits. "
        "Where a published run used other digits, the interval also allows for another test set of this size.",
        "p (Holm), sign-flip p": "Paired t test where runs share their seeds, else Welch's, adjusted over "
        "all comparisons of the table; and the exact or sampled sign-flip test without adjustment.",
        "p (equivalence)": f"Two one-sided t tests: small values support a difference within ±{MARGIN:g} misses.",
        "MDE (80 % power)": "Minimum detectable effect: the smallest true difference that this number of seeds "
        "detects with 80 % power at the 5 % level.",
        "independent sd, variance between runs, test-set sd": "With p the error rate of each test digit over R "
        "seeds, Σp(1-p)·R/(R-1) is the part of the variance over seeds that independent errors cause. The rest is "
        "variance between runs; its unbiased estimate may be negative. The variance of p over digits gives the "
        "effect of another test set.",
    }


def limitations(runs: Sequence[Runs], noise: pd.DataFrame | None, planned: Planned | None) -> list[str]:
    """The limitations of the results."""
    found = [
        "The intervals are over seeds, on these test digits. They do not describe other digits"
        + _floor(noise)
        + ".",
        "Each published number is a single seed, often on other digits, and was known before this sweep. Its "
        "percentile describes it; it neither confirms nor refutes a result.",
        "Each variant changes several things at once (loss and output; optimiser and epochs; unit and dropout). A "
        "difference belongs to the whole change.",
        "A difference that is not significant may still exist: see its interval and the MDE.",
        "The best epoch of a run is chosen on its test digits and is biased; the result is the last epoch.",
        "Hyperparameters are those of the reproductions, tuned by their authors on these digits or similar ones. "
        "Other values may rank the variants differently.",
    ]
    if any(len(r.diverged) for r in runs):
        found.append(
            "Diverged runs are not in means and standard deviations. A variant that diverges often is worse than its "
            "mean."
        )
    if any(" + " in value for r in runs for value in (r.device, r.engine, r.code)):
        found.append(
            "Runs of several devices, engines or versions are mixed. Their distributions agree, but the misses of a "
            "single seed may differ between them."
        )
    if provisional_note(planned, runs):
        found.append(
            "The sweep is not complete. Repeated looks that stop at the first significant difference find some "
            "that do not exist: six looks raise 5 % to 20 %."
        )
    return found


def _floor(noise: pd.DataFrame | None) -> str:
    if noise is None:
        return ""
    pairs = zip(noise["variant"], noise["test_sampling_sd"], strict=True)
    return (
        "; another test set would move each mean by about "
        + ", ".join(f"{s:.0f} ({v})" for v, s in pairs)
        + " misses"
    )
