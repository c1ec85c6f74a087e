"""The optima of one linear neuron in closed form: a least-squares problem each."""

from __future__ import annotations

import numpy as np

from bnlib._validation import Array
from bnlib.batch_norm import BatchNorm
from bnlib.learning_set import LearningSet
from bnlib.optima import Optimum, Point, Ray

_EPS = float(np.finfo(np.float64).eps)


def linear_optima(
    data: LearningSet, normalization: BatchNorm | None = None, *, bias: bool = False
) -> list[Optimum]:
    r"""Return all local minima of the loss of a neuron with identity activation.

    With batch norm the loss sees the weights through :math:`\hat y` alone. Let û solve the
    least-squares problem on the centred data (``center=True``: û = Σ⁻¹c, the slope of least
    squares *with* intercept) or on the data as it is (``center=False``), for targets t − β.
    Then, writing *r* for the root mean square of the fitted values over \|γ\|:

    ======================  ==========================================================
    normalization           local minima
    ======================  ==========================================================
    None                    the point W* = (XᵀX)⁻¹Xᵀt
    ``scale=False``         the point û / γ
    ``scale=True``, ε = 0   the ray of sign(γ) û
    ε > 0, r < 1            the point û √ε / (γ √(1 − r²))
    ε > 0, r ≥ 1            none: the loss decreases along the ray without end
    ======================  ==========================================================

    Parameters
    ----------
    data : LearningSet
        Examples and targets.
    normalization : BatchNorm, optional
        The normalization; none for the standard neuron.
    bias : bool
        Append a constant input 1, whose weight, the last, is the bias.

    Returns
    -------
    list of Point or Ray
        Empty if there is no minimum.

    Raises
    ------
    ValueError
        If the optimum is not unique (collinear or constant inputs, too few examples), if
        γ = 0, or if a ray has no direction because the targets are uncorrelated with every
        input: then all weights are equally good.
    """
    x, t = np.array(data.inputs), np.array(data.targets)
    if bias:
        x = np.column_stack([x, np.ones(len(x))])
    if normalization is None:
        return [Point(_least_squares(x, t, centered=False)[0])]
    if normalization.gamma == 0.0:
        raise ValueError("gamma: is 0, so the loss does not depend on the weights; use gamma != 0.")
    t = t - normalization.beta
    magnitude = np.abs(t).max()
    if normalization.center:
        x, t = x - x.mean(axis=0), t - t.mean()
    slope, fitted = _least_squares(x, t, centered=normalization.center)
    if not normalization.scale:
        return [Point(slope / normalization.gamma)]
    if fitted <= 8 * np.sqrt(len(t)) * _EPS * magnitude:
        raise ValueError(
            "targets: uncorrelated with every input, so the normalized loss is the same in "
            "all directions and has no ray of optima; use other targets or inputs."
        )
    if normalization.epsilon == 0.0:
        return [Ray(np.sign(normalization.gamma) * slope)]
    ratio = fitted / abs(normalization.gamma)
    if ratio >= 1.0:
        return []
    shrink = np.sqrt((1.0 - ratio) * (1.0 + ratio))
    return [Point(slope * (np.sqrt(normalization.epsilon) / (normalization.gamma * shrink)))]


def _least_squares(x: Array, t: Array, *, centered: bool) -> tuple[Array, float]:
    """Return argmin ‖X w − t‖ and the root mean square of X w, or raise if not unique."""
    # Columns and targets are scaled to size 1 by powers of two, which is exact: so the rank
    # does not depend on units, and neither 1e-150 nor 1e150 leaves the range of float64.
    columns, unit = _power_of_two(np.abs(x).max(axis=0)), _power_of_two(np.abs(t).max())
    scaled = x / columns
    weights, _, rank, _ = np.linalg.lstsq(scaled, t / unit, rcond=max(x.shape) * _EPS)
    if rank < x.shape[1]:
        raise ValueError(
            f"inputs: {'centred ' if centered else ''}rank {rank} with {x.shape[1]} weights, so "
            "the optimum is not unique; drop constant or collinear columns, or add examples."
        )
    fitted = float(np.sqrt(np.mean((scaled @ weights) ** 2))) * float(unit)
    return weights * (unit / columns), fitted


def _power_of_two(size: Array) -> Array:
    """Return the power of two just above each size, and 1 for size 0."""
    return np.asarray(np.ldexp(1.0, np.frexp(size)[1]))
