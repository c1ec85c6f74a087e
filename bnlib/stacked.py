"""Many learning sets at once: their optima from one stacked call of linear algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnlib._numeric import EPS, angle_between, centered, mean, power_of_two, unit
from bnlib._validation import Array, real_array, representable


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
        for vectors in (self.stars, self.slopes):
            _refuse_zero(vectors)
        return angle_between(unit(self.stars), unit(self.slopes))


def stacked_optima(inputs: npt.ArrayLike, targets: npt.ArrayLike) -> StackedOptima:
    r"""Return the optima of the standard and of the BN neuron for many learning sets.

    .. math:: W^* = \arg\min_w \|X w - t\|^2, \qquad
       \hat u = \arg\min_w \|(X - \mathbf 1\bar x^\top) w - (t - \bar t \mathbf 1)\|^2,

    for each set, from one stacked QR decomposition.

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
    # Both fits, without and with intercept, are one stack of problems, scaled to size 1.
    fits = np.stack([x, centered(x, axis=-2)]), np.stack([t, centered(t, axis=-1)])
    columns = power_of_two(np.abs(fits[0]).max(axis=-2))
    size = power_of_two(np.abs(t).max(axis=-1))[..., None]
    q, r = np.linalg.qr(fits[0] / columns[..., None, :])
    # What centring cancels leaves rounding of the size of the data before it.
    noise = EPS * np.maximum(1.0, (np.abs(x).max(axis=-2) / columns).max(axis=-1))
    inverse = _inverse(r, noise, x.shape[-2])
    along = (np.swapaxes(q, -1, -2) @ (fits[1] / size)[..., None])[..., 0]
    # Fitted values that are rounding next to the targets are no fit at all.
    vanishes = np.linalg.norm(along, axis=-1) <= 16 * x.shape[-2] * noise
    along[vanishes] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        solution = (inverse @ along[..., None])[..., 0] * (size / columns)
        stars, slopes = representable("optimum", solution, cause="inputs, targets")
        offset = np.einsum("...d,...d->...", mean(x, axis=-2), slopes)
        intercepts = representable("intercept", mean(t, axis=-1) - offset, cause="inputs, targets")
    return StackedOptima(stars, slopes, intercepts)


def _inverse(r: Array, noise: Array, m: int) -> Array:
    """Return R⁻¹, or raise if a set's R is singular up to rounding.

    The Frobenius norm of R⁻¹ is the reciprocal of the smallest singular value of R, up to √d.
    """
    d = r.shape[-1]
    if r.shape[-2] < d:
        raise ValueError(f"inputs: {m} examples cannot determine {d} weights; add examples.")
    singular = (np.diagonal(r, axis1=-2, axis2=-1) == 0).any(axis=-1)
    inverse = np.linalg.inv(np.where(singular[..., None, None], np.eye(d), r))
    size = np.linalg.norm(r, axis=(-2, -1)) * np.linalg.norm(inverse, axis=(-2, -1))
    singular |= size * max(m, d) * noise >= 1
    if singular.any():
        kind, *where = (int(i) for i in np.argwhere(singular)[0])
        what = "the centred inputs" if kind else "the inputs"
        raise ValueError(
            f"inputs: {what} of learning set {tuple(where)} are collinear or constant, so the "
            "optimum is not unique; drop such columns or that set."
        )
    return np.asarray(inverse)


def _refuse_zero(vectors: Array) -> None:
    """Raise if a vector is zero, which has no angle; name its learning set."""
    zero = ~vectors.any(axis=-1)
    if zero.any():
        where = tuple(int(i) for i in np.argwhere(zero)[0])
        raise ValueError(
            f"learning set {where}: W* or û is zero, the targets being orthogonal to or "
            "uncorrelated with every input, so there is no angle; leave that set out."
        )
