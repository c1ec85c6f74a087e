"""Inputs and targets prepared: centred, scaled, without intercept or collinear columns."""

import numpy as np
import numpy.typing as npt

from bn_experiments.datasets.stacked import stacked_optima
from bn_solver import least_squares
from bn_solver.arrays import (
    centered,
    choice,
    real_array,
    real_number,
    representable,
    unit,
)
from bn_solver.doubled import length
from bn_solver.limits import within_range
from bnlib.learning_set import LearningSet, require_learning_set

PREPARATIONS = ("raw", "scaled", "centred", "standardised")
"""What `prepare` knows."""


def prepare(data: LearningSet, preparation: str) -> LearningSet:
    """Return a learning set with its inputs prepared, and the targets as they are.

    Parameters
    ----------
    data, preparation : LearningSet, str
        Examples and targets; ``"raw"``, ``"scaled"``: each input over its population standard
        deviation over the examples, ``"centred"``: minus its mean, or ``"standardised"``: both.

    Returns
    -------
    LearningSet

    Raises
    ------
    ValueError
        If the preparation is unknown, or an input that is to be scaled is constant.
    """
    require_learning_set(data)
    choice("preparation", preparation, PREPARATIONS)
    if preparation == "raw":
        return data
    difference = centered(data.inputs, axis=0)
    constant = np.flatnonzero(~difference.any(axis=0))
    if preparation == "centred":
        return LearningSet(difference, data.targets)
    if constant.size:
        raise ValueError(f"data: input {constant[0]} is constant, so it has no scale; drop it.")
    x = data.inputs if preparation == "scaled" else difference
    with np.errstate(over="ignore"):
        scaled = x / (length(difference.T) / np.sqrt(data.m))
    return LearningSet(representable("scaled input", scaled, cause="data"), data.targets)


def centred_targets(data: LearningSet) -> LearningSet:
    """Return a learning set with its targets minus their mean, and the inputs as they are.

    See Also
    --------
    prepare : parameters and errors.
    """
    require_learning_set(data)
    return data.with_targets(centered(data.targets, axis=0))


@within_range("data")
def without_intercept(data: LearningSet) -> LearningSet:
    """Return a learning set with its targets minus the intercept of its fit; slopes stay.

    See Also
    --------
    prepare : parameters and errors; also if an optimum is not unique.
    """
    require_learning_set(data)
    return data.with_targets(data.targets - stacked_optima(data.inputs, data.targets).intercepts)


@within_range("slope, data")
def with_fit(data: LearningSet, slope: npt.ArrayLike, intercept: float) -> LearningSet:
    r"""Return a learning set with the same inputs and residuals around another linear fit.

    .. math:: t_i' = \langle x_i, v\rangle + a' + e_i ,

    where e are the residuals of t after least squares with intercept. As these are orthogonal
    to the inputs and to the constant, v and a′ are slope and intercept of the new set.

    Parameters
    ----------
    slope, intercept : array_like of shape (d,), float

    See Also
    --------
    prepare : data, result and errors.
    """
    require_learning_set(data)
    v = real_array("slope", slope, shape="(d,)", last=data.d)
    residuals = least_squares(data.inputs, data.targets, intercept=True).residual
    return data.with_targets(data.inputs @ v + real_number("intercept", intercept) + residuals)


def independent_columns(
    inputs: npt.ArrayLike, *, tolerance: float = 1e-6
) -> tuple[list[int], dict[int, str]]:
    """Return which columns to keep so that the covariance Σ is invertible.

    Constant columns go first. The others are centred, scaled to length 1 and taken in their
    order, except those whose distance from the span of the ones taken is at most the tolerance.
    (Taking the farthest first would leave the choice among equal columns to the last bit.)
    Columns may be collinear only once they are centred, that is together with an intercept;
    columns that are collinear as they are stay so.

    Parameters
    ----------
    inputs, tolerance : array_like of shape (m, d), float
        The inputs X, and the smallest distance, as a fraction in (0, 1) of a column's own
        length after centring, at which a column still counts as independent.

    Returns
    -------
    kept, dropped : list of int, dict of int to str
        In increasing order; the others, each with ``"constant"`` or ``"collinear"``.

    Raises
    ------
    ValueError
        If an argument does not fit, a value is not finite, or all columns are constant.
    """
    x = real_array("inputs", inputs, shape="(m, d)")
    if not 0.0 < real_number("tolerance", tolerance) < 1.0:
        raise ValueError(f"tolerance: must lie in (0, 1), got {tolerance:g}.")
    if 0 in x.shape:
        raise ValueError(f"inputs: need at least one example and one input, got {x.shape}.")
    difference = centered(x, axis=0)
    varying = np.flatnonzero(difference.any(axis=0))
    if varying.size == 0:
        raise ValueError("inputs: every column is constant, so none is left; use other inputs.")
    kept, basis = [], np.empty((0, len(x)))
    for j, column in zip(varying.tolist(), unit(difference[:, varying].T), strict=True):
        for _ in range(2):  # once more, against what rounding has left
            column = column - (basis @ column) @ basis
        distance = float(np.linalg.norm(column))
        if distance > tolerance:
            kept.append(j)
            basis = np.vstack([basis, column / distance])
    why = dict.fromkeys(range(x.shape[1]), "constant") | {int(j): "collinear" for j in varying}
    return kept, {j: reason for j, reason in why.items() if j not in kept}
