"""How far a number is off: a Monte Carlo mean, and the angle of a learning set, resampled."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from bn_experiments.datasets.preparation import independent_columns
from bn_solver.arrays import (
    Array,
    angle_between,
    centered,
    real_number,
    unit,
    whole_number,
)
from bn_solver.limits import within_range
from bnlib.learning_set import LearningSet, require_learning_set


@dataclass(frozen=True)
class Estimate:
    """A mean, never without its standard error.

    Parameters
    ----------
    value, standard_error, n : float, float, int
        The mean, the estimated standard deviation of that mean, and the sample size: both
        constructors below raise ``ValueError`` if it is less than 2.
    """

    value: float
    standard_error: float
    n: int

    @classmethod
    @within_range("count, n")
    def of_proportion(cls, count: int, n: int) -> Self:
        """Return the estimate of a probability from `count` hits in n independent trials.

        The standard error is √(p (1 − p) / n), with p moved to (count + 1) / (n + 2) so that
        it is not 0 where all trials agree. Raises ``ValueError`` unless 0 ≤ count ≤ n.
        """
        whole_number("n", n, at_least=2)
        if whole_number("count", count, at_least=0) > n:
            raise ValueError(f"count: must lie between 0 and n = {n}, got {count}.")
        smoothed = (count + 1) / (n + 2)
        return cls(count / n, float(np.sqrt(smoothed * (1 - smoothed) / n)), n)

    @classmethod
    @within_range("total, total_of_squares")
    def of_mean(cls, total: float, total_of_squares: float, n: int) -> Self:
        """Return the estimate of a mean from the sums of n values and of their squares.

        Raises ``ValueError`` if a sum is not finite.
        """
        whole_number("n", n, at_least=2)
        mean = real_number("total", total) / n
        square = real_number("total_of_squares", total_of_squares) / n
        variance = max(square - mean**2, 0.0) * n / (n - 1)
        return cls(float(mean), float(np.sqrt(variance / n)), n)

    @within_range("expected, standard_error")
    def z_score(self, expected: float) -> float:
        """Return the distance from what the estimate should be, in standard errors.

        Parameters
        ----------
        expected : float
        """
        return float(
            (self.value - np.float64(real_number("expected", expected))) / self.standard_error
        )

    def __repr__(self) -> str:
        # As many digits as the standard error supports: two of its own.
        digits = 4
        if 0 < self.standard_error < np.inf:
            digits = max(0, 1 - int(np.floor(np.log10(self.standard_error))))
        return f"{self.value:.{digits}f} ± {self.standard_error:.{digits}f}"


@within_range("data")
def resampled_angles(data: LearningSet, rng: np.random.Generator, n: int) -> Array:
    r"""Return θ for n random weightings of the examples: the Bayesian bootstrap.

    Each weighting is uniform on the simplex (Dirichlet with all parameters 1), so no example
    gets the weight 0, and Σ stays invertible where it is; examples drawn with replacement would
    lose inputs that vary in a few only. Means and covariances become weighted ones, and

    .. math:: W^* = \hat u + \frac{a}{1+q}\,s, \qquad \hat u = \Sigma^{-1}c, \quad
       s = \Sigma^{-1}\bar x, \quad q = \bar x^\top s, \quad a = \bar t - \bar x^\top\hat u .

    Parameters
    ----------
    data, rng, n : LearningSet, numpy.random.Generator, int
        Examples and targets, the source of randomness, the number of weightings.

    Returns
    -------
    ndarray, shape (n,)
        In radians. Their standard deviation estimates the standard error of θ as a property
        of the sample. (Rubin, The Annals of Statistics 9, 1981, 130–134.)

    Raises
    ------
    ValueError
        If n < 2, or Σ is singular: see `independent_columns`.
    """
    require_learning_set(data)
    whole_number("n", n, at_least=2)
    if len(independent_columns(data.inputs, tolerance=1e-9)[0]) < data.d:
        raise ValueError("data: constant or collinear inputs; drop them by independent_columns.")
    # In coordinates in which the unweighted Σ is 1: the weighted one is then far from singular.
    size = np.sqrt(data.m)
    basis, root = np.linalg.qr(centered(data.inputs, axis=0) / size)
    basis, back = basis * size, np.linalg.inv(root)
    level = np.linalg.solve(root.T, data.mean_input)
    t = data.targets
    angles = []
    for _ in range(n):
        weights = rng.dirichlet(np.ones(data.m))
        away, mean_target = weights @ basis, weights @ t
        weighted = basis.T * weights
        covariance = weighted @ basis - np.outer(away, away)
        mean = level + away
        both = np.stack([weighted @ t - away * mean_target, mean], axis=1)
        slope, s = np.linalg.solve(covariance, both).T
        intercept = mean_target - mean @ slope
        star = slope + s * intercept / (1 + mean @ s)
        angles.append(angle_between(unit(back @ star), unit(back @ slope)))
    return np.array(angles)
