"""The optima of linear neurons on many learning sets at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnlib._arrays import Array, angle_between, mean, real_array, representable, unit
from bnlib.least_squares import LeastSquares


@dataclass(frozen=True, eq=False)
class StackedOptima:
    """The optima of many linear neurons.

    Attributes
    ----------
    stars, slopes : ndarray, shape (..., d)
        W* and û: least squares without intercept, the optimum of the standard neuron, and the
        slope of least squares with intercept, the direction of the BN ray.
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
    inputs, targets : array_like, shapes (..., m, d) and (..., m)
        X and t of each learning set.

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
