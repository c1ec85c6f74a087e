"""How often the lemma fails, and by how much: laws in the angle between W* and the ray."""

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, choice, real_array, real_number, representable

READINGS = {"infimum": 1.0, "strict": -1.0, "given_closest": 0.0}
"""What "closest" means, and what θ/2π is taken times: see `failure_probability`."""


def failure_probability(angle: npt.ArrayLike, reading: str = "infimum") -> Array:
    r"""Return the probability that a random initialization violates the lemma.

    Given ⟨W₀, W*⟩ > 0, for one standard optimum W* and one BN ray at the angle θ, 0 < θ < π, and
    every law of W₀ that is invariant under rotations, in every dimension d ≥ 2:

    .. math:: \tfrac12 + \tfrac{\theta}{2\pi}\ \text{(infimum)}, \qquad
       \tfrac12 - \tfrac{\theta}{2\pi}\ \text{(strict)}, \qquad
       \tfrac12\ \text{(given closest)} .

    The ray is open: with probability θ/π no BN optimum is closest to W₀. Read with the infimum
    of the distances, the inequality is then false; read strictly, the lemma says nothing. Given
    that one is closest, the reflection that swaps W* and the ray swaps both sides. At θ = 0
    they are equal for every W₀, and the probability is 0 in every reading. At θ = π none is ever
    closest.

    Parameters
    ----------
    angle : array_like, shape (...)
        θ, the angle between W* and the BN ray, in radians.
    reading : str
        ``"infimum"``, ``"strict"``: one is closest and the inequality is false, or
        ``"given_closest"``: it is false, given that one is closest.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an angle is not in [0, π], the reading unknown, θ = π where it is given that one is
        closest, or (`mean_excess`) the scale not positive or too large.

    Examples
    --------
    >>> theta = np.arctan(2 / 9)
    >>> [round(float(failure_probability(theta, each)), 4) for each in READINGS]
    [0.5348, 0.4652, 0.5]
    """
    theta = _angle(angle)
    choice("reading", reading, READINGS)
    if reading == "given_closest" and (theta == np.pi).any():
        raise ValueError("angle: at π no BN optimum is closest; use another angle or reading.")
    share = READINGS[reading] / (2 * np.pi)
    return np.asarray(np.where(theta > 0, 0.5 + theta * share, 0.0))[()]


def mean_excess(angle: npt.ArrayLike, scale: float = 1.0) -> Array:
    r"""Return the mean of left − right, in squared weights, over random initializations.

    .. math:: E[\text{left} - \text{right} \mid \langle W_0, W^*\rangle > 0]
       = s^2\,\frac{2\theta - \sin 2\theta}{2\pi} \ge 0, \qquad W_0 \sim N(0, s^2 I),

    with left the infimum where no BN optimum is closest. Given that one is closest (θ < π), both
    sides have the same law, and the mean is 0 whatever θ.

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
    with np.errstate(over="ignore", invalid="ignore"):
        excess = np.asarray(np.square(s) * np.where(theta < 0.01, small, exact) / (2 * np.pi))
    return representable("mean excess", excess, cause="scale")[()]


def _angle(angle: npt.ArrayLike) -> Array:
    """Return θ as an array in [0, π]."""
    theta = real_array("angle", angle, shape="(...)")
    if ((theta < 0) | (theta > np.pi)).any():
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    return theta
