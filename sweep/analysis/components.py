"""Variance components of a crossed design: how much of the spread each source contributes.

The model is a random effects model with one run in each cell: for two factors, y_ij = mean + a_i + b_j + ab_ij,
with independent effects of variances σ²_a, σ²_b and σ²_ab. A run is a deterministic function of its seeds, so the
interaction of all factors is a property of the runs and not measurement noise.

Balanced designs use the analysis of variance. Every quantity of interest is then a linear combination of mean
squares, and its interval is the modified large-sample interval of Ting, Burdick, Graybill, Jeyaratnam and Lu (1990),
as given by Burdick and Graybill, "Confidence Intervals on Variance Components" (1992). Designs with missing runs use
restricted maximum likelihood (REML), with chi-squared intervals scaled to the standard errors.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from sweep.analysis import reml

FEW_LEVELS = 6  # intervals of factors with fewer levels are rough
LEAST_FILLED = 0.5  # share of the cells that a design with missing runs must have

Term = tuple[str, ...]  # names of factors: one for a main effect, several for their interaction


@dataclass(frozen=True)
class MeanSquare:
    """Mean square of a term in a balanced design, and its degrees of freedom."""

    value: float
    df: int


@dataclass(frozen=True)
class Estimate:
    """A variance with its 95 % interval; an estimate from mean squares can be negative."""

    variance: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Decomposition:
    """Variance components of one crossed design.

    Attributes:
      levels: number of levels by factor.
      n: number of runs.
      mean: of the runs.
      components: variance of each term; the terms of a balanced design are all combinations of factors.
      total_effects: sum of the components that contain a factor, by factor: the variance over this factor at fixed
        levels of all others, averaged over these levels (Homma and Saltelli 1996).
      total: sum of all components: the variance when all factors vary.
      method: "anova" for a balanced design, "reml" for one with missing runs.
    """

    levels: Mapping[str, int]
    n: int
    mean: float
    components: Mapping[Term, Estimate]
    total_effects: Mapping[str, Estimate]
    total: Estimate
    method: str

    def share(self, term: Term) -> float:
        """Share of a term in the sum of all components, negative estimates counted as 0."""
        total = sum(max(0.0, c.variance) for c in self.components.values())
        return max(0.0, self.components[term].variance) / total if total > 0 else math.nan

    def rough(self, factors: Sequence[str]) -> bool:
        """Whether an interval is rough, because one of the factors has few levels or runs are missing."""
        return self.method == "reml" or any(self.levels[factor] < FEW_LEVELS for factor in factors)


def decompose(runs: pd.DataFrame, factors: Sequence[str], value: str) -> Decomposition:
    """Variance components of crossed runs.

    Args:
      runs: one row for each run, at most one for each combination of levels.
      factors: columns with the levels of at least two factors.
      value: column with the measured value.

    Raises:
      ValueError: a combination occurs twice, a factor has one level, or too many combinations are missing.
    """
    levels = {factor: int(runs[factor].nunique()) for factor in factors}
    if constant := [factor for factor in factors if levels[factor] < 2]:
        raise ValueError(f"{constant[0]} has one level: a source of variance needs at least two")
    if runs.duplicated(list(factors)).any():
        raise ValueError(f"several runs have the same {', '.join(factors)}")
    cells = math.prod(levels.values())
    if len(runs) < LEAST_FILLED * cells:
        raise ValueError(
            f"{len(runs)} of {cells} combinations of {', '.join(factors)}: the design is not crossed"
        )
    if len(runs) == cells:
        ordered = runs.sort_values(list(factors))[value].to_numpy(float)
        return balanced(ordered.reshape([levels[factor] for factor in factors]), factors)
    return _reml(runs, factors, value, levels)


def balanced(y: np.ndarray, factors: Sequence[str]) -> Decomposition:
    """Variance components of a complete design.

    Args:
      y: one value for each combination of levels; axis i is factor i.
      factors: name of each axis.
    """
    squares = mean_squares(y, factors)
    levels = dict(zip(factors, y.shape, strict=True))
    weights = {term: _weights(term, levels) for term in squares}

    def estimate(terms: Sequence[Term]) -> Estimate:
        total = {t: sum(weights[term].get(t, 0.0) for term in terms) for t in squares}
        return linear_combination([(total[t], squares[t]) for t in squares if total[t]])

    return Decomposition(
        levels=levels,
        n=y.size,
        mean=float(y.mean()),
        components={term: estimate([term]) for term in squares},
        total_effects={factor: estimate([term for term in squares if factor in term]) for factor in factors},
        total=estimate(list(squares)),
        method="anova",
    )


def mean_squares(y: np.ndarray, factors: Sequence[str]) -> dict[Term, MeanSquare]:
    """Mean square of every combination of factors; axis i of `y` is factor i."""
    squares = {}
    for term in _terms(factors):
        axes = [factors.index(factor) for factor in term]
        effect = y.mean(axis=tuple(set(range(y.ndim)) - set(axes)), keepdims=True)
        for axis in axes:
            effect = effect - effect.mean(axis=axis, keepdims=True)
        df = math.prod(y.shape[axis] - 1 for axis in axes)
        squares[term] = MeanSquare(y.size / effect.size * float((effect**2).sum()) / df, df)
    return squares


def _weights(term: Term, levels: Mapping[str, int]) -> dict[Term, float]:
    """Weight of each mean square in the unbiased estimate of a component.

    The expected mean square of S is the sum over T ⊇ S of σ²_T times the levels outside T. Its inverse alternates in
    sign: σ²_S = Σ_{T ⊇ S} (-1)^(|T| - |S|) MS_T / (levels outside S).
    """
    others = [factor for factor in levels if factor not in term]
    runs = math.prod(levels[factor] for factor in others)
    return {
        tuple(factor for factor in levels if factor in {*term, *added}): (-1.0) ** size / runs
        for size in range(len(others) + 1)
        for added in itertools.combinations(others, size)
    }


def linear_combination(weighted: Sequence[tuple[float, MeanSquare]], level: float = 0.95) -> Estimate:
    """Estimate and modified large-sample interval of Σ weight · E[mean square].

    Args:
      weighted: non-zero weights, of either sign, and independent mean squares.
      level: of the two-sided interval.
    """
    plus = [(w * square.value, square.df) for w, square in weighted if w > 0]
    minus = [(-w * square.value, square.df) for w, square in weighted if w < 0]
    variance = sum(x for x, _ in plus) - sum(x for x, _ in minus)
    alpha = (1 - level) / 2
    low = variance - math.sqrt(max(0.0, _spread(plus, minus, alpha)))
    high = variance + math.sqrt(max(0.0, _spread(minus, plus, alpha)))
    return Estimate(variance, low, high)


def _spread(plus: Sequence[tuple[float, int]], minus: Sequence[tuple[float, int]], alpha: float) -> float:
    """Squared distance of the lower limit at level 1 - alpha from the estimate Σ plus - Σ minus.

    Args:
      plus, minus: weighted mean squares and their degrees of freedom.
    """
    total = sum((_g(n, alpha) * x) ** 2 for x, n in plus) + sum((_h(n, alpha) * x) ** 2 for x, n in minus)
    for (x, n), (y, m) in itertools.product(plus, minus):
        f = float(f_distribution.isf(alpha, n, m))
        total += x * y * ((f - 1) ** 2 - (_g(n, alpha) * f) ** 2 - _h(m, alpha) ** 2) / f
    for (x, n), (y, m) in itertools.combinations(plus, 2):
        both = _g(n + m, alpha) ** 2 * (n + m) ** 2 / (n * m)
        cross = both - _g(n, alpha) ** 2 * n / m - _g(m, alpha) ** 2 * m / n
        total += x * y * cross / (len(plus) - 1)
    return total


def _g(n: int, alpha: float) -> float:
    return 1 - n / float(chi2.isf(alpha, n))


def _h(n: int, alpha: float) -> float:
    return n / float(chi2.ppf(alpha, n)) - 1


def _reml(runs: pd.DataFrame, factors: Sequence[str], value: str, levels: Mapping[str, int]) -> Decomposition:
    terms = _terms(factors)
    groups = [runs.groupby(list(term)).ngroup().to_numpy() for term in terms[:-1]]
    fit = reml.fit(runs[value].to_numpy(float), groups)  # the residual is the interaction of all factors

    def component(term: Term) -> Estimate:
        df = math.prod(levels[factor] - 1 for factor in term)
        position = terms.index(term)
        return _scaled(float(fit.variances[position]), float(fit.covariance[position, position]), df)

    def total(chosen: Sequence[Term]) -> Estimate:
        weights = np.array([float(term in chosen) for term in terms])
        variance, error = float(weights @ fit.variances), float(weights @ fit.covariance @ weights)
        df = 2 * variance**2 / error if error > 0 else math.inf  # Satterthwaite's approximation
        return _scaled(variance, error, df)

    return Decomposition(
        levels=levels,
        n=len(runs),
        mean=fit.mean,
        components={term: component(term) for term in terms},
        total_effects={factor: total([term for term in terms if factor in term]) for factor in factors},
        total=total(terms),
        method="reml",
    )


def _scaled(variance: float, error: float, df: float, alpha: float = 0.025) -> Estimate:
    """The interval of a mean square with `df` degrees of freedom less a constant, with this variance of the estimate.

    A component is the difference of a mean square and an expected value, so its estimate is a chi-squared variable
    less a constant. Without the constant this is Satterthwaite's interval.
    """
    if error <= 0 or df <= 0:
        return Estimate(variance, variance, variance)
    square = math.sqrt(error * df / 2)  # the mean square in units of the component
    low = variance - square * (1 - df / float(chi2.isf(alpha, df)))
    high = variance + square * (df / float(chi2.ppf(alpha, df)) - 1)
    return Estimate(variance, max(0.0, low), high)


def _terms(factors: Sequence[str]) -> list[Term]:
    """All combinations of factors, main effects first."""
    return [term for size in range(1, len(factors) + 1) for term in itertools.combinations(factors, size)]
