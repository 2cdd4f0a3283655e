"""The tables by name: the door for the command line and for notebooks.

    from sweep.analysis import tables
    tables.summary(store.epochs(last_only=True))
    tables.curve(tables.select(store.epochs(), variants=["base"]))

Each takes rows of the store and gives a pandas frame; `attrs["notes"]` says what the frame mixes and
misses.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from sweep.analysis.digits import churn, digits, ensemble, fixes, noise, two_way
from sweep.analysis.format import Column
from sweep.analysis.pairs import pairs
from sweep.analysis.placing import published
from sweep.analysis.runs import COLUMNS, select
from sweep.analysis.summary import curve, precision, summary, wide

__all__ = [
    "COLUMNS",
    "TABLES",
    "Table",
    "churn",
    "curve",
    "digits",
    "ensemble",
    "fixes",
    "noise",
    "pairs",
    "precision",
    "published",
    "select",
    "summary",
    "two_way",
    "wide",
]


@dataclass(frozen=True)
class Table:
    """One line of `TABLES`."""

    make: Callable[
        ..., pd.DataFrame
    ]  # (epochs, *, planned, split, epoch), or (labels, truth) if `needs_labels`
    about: str
    narrow: tuple[Column, ...] | None  # for people; None: all columns
    needs_every_epoch: bool = False  # else the last epochs suffice
    more_from_every_epoch: bool = False  # some columns that are not in `narrow` need every epoch
    needs_labels: bool = False
    limit: int | None = None  # rows shown as text


_VARIANT = Column("variant", "{variant}")
_DATASET = Column("data set", "{dataset}", if_mixed=True)
_STEP = (Column("a", "{a}"), Column("b", "{b}"))


def _placed(key: str, title: str) -> Column:
    return Column(title, f"{{{key}:.0f}}[ ({{{key}_percentile:.0f}} %)]")


TABLES: dict[str, Table] = {
    "summary": Table(
        summary,
        "misses of each variant: mean, interval, spread, beside the published numbers",
        (
            _VARIANT,
            _DATASET,
            Column("n", "{n_ok}"),
            Column("mean", "{mean:.1f}"),
            Column("95 % CI", "{ci_lo:.1f}–{ci_hi:.1f}"),
            Column("sd", "{sd:.1f}"),
            Column("min", "{min:.0f}"),
            Column("median", "{median:.0f}"),
            Column("max", "{max:.0f}"),
            Column("error %", "{mean_err_pct:.2f}"),
            Column("train", "{mean_train_misses:.1f}"),
            _placed("paper", "paper"),
            _placed("karpathy", "Karpathy"),
            _placed("chang", "Chang"),
        ),
        more_from_every_epoch=True,
    ),
    "wide": Table(wide, "one row per seed, one column of misses per variant", None, limit=100),
    "pairs": Table(
        pairs,
        "differences between variants, paired by seed",
        (
            *_STEP,
            _DATASET,
            Column("design", "{design}"),
            Column("n", "{n_a}/{n_b}[ ({n_pairs} pairs)]"),
            Column("b - a", "{diff:+.1f}"),
            Column("95 % CI", "{ci_lo:+.1f} to {ci_hi:+.1f}"),
            Column("r", "{r:.2f}"),
            Column("p (Holm)", "{p_holm:.2g}"),
            Column("p flips", "{p_perm:.2g}"),
            Column("P(b > a)", "{poi:.2f}"),
            Column("p equivalent", "{p_tost:.2g}"),
            Column("finds", "{mdd80:.1f}"),
        ),
    ),
    "curve": Table(
        curve,
        "misses and loss after every epoch",
        (
            _VARIANT,
            _DATASET,
            Column("epoch", "{epoch}"),
            Column("n", "{n_ok}"),
            Column("mean", "{mean:.1f}"),
            Column("95 % CI", "{ci_lo:.1f}–{ci_hi:.1f}"),
            Column("5 %", "{q05:.1f}"),
            Column("median", "{q50:.1f}"),
            Column("95 %", "{q95:.1f}"),
            Column("min", "{min:.0f}"),
            Column("max", "{max:.0f}"),
            Column("loss", "{mean_loss:.4g}"),
        ),
        needs_every_epoch=True,
    ),
    "published": Table(
        published,
        "the paper, Karpathy and Chang placed among the seeds",
        (
            Column("source", "{source}"),
            _VARIANT,
            _DATASET,
            Column("misses", "{misses_exact}"),
            Column("same digits", "{same_data}"),
            Column("ours", "{mean:.1f}"),
            Column("n", "{n}"),
            Column("below/equal/above", "{n_lt}/{n_eq}/{n_gt}"),
            Column("percentile", "{percentile:.0f} %[ ({pct_lo:.0f}–{pct_hi:.0f})]"),
            Column("verdict", "{verdict}"),
        ),
    ),
    "precision": Table(
        precision,
        "what so many seeds can tell apart",
        (
            _VARIANT,
            _DATASET,
            Column("n", "{n}"),
            Column("sd", "{s:.2f}"),
            Column("mean ±", "{halfwidth:.2f}"),
            Column("sd times", "{sd_lo_factor:.2f}–{sd_hi_factor:.2f}"),
            Column("finds, unpaired", "{mdd_unpaired:.2f}"),
            Column("finds, paired", "{mdd_paired:.2f}"),
            Column("seeds needed", "{needed_unpaired}"),
            Column("paired", "{needed_paired}"),
            Column("extrapolated", "{extrapolated}"),
        ),
    ),
    "digits": Table(
        digits,
        "error rate of every test digit over seeds, the hardest first",
        (
            _VARIANT,
            Column("digit", "{index}"),
            Column("is a", "{true}"),
            Column("wrong", "{wrong} of {n}"),
            Column("error rate", "{rate:.2f}"),
            Column("95 % CI", "{rate_lo:.2f}–{rate_hi:.2f}"),
            Column("taken for", "{modal_wrong}"),
            Column("by", "{modal_share:.0%}"),
        ),
        needs_labels=True,
        limit=40,
    ),
    "noise": Table(
        noise,
        "where the spread comes from: seeds, real differences, the choice of test digits",
        (
            _VARIANT,
            Column("n", "{n}"),
            Column("mean", "{mean:.1f}"),
            Column("sd", "{sd:.1f}"),
            Column("binomial sd", "{binom_sd:.1f}"),
            Column("independent sd", "{indep_sd:.1f}"),
            Column("real variance", "{sigma_dist_squared:.1f} ({sigma_dist_lo:.1f} to {sigma_dist_hi:.1f})"),
            Column("test-set sd", "{test_sampling_sd:.1f}"),
            Column("always wrong", "{always_wrong}"),
            Column("never", "{never_wrong}"),
        ),
        needs_labels=True,
    ),
    "churn": Table(
        churn,
        "how many test digits change their label from run to run",
        (
            *_STEP,
            Column("n", "{n_a}/{n_b}"),
            Column("labelled differently", "{churn_labels:.2%}"),
            Column("right and wrong swapped", "{churn:.2%}"),
            Column("same seed", "{same_seed:.2%}"),
            Column("overlap of misses", "{overlap:.2f}"),
        ),
        needs_labels=True,
    ),
    "ensemble": Table(
        ensemble,
        "misses of a vote of k seeds",
        (
            _VARIANT,
            Column("seeds voting", "{size}"),
            Column("mean misses", "{mean:.1f}"),
            Column("5–95 %", "{q05:.0f}–{q95:.0f}"),
            Column("error %", "{err_pct:.2f}"),
            Column("one seed", "{single:.1f}"),
        ),
        needs_labels=True,
    ),
    "fixes": Table(
        fixes,
        "which test digits each change fixes, and which it breaks",
        (
            *_STEP,
            Column("digit", "{index}"),
            Column("is a", "{true}"),
            Column("error rate a", "{rate_a:.2f}"),
            Column("error rate b", "{rate_b:.2f}"),
            Column("change", "{change:+.2f}"),
        ),
        needs_labels=True,
        limit=40,
    ),
    "two-way": Table(
        two_way,
        "differences between variants if the test digits were drawn anew too",
        (
            *_STEP,
            Column("n", "{n_a}/{n_b}"),
            Column("b - a", "{diff:+.1f}"),
            Column("se", "{se_diff_total:.1f}"),
            Column("95 % CI", "{total_lo:+.1f} to {total_hi:+.1f}"),
        ),
        needs_labels=True,
    ),
}
