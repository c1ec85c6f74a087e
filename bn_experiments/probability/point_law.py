"""How often the lemma fails where the optimum of the BN neuron is a single point."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from bnlib._validation import real_number

_FAR = 9.0  # above this Φ(-x) is nothing, next to 1, in float64


def point_failure_probability(angle: float, ratio: float) -> float:
    r"""Return the probability that a Gaussian initialization violates the lemma.

    .. math:: P = 1 - 2 \int_0^\infty \varphi(z)\,
       \Phi\!\left(-\frac{\rho z^2 - 2z\cos\theta + 1/\rho}{2\sin\theta}\right) dz ,

    given the hypothesis, for :math:`W_0 \sim N(0, s^2 I)` in every dimension d ≥ 2, one
    standard optimum W* ≠ 0 and one BN optimum, the *point* :math:`\hat W^* \neq 0`: batch norm
    that only centres, a positive ε with γ frozen, or evaluation with running averages. It tends
    to 1 for ρ → 0 and ρ → ∞, is more than 1/2 + θ/2π, and is 1 for θ = 0 and θ = π.

    Parameters
    ----------
    angle : float
        θ in [0, π], the angle between W* and the BN optimum, in radians.
    ratio : float
        ρ > 0, the standard deviation s of each initial weight over the length of the BN optimum.

    Returns
    -------
    float
        By adaptive quadrature, to about 1e-12.

    Raises
    ------
    ValueError
        If the angle is not in [0, π] or the ratio is not positive.

    Notes
    -----
    With :math:`z, z'` the coordinates of W₀/s along W* and across it in the plane of the two
    optima, the lemma holds where :math:`2 z' \sin\theta \ge \rho z^2 - 2z\cos\theta + 1/\rho`:
    on and inside the parabola with the BN optimum as focus and the line of W* as directrix.
    """
    from scipy.integrate import quad  # on first use: it takes longer to load than bnlib

    theta, rho = real_number("angle", angle), real_number("ratio", ratio)
    if not 0 <= theta <= np.pi:
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    if rho <= 0:
        raise ValueError(f"ratio: must be positive, got {rho:g}.")
    if rho < 0.01:
        return 1.0  # inside the parabola ‖W₀‖ is at least half the length of its focus
    sine, axis = math.sin(theta), math.cos(theta) / rho
    # Φ is 0 farther than this from the axis: for small angles the parabola is a needle.
    reach = math.sqrt(max(2 * _FAR * sine / rho - (sine / rho) ** 2, 0.0))
    low, high = max(axis - reach, 0.0), min(axis + reach, _FAR)
    if low >= high:
        return 1.0

    def holds(z: float) -> float:
        edge = (rho * (z - axis) ** 2 + sine**2 / rho) / (2 * sine)
        return math.exp(-z * z / 2) * math.erfc(edge / math.sqrt(2)) / math.sqrt(2 * math.pi)

    cuts = pairwise(np.linspace(low, high, 9))
    return float(1.0 - sum(quad(holds, *each, epsabs=1e-14)[0] for each in cuts))
