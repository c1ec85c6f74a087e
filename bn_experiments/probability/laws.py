"""How often a Gaussian start violates the lemma at a point, and the weaker statement at a ray."""

import math
from itertools import pairwise

import numpy as np

from bn_solver.arrays import choice, real_number, representable
from bnlib.laws import mean_excess

_FAR = 9.0  # above this Φ(-x) is nothing, next to 1, in float64


def point_failure_probability(angle: float, ratio: float) -> float:
    r"""Return the probability that a Gaussian initialization violates the lemma.

    .. math:: P = 1 - 2 \int_0^\infty \varphi(z)\,
       \Phi\!\left(-\frac{\rho z^2 - 2z\cos\theta + 1/\rho}{2\sin\theta}\right) dz ,

    given the hypothesis, for :math:`W_0 \sim N(0, s^2 I)` in every dimension d ≥ 2, one
    standard optimum W* ≠ 0 and one BN optimum, the *point* :math:`\hat W^* \neq 0`: batch norm
    that only centres, a positive ε with γ frozen, or evaluation with running averages. Here θ is
    the angle between the two and :math:`\rho = s/\|\hat W^*\|`. It tends to 1 for ρ → 0 and
    ρ → ∞, is more than 1/2 + θ/2π, and is 1 for θ = 0 and θ = π. To about 1e-12.

    With :math:`z, z'` the coordinates of W₀/s along W* and across it in the plane of the two
    optima, the lemma holds where :math:`2 z' \sin\theta \ge \rho z^2 - 2z\cos\theta + 1/\rho`:
    on and inside the parabola with the BN optimum as focus and the line of W* as directrix.

    See Also
    --------
    weaker_failure_probability : parameters.
    failure_probability : result and errors.
    """
    from scipy.integrate import quad  # on first use: it takes longer to load than bnlib

    theta, rho = _checked(angle, ratio)
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


def weaker_failure_probability(angle: float, ratio: float) -> float:
    r"""Return the probability that a Gaussian initialization violates the weaker statement.

    .. math:: P = \frac1\pi \int_{-\pi/2}^{\theta/2}
       \Bigl(e^{-r_-^2/2\rho^2} - e^{-r_+^2/2\rho^2}\Bigr)\,d\psi, \qquad
       r_\pm = \frac{\cos\psi \pm \sqrt{\cos^2\psi - \cos_+^2(\psi - \theta)}}
                    {\cos_+^2(\psi - \theta)},

    given the hypothesis, for :math:`W_0 \sim N(0, s^2 I)` and :math:`\rho = s/\|W^*\|`, one
    standard optimum and one BN ray, in every dimension d ≥ 2. Where the cosine is not positive,
    :math:`r_- = 1/(2\cos\psi)` and :math:`r_+ = \infty`, which leaves Owen's T. It tends to 0
    for ρ → 0 and, slowly, to θ/π for ρ → ∞. By adaptive quadrature, to about 1e-9.

    In units of ‖W*‖ and polar coordinates (r, ψ) of the plane, ψ from W* towards the ray, the
    statement is violated where r² cos₊²(ψ − θ) < 2r cos ψ − 1: for r between r₋ and r₊, if
    ψ < θ/2. The length r has a Rayleigh law, ψ is uniform, and the hypothesis is −π/2 < ψ < π/2.

    Parameters
    ----------
    angle, ratio : float
        θ in [0, π], between W* and the BN ray, and ρ > 0.

    See Also
    --------
    failure_probability : result and errors; also if the ratio is not positive.
    """
    from scipy.integrate import quad
    from scipy.special import owens_t

    theta, rho = _checked(angle, ratio)
    if rho < 0.01:
        return 0.0  # at most exp(-1/(8ρ²)), which float64 cannot tell from 0
    # The ray is behind where ψ < θ - π/2: there the integral of exp(-1/(8ρ²cos²ψ)).
    behind = 2 * (owens_t(0.5 / rho, np.inf) - owens_t(0.5 / rho, math.tan(np.pi / 2 - theta)))
    # Up to θ/2, ψ = θ/2 - v² takes away the root at the end; finer where it changes quickly.
    steps = np.array([0.0, *np.geomspace(1e-12, 1.0, 37)])
    cuts = pairwise(np.sqrt((np.pi - theta) / 2) * np.union1d(steps, np.sqrt(1 - steps)))
    before = sum(quad(_before, *each, (theta, rho), epsabs=1e-13)[0] for each in cuts)
    return float(min(behind + before / np.pi, 1.0))


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


def _checked(angle: float, ratio: float) -> tuple[float, float]:
    """Return θ and ρ as floats, if they are in range."""
    theta, rho = real_number("angle", angle), real_number("ratio", ratio)
    if not 0 <= theta <= np.pi:
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    if rho <= 0:
        raise ValueError(f"ratio: must be positive, got {rho:g}.")
    return theta, rho


def mean_gain(angle: float, size: float, scale: float, reading: str = "infimum") -> float:
    r"""Return how much closer the closest BN optimum is than W* on average, in squared distance.

    .. math:: E\bigl[\|W_0 - W^*\|^2 - \text{left}\bigr]
       = n^2 - 2 \sqrt{\tfrac2\pi}\, s\, n
         + s^2 \Bigl(1 - \frac{2\theta - \sin 2\theta}{2\pi}\Bigr)

    given the hypothesis, for :math:`W_0 \sim N(0, s^2 I)`, n = ‖W*‖, one standard optimum and one
    BN ray at the angle θ, in every dimension d ≥ 2, with left the infimum where no BN optimum is
    closest. What the lemma promises is its value at θ = 0, where it is the mean of
    :math:`(n - \langle W_0, W^*\rangle / n)^2`. Given that one is closest (θ < π),

    .. math:: n^2 - \sqrt{2\pi}\, s\, n\, \frac{1 + \cos\theta}{\pi - \theta}
         + s^2 \Bigl(1 + \frac{\sin 2\theta}{2(\pi - \theta)}\Bigr) ,

    which is also what the lemma promises there.

    Parameters
    ----------
    size, scale : float
        n and s, both positive.
    reading : str
        ``"infimum"`` or ``"given_closest"``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the angle is not in [0, π], a number not positive, or there is no mean in this reading.

    See Also
    --------
    weaker_failure_probability : angle.
    """
    theta, _ = _checked(angle, 1.0)
    n, s = real_number("size", size), real_number("scale", scale)
    if not (n > 0 and s > 0):
        raise ValueError(f"size, scale: must be positive, got {n:g} and {s:g}.")
    choice("reading", reading, ("infimum", "given_closest"))
    if reading == "infimum":
        mean, square = math.sqrt(2 / math.pi), 1.0 - float(mean_excess(theta))
    elif theta < math.pi:
        mean = math.sqrt(math.pi / 2) * (1 + math.cos(theta)) / (math.pi - theta)
        square = 1.0 + math.sin(2 * theta) / (2 * (math.pi - theta))
    else:
        raise ValueError(f"reading: {reading!r} has no mean at the angle {theta:g}.")
    gain = np.asarray(n * n - 2 * mean * s * n + s * s * square)
    return float(representable("mean gain", gain, cause="size, scale"))
