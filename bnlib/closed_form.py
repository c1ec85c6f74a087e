"""The optima of linear neurons in closed form: a least-squares problem each."""

from __future__ import annotations

import numpy as np

from bnlib._arrays import EPS, representable
from bnlib.batch_norm import BatchNorm, require_normalization
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.least_squares import LeastSquares
from bnlib.optima import Optimum, Point, Ray

# A ratio r this close to 1 is 1 up to rounding, where there is no minimum.
_THRESHOLD = 64 * EPS


def linear_optima(
    data: LearningSet, normalization: BatchNorm | None = None, *, bias: bool = False
) -> list[Optimum]:
    r"""Return the local minima of the loss of a neuron with identity activation.

    With batch norm the loss sees the weights through :math:`\hat y` alone. Let û solve the
    least-squares problem with intercept (``center=True``: û = Σ⁻¹c) or without
    (``center=False``), for targets t − β. Then, writing *r* for the root mean square of the
    fitted values (less their mean, if it centres) over \|γ\|:

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
        γ = 0, if a bias meets a normalization that centres it away, if a ray has no direction
        because the targets are uncorrelated with every input, or if the optimum is too large
        for float64.

    Notes
    -----
    Inputs that are constant or collinear up to rounding count as such, and r that is 1 up to
    rounding counts as 1. With a single weight and ε = 0 the normalized loss has just two
    values, one on each half-line; that with the smaller value is returned.
    """
    require_learning_set(data)
    require_normalization(normalization, bias=bias)
    if normalization is None:
        ones = np.ones((data.m, 1 if bias else 0))
        fit = LeastSquares(np.hstack([data.inputs, ones]), data.targets, intercept=False)
        return [Point(fit.weights("inputs, targets"))]
    norm = normalization
    if norm.gamma == 0.0:
        raise ValueError("gamma: is 0, so the loss does not depend on the weights; use gamma != 0.")
    with np.errstate(over="ignore"):
        t = representable("difference", data.targets - norm.beta, cause="targets, beta")
    fit = LeastSquares(data.inputs, t, intercept=norm.center)
    if not norm.scale:
        return [Point(fit.weights("inputs, targets or gamma", 1.0, norm.gamma))]
    if norm.epsilon == 0.0:
        return [Ray(np.sign(norm.gamma) * fit.direction())]
    ratio = float(fit.root_mean_square) / abs(norm.gamma)
    if ratio >= 1.0 - _THRESHOLD:
        return []
    divisor = norm.gamma * np.sqrt((1.0 - ratio) * (1.0 + ratio))
    root = float(np.sqrt(norm.epsilon))
    return [Point(fit.weights("inputs, targets or gamma", root, divisor))]
