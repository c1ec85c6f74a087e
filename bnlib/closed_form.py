"""The optima of linear neurons in closed form: a least-squares problem each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnlib._arrays import EPS, Array, angle_between, mean, real_array, representable, unit
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


@dataclass(frozen=True, eq=False)
class StackedOptima:
    """The optima of many linear neurons.

    Attributes
    ----------
    stars : ndarray, shape (..., d)
        W*: least squares without intercept, the optimum of the standard neuron.
    slopes : ndarray, shape (..., d)
        û: the slope of least squares with intercept, the direction of the BN ray.
    intercepts : ndarray, shape (...)
        a = t̄ − x̄ᵀû.
    """

    stars: Array
    slopes: Array
    intercepts: Array

    @property
    def angles(self) -> Array:
        """θ, shape (...): the angle between W* and the BN ray, in radians.

        Raises ``ValueError`` where W* or û is zero.
        """
        zero = ~(self.stars.any(axis=-1) & self.slopes.any(axis=-1))
        if zero.any():
            where = tuple(int(i) for i in np.argwhere(zero)[0])
            raise ValueError(
                f"learning set {where}: W* or û is zero, the targets being orthogonal to or "
                "uncorrelated with every input, so there is no angle; leave that set out."
            )
        return angle_between(unit(self.stars), unit(self.slopes))


def stacked_optima(inputs: npt.ArrayLike, targets: npt.ArrayLike) -> StackedOptima:
    r"""Return the optima of the standard and of the BN neuron for many learning sets.

    .. math:: W^* = \arg\min_w \|X w - t\|^2, \qquad
       \hat u = \arg\min_w \|(X - \mathbf 1\bar x^\top) w - (t - \bar t \mathbf 1)\|^2 .

    Parameters
    ----------
    inputs : array_like, shape (..., m, d)
        X of each learning set.
    targets : array_like, shape (..., m)
        t of each learning set.

    Returns
    -------
    StackedOptima

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, an optimum is too large for float64,
        or an optimum is not unique; the message names the first such set.
    """
    x = real_array("inputs", inputs, shape="(..., m, d)")
    t = real_array("targets", targets, shape="(..., m)")
    if x.shape[:-1] != t.shape or 0 in x.shape[-2:]:
        raise ValueError(
            f"targets: shape {t.shape} does not fit inputs of shape {x.shape}; "
            "they need (..., m) and (..., m, d)."
        )
    stars = LeastSquares(x, t, intercept=False).weights("inputs, targets")
    slopes = LeastSquares(x, t, intercept=True).weights("inputs, targets")
    with np.errstate(over="ignore", invalid="ignore"):
        offset = np.einsum("...d,...d->...", mean(x, axis=-2), slopes)
        intercepts = representable("intercept", mean(t, axis=-1) - offset, cause="inputs, targets")
    return StackedOptima(stars, slopes, intercepts)
