"""Restricted maximum likelihood (REML) for crossed random effects, for designs with missing runs.

The model is y = mean + Σ Z_k u_k + e with u_k ~ N(0, σ²_k I) and e ~ N(0, σ² I); see Searle, Casella and McCulloch,
"Variance Components" (1992), section 6.6. The mixed models of statsmodels are the reference in the tests; with three
crossed factors their optimizers do not converge reliably.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Fit:
    """Maximum of the restricted likelihood.

    Attributes:
      variances: [K + 1] estimates, the residual variance last; none is negative.
      covariance: [K + 1, K + 1] of the estimates, from the expected information.
      mean: generalised least squares estimate of the mean.
      log_likelihood: restricted, with all constants.
    """

    variances: np.ndarray
    covariance: np.ndarray
    mean: float
    log_likelihood: float


def fit(y: np.ndarray, groups: Sequence[np.ndarray]) -> Fit:
    """Estimate the variances of crossed random effects.

    Args:
      y: [n] values.
      groups: K arrays [n] of level numbers from 0, one for each random effect.
    """
    n, scale = len(y), float(np.var(y))
    if scale == 0:
        zeros = np.zeros(len(groups) + 1)
        return Fit(zeros, np.diag(zeros), float(y[0]), float("inf"))
    designs = [csr_array((np.ones(n), (np.arange(n), group))) for group in groups]
    relations = [z @ z.T for z in designs]

    def state(variances: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """P, P y, the log likelihood and the mean at given variances."""
        v = variances[-1] * np.eye(n)
        for variance, relation in zip(variances[:-1], relations, strict=True):
            v += variance * relation.toarray()
        factor = cho_factor(v, lower=True, overwrite_a=True)
        inverse = cho_solve(factor, np.eye(n), overwrite_b=True)
        ones = inverse.sum(axis=1)
        information = ones.sum()
        p = inverse - np.outer(ones, ones) / information
        py = p @ y
        log_det = 2 * np.log(np.diag(factor[0])).sum()
        likelihood = -0.5 * ((n - 1) * np.log(2 * np.pi) + log_det + np.log(information) + y @ py)
        return p, py, float(likelihood), float(ones @ y / information)

    def objective(shares: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log likelihood and its gradient in the variances as multiples of the variance of y."""
        p, py, likelihood, _ = state(shares * scale)
        traces = [*(relation.multiply(p).sum() for relation in relations), np.trace(p)]
        squares = [*(((z.T @ py) ** 2).sum() for z in designs), (py**2).sum()]
        return -likelihood, 0.5 * scale * (np.array(traces) - np.array(squares))

    start = np.full(len(groups) + 1, 1 / (len(groups) + 1))
    bounds = [(0.0, None)] * len(groups) + [(1e-8, None)]
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-7}
    )
    variances = found.x * scale
    p, _, likelihood, mean = state(variances)
    products = [*(relation @ p for relation in relations), p]
    information = np.array([[0.5 * (a * b.T).sum() for b in products] for a in products])
    return Fit(variances, np.linalg.pinv(information), mean, likelihood)
