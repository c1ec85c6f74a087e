"""A weaker statement than Lemma 4.5: the set of BN optima against the *point* W*."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bnlib._numeric import squared_norm
from bnlib._validation import real_array, real_number
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum


def check_weaker(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
    *,
    rtol: float = 1e-12,
) -> LemmaCheck:
    r"""Check the weaker inequality for one or many initializations.

    .. math:: \|W_0 - \hat W^*\| \;\le\; \|W_0 - W^*\| \qquad
       \text{if } \langle W_0, W^*\rangle > 0 .

    The lemma without the term that it subtracts on the right: the closest BN optimum is at
    least as close as the closest standard optimum. It follows from the lemma, so it holds
    wherever the lemma does.

    Parameters
    ----------
    start, standard_optima, normalized_optima, rtol
        As for `check_lemma`.

    Returns
    -------
    LemmaCheck
        With the squares of both sides.

    Raises
    ------
    ValueError
        As for `check_lemma`.
    """
    lemma = check_lemma(start, standard_optima, normalized_optima, rtol=rtol)
    w = real_array("start", start, shape="(..., d)")
    distances = [each.squared_distance(w) for each in standard_optima]
    right = np.min(distances, axis=0)
    noise = rtol * np.maximum(squared_norm(w), np.maximum(lemma.left, right))
    violated = np.asarray(lemma.applies & (lemma.left - right > noise))
    return LemmaCheck(lemma.applies, lemma.left, right[()], violated[()])


def weaker_failure_probability(angle: float, ratio: float) -> float:
    r"""Return the probability that a Gaussian initialization violates the weaker statement.

    .. math:: P = \frac1\pi \int_{-\pi/2}^{\theta/2}
       \Bigl(e^{-r_-^2/2\rho^2} - e^{-r_+^2/2\rho^2}\Bigr)\,d\psi, \qquad
       r_\pm = \frac{\cos\psi \pm \sqrt{\cos^2\psi - \cos_+^2(\psi - \theta)}}
                    {\cos_+^2(\psi - \theta)},

    given the hypothesis, for :math:`W_0 \sim N(0, s^2 I)` and :math:`\rho = s/\|W^*\|`, one
    standard optimum and one BN ray, in every dimension d ≥ 2. Where the cosine is not positive,
    :math:`r_- = 1/(2\cos\psi)` and :math:`r_+ = \infty`. It tends to 0 for ρ → 0 and, slowly,
    to θ/π for ρ → ∞.

    Parameters
    ----------
    angle : float
        θ in [0, π], the angle between W* and the BN ray, in radians.
    ratio : float
        ρ > 0, the standard deviation of each initial weight over the length of W*.

    Returns
    -------
    float
        By adaptive quadrature, to about 1e-9.

    Raises
    ------
    ValueError
        If the angle is not in [0, π] or the ratio is not positive.

    Notes
    -----
    In units of ‖W*‖ and polar coordinates (r, ψ) of the plane, ψ from W* towards the ray, the
    statement is violated where r² cos₊²(ψ − θ) < 2r cos ψ − 1: for r between r₋ and r₊, if
    ψ < θ/2. The length r has a Rayleigh law, ψ is uniform, and the hypothesis is −π/2 < ψ < π/2.
    """
    # Imported on first use: scipy.integrate takes longer to load than bnlib.
    from scipy.integrate import quad

    theta, rho = real_number("angle", angle), real_number("ratio", ratio)
    if not 0 <= theta <= np.pi:
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    if rho <= 0:
        raise ValueError(f"ratio: must be positive, got {rho:g}.")
    if rho < 0.01:
        return 0.0  # at most exp(-1/(8ρ²)), which float64 cannot tell from 0
    # Where the integrand changes quickly: next to the corners, on scales that ρ sets.
    length = (np.pi - theta) / 2  # from the corner θ - π/2 to the end θ/2
    steps = np.array([0.0, *np.geomspace(1e-12, 1.0, 37)])
    beyond = -np.pi / 2 + theta * np.union1d(steps, 1 - steps)  # the ray is behind
    within = np.sqrt(length) * np.union1d(steps, np.sqrt(1 - steps))
    parts = [quad(_behind, *each, (rho,), epsabs=1e-13)[0] for each in pairwise(beyond)]
    # ψ = θ/2 - v² takes away the root at the end.
    parts += [quad(_before, *each, (theta, rho), epsabs=1e-13)[0] for each in pairwise(within)]
    return float(min(sum(parts) / np.pi, 1.0))


def _behind(psi: float, rho: float) -> float:
    """Return P(r > 1/(2 cos ψ))."""
    cosine = max(math.cos(psi), 1e-300)
    return math.exp(-0.5 * min(1 / (2 * cosine * rho), 1e100) ** 2)


def _before(v: float, theta: float, rho: float) -> float:
    """Return P(r₋ < r < r₊) times 2v, at ψ = θ/2 − v²."""
    psi = theta / 2 - v**2
    cosine = max(math.cos(psi), 0.0)
    toward = max(math.cos(psi - theta), 1e-150)
    # cos²ψ - cos²(ψ - θ), without the cancellation
    root = math.sqrt(max(math.sin(theta) * math.sin(2 * v**2), 0.0))
    if cosine + root <= 0:
        return 0.0
    nearer = min(1 / ((cosine + root) * rho), 1e100)
    ratio = 2 * math.sqrt(cosine) * math.sqrt(root) / toward**2 / rho
    width = -math.expm1(-0.5 * min(ratio, 1e100) ** 2)
    return 2 * v * math.exp(-0.5 * nearer**2) * width
