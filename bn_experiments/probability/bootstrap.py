"""How much the angle of a learning set would vary with the sample: the Bayesian bootstrap."""

from __future__ import annotations

import numpy as np

from bn_experiments.datasets.preparation import independent_columns
from bnlib._arrays import Array, angle_between, centered, unit, whole_number
from bnlib.learning_set import LearningSet, require_learning_set


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
        of the sample.

    Raises
    ------
    ValueError
        If n < 2, or Σ is singular: see `independent_columns`.

    References
    ----------
    Rubin, "The Bayesian bootstrap", The Annals of Statistics 9 (1981), 130–134.
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
