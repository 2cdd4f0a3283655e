"""Decisions on differences while a sweep grows, with the error rates controlled over the looks.

The looks are at 16, 32, 64, 128 … seeds. Look k tests at the level 5 % / (k (k + 1)). These levels sum to at most
5 % over any number of looks, so no maximum has to be declared: alpha spending with the union bound over the looks
(Lan and DeMets, Biometrika 70, 1983, spend it with the joint distribution, which gains little here). Within a look
Holm's method corrects for the comparisons. In the whole sweep the probability of a false "larger" or "smaller" is at
most 5 %, for any dependence of the looks and of the comparisons. So is the probability of a false "equivalent", which
is false where the difference reaches the margin.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from sweep.analysis.statistics.differences import holm
from sweep.analysis.statistics.sample import ALPHA, Sample

FIRST_LOOK = 16  # seeds
UNDECIDED = "undecided"


class Pair(NamedTuple):
    """Misses of two variants by ascending seed: [n] and [m] float64; n = m and the same seeds if paired."""

    a: Sample
    b: Sample
    paired: bool

    @property
    def n(self) -> int:
        """Seeds of each variant."""
        return min(len(self.a), len(self.b))


class Decision(NamedTuple):
    """The decision on one pair, b against a."""

    verdict: str  # "larger", "smaller", "equivalent" or "undecided"
    seeds: int  # of each variant at the look that decided, or at the last look; 0 before the first one
    diff: float  # mean of b less mean of a at that look
    p: float  # Holm-adjusted p value of the difference at that look
    p_equivalent: float  # the same of the test for equivalence
    level: float  # of that look


def looks(n: int) -> list[int]:
    """Numbers of seeds, up to n, after which the results are tested."""
    sizes = []
    size = FIRST_LOOK
    while size <= n:
        sizes.append(size)
        size *= 2
    return sizes


def level(look: int) -> float:
    """Significance level of a look, numbered from 1."""
    return ALPHA / (look * (look + 1))


def decide(pairs: Sequence[Pair], margin: float) -> list[Decision]:
    """The first decision on each pair over all looks.

    Args:
      pairs: of one family; their number does not depend on the results.
      margin: misses within which two variants are equivalent.

    Returns:
      One decision per pair. A pair with fewer seeds than the others is undecided at the looks that it lacks.
    """
    found = [Decision(UNDECIDED, 0, np.nan, np.nan, np.nan, np.nan) for _ in pairs]
    for k, size in enumerate(looks(max((pair.n for pair in pairs), default=0)), start=1):
        tests = [_tests(pair, size, margin) for pair in pairs]
        different = holm(np.array([p for p, _ in tests]))
        equivalent = holm(np.array([p for _, p in tests]))
        for i, pair in enumerate(pairs):
            if found[i].verdict != UNDECIDED or pair.n < size:
                continue
            diff = float(np.mean(pair.b[:size]) - np.mean(pair.a[:size]))
            verdict = UNDECIDED
            if different[i] < level(k):
                verdict = "larger" if diff > 0 else "smaller"
            elif equivalent[i] < level(k):
                verdict = "equivalent"
            found[i] = Decision(verdict, size, diff, float(different[i]), float(equivalent[i]), level(k))
        if all(decision.verdict != UNDECIDED for decision in found):
            break
    return found


def _tests(pair: Pair, size: int, margin: float) -> tuple[float, float]:
    """p of the two-sided t test of a difference, and of two one-sided t tests within the margin; 1 without data."""
    if pair.n < size:  # its place in the family stays
        return 1.0, 1.0
    a, b = pair.a[:size], pair.b[:size]
    diff = float(np.mean(b) - np.mean(a))
    if pair.paired:
        error, freedom = float(np.std(b - a, ddof=1)) / np.sqrt(size), size - 1.0
    else:
        parts = np.array([np.var(a, ddof=1), np.var(b, ddof=1)]) / size
        error = float(np.sqrt(parts.sum()))
        freedom = float(parts.sum() ** 2 / np.sum(parts**2 / (size - 1))) if error > 0 else 1.0
    if error == 0:
        return float(diff == 0), float(abs(diff) >= margin)
    p = stats.t.sf([abs(diff) / error, (margin - abs(diff)) / error], freedom)
    return float(2 * p[0]), float(p[1])
