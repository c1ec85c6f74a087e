"""The optima of one linear neuron in closed form: a least-squares problem each."""

from __future__ import annotations

import numpy as np

from bnlib._numeric import EPS, centered, power_of_two
from bnlib._validation import Array, representable
from bnlib.batch_norm import BatchNorm, require_normalization
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.optima import Optimum, Point, Ray

# A ratio r this close to 1 is 1 up to rounding, where there is no minimum.
_THRESHOLD = 64 * EPS


def linear_optima(
    data: LearningSet, normalization: BatchNorm | None = None, *, bias: bool = False
) -> list[Optimum]:
    r"""Return the local minima of the loss of a neuron with identity activation.

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
        γ = 0, if a bias meets a normalization that centres it away, if a ray has no direction
        because the targets are uncorrelated with every input (all weights are then equally
        good), or if the optimum is too large for float64.

    Notes
    -----
    Inputs that are constant or collinear up to rounding count as constant or collinear, and
    r that is 1 up to rounding counts as 1.

    With a single weight and ε = 0 the normalized loss has just two values, one on each
    half-line, and every w ≠ 0 is a local minimum in the weak sense; the half-line with the
    smaller value is returned.
    """
    require_learning_set(data)
    require_normalization(normalization, bias=bias)
    x, t = data.inputs, data.targets
    if bias:
        x = np.column_stack([x, np.ones(len(x))])
    if normalization is None:
        return [Point(_Fit(x, t, center=False).weights("inputs, targets"))]
    norm = normalization
    if norm.gamma == 0.0:
        raise ValueError("gamma: is 0, so the loss does not depend on the weights; use gamma != 0.")
    with np.errstate(over="ignore"):
        t = representable("difference", t - norm.beta, cause="targets, beta")
    fit = _Fit(x, t, center=norm.center)
    if not norm.scale:
        return [Point(fit.weights("inputs, targets or gamma", 1.0, norm.gamma))]
    if norm.epsilon == 0.0:
        return [Ray(np.sign(norm.gamma) * fit.direction())]
    ratio = fit.root_mean_square / abs(norm.gamma)
    if ratio >= 1.0 - _THRESHOLD:
        return []
    shrink = np.sqrt((1.0 - ratio) * (1.0 + ratio))
    root = float(np.sqrt(norm.epsilon))
    return [Point(fit.weights("inputs, targets or gamma", root, norm.gamma * shrink))]


class _Fit:
    """The unique least-squares fit of X w to t, on data scaled to size 1.

    Columns and targets are scaled by powers of two, which is exact: so the rank does not
    depend on units, and neither 1e-150 nor 1e150 leaves the range of float64.
    """

    def __init__(self, x: Array, t: Array, *, center: bool) -> None:
        largest = np.abs(x).max(axis=0), np.abs(t).max()
        if center:
            x, t = centered(x, axis=0), centered(t, axis=0)
        self.columns, self.unit = power_of_two(np.abs(x).max(axis=0)), power_of_two(largest[1])
        scaled = x / self.columns
        # What centring cancels leaves rounding of the size of the data before it.
        noise = EPS * max(1.0, float((largest[0] / self.columns).max()))
        self.solution, _, rank, _ = np.linalg.lstsq(
            scaled, t / self.unit, rcond=max(x.shape) * noise
        )
        if rank < x.shape[1]:
            raise ValueError(
                f"inputs: {'centred ' if center else ''}rank {rank} with {x.shape[1]} weights, "
                "so the optimum is not unique; drop constant or collinear columns, or add examples."
            )
        fitted = float(np.sqrt(np.mean((scaled @ self.solution) ** 2)))
        self.root_mean_square = fitted * float(self.unit)
        self.vanishes = fitted <= 16 * np.sqrt(len(t)) * noise
        if self.vanishes:
            self.solution = np.zeros_like(self.solution)
        self.relation = "uncorrelated with" if center else "orthogonal to"

    def weights(self, cause: str, factor: float = 1.0, divisor: float = 1.0) -> Array:
        """Return the solution in the units of the data, times a factor, over a divisor."""
        with np.errstate(over="ignore", invalid="ignore"):
            weights = self.solution * (self.unit / self.columns) * factor / divisor
        return representable("optimum", weights, cause=cause)

    def direction(self) -> Array:
        """Return a positive multiple of the solution, or raise if there is none."""
        if self.vanishes:
            raise ValueError(
                f"targets: {self.relation} every input, so the normalized loss is the same in "
                "all directions and has no ray of optima; use other targets or inputs."
            )
        return np.asarray(self.solution * (self.columns.min() / self.columns))
