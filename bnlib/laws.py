"""How often the lemma fails, and by how much: laws in the angle between W* and the ray."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bnlib._arrays import Array, real_array, real_number, representable


def failure_probability(angle: npt.ArrayLike) -> Array:
    r"""Return the probability that a random initialization violates the lemma.

    .. math:: P(\text{violated} \mid \langle W_0, W^*\rangle > 0)
       = \frac12 + \frac{\theta}{2\pi} \quad (0 < \theta \le \pi), \qquad 0 \text{ at } \theta = 0,

    for one standard optimum W*, one BN ray, and every law of W₀ that is invariant under
    rotations, in every dimension d ≥ 2. At θ = 0 both sides are equal for every W₀.

    Parameters
    ----------
    angle : array_like, shape (...)
        θ, the angle between W* and the BN ray, in radians.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an angle is not in [0, π], or (`mean_excess`) the scale not positive or too large.

    Examples
    --------
    >>> round(float(failure_probability(np.arctan(2 / 9))), 4)
    0.5348
    """
    theta = _angle(angle)
    return np.asarray(np.where(theta > 0, 0.5 + theta / (2 * np.pi), 0.0))[()]


def mean_excess(angle: npt.ArrayLike, scale: float = 1.0) -> Array:
    r"""Return the mean of left − right, in squared weights, over random initializations.

    .. math:: E[\text{left} - \text{right} \mid \langle W_0, W^*\rangle > 0]
       = s^2\,\frac{2\theta - \sin 2\theta}{2\pi} \ge 0, \qquad W_0 \sim N(0, s^2 I).

    Parameters
    ----------
    scale : float
        s > 0, the standard deviation of each initial weight.

    See Also
    --------
    failure_probability : the angle, the shape and errors.
    """
    theta = _angle(angle)
    s = real_number("scale", scale)
    if s <= 0:
        raise ValueError(f"scale: must be positive, got {s:g}.")
    # For small angles the difference cancels; below 0.01 three terms of the series are exact.
    small = 4 * theta**3 / 3 - 4 * theta**5 / 15 + 8 * theta**7 / 315
    exact = 2 * theta - np.sin(2 * theta)
    with np.errstate(over="ignore"):
        excess = np.asarray(np.square(s) * np.where(theta < 0.01, small, exact) / (2 * np.pi))
    return representable("mean excess", excess, cause="scale")[()]


def _angle(angle: npt.ArrayLike) -> Array:
    """Return θ as an array in [0, π]."""
    theta = real_array("angle", angle, shape="(...)")
    if ((theta < 0) | (theta > np.pi)).any():
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    return theta
