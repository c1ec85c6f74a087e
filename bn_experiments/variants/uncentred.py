"""Normalizers that divide the pre-activations by their size and subtract nothing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bn_experiments.search import scan_directions
from bn_solver.arrays import (
    EPS,
    Array,
    centered,
    choice,
    real_array,
    real_number,
)
from bn_solver.limits import within_range
from bnlib import LearningSet, Ray
from bnlib.learning_set import require_learning_set

DIVISORS = ("rms", "std", "weights")
"""N(w): root mean square of y, standard deviation of y, or ‖w‖."""


@dataclass(frozen=True)
class UncentredNeuron:
    r"""A linear neuron whose pre-activations y = Xw are divided by N(w), and not centred.

    .. math:: z = \gamma\,\frac{y}{N(w)}, \qquad
       \hat L(w) = \frac1m \sum_{i=1}^m (z_i - t_i)^2
       = \Bigl\|\frac{\gamma w}{N(w)} - W^*\Bigr\|_M^2 + \text{const},
       \qquad M = \tfrac1m X^\top X,

    with N(w) the root mean square of y (``"rms"``; as `bnlib.BatchNorm` with ``center=False``),
    its standard deviation (``"std"``), or ‖w‖ (``"weights"``: weight normalization).

    Parameters
    ----------
    divisor, gamma : str, float
        ``"rms"``, ``"std"`` or ``"weights"``; γ > 0, frozen.

    Raises
    ------
    ValueError
        If the divisor is unknown or γ not positive. The methods: if the weights do not fit, N is
        zero, or float64 overflows.

    Examples
    --------
    >>> from bnlib import counterexample
    >>> UncentredNeuron("std").optima(counterexample())
    [Ray([0.888334, 0.459198])]
    """

    divisor: str
    gamma: float = 1.0

    def __post_init__(self) -> None:
        choice("divisor", self.divisor, DIVISORS)
        gamma = real_number("gamma", self.gamma)
        if gamma <= 0:
            raise ValueError(f"gamma: must be positive, got {gamma:g}.")
        object.__setattr__(self, "gamma", gamma)

    def columns(self, data: LearningSet) -> Array:
        """Return the inputs as the neuron sees them, shape (d, m)."""
        require_learning_set(data)
        return np.asarray(data.inputs.T)

    @within_range("weights, data")
    def size(self, weights: npt.ArrayLike, data: LearningSet) -> tuple[Array, Array]:
        """Return N(w), shape (...), and its gradient, shape (..., d)."""
        columns = self.columns(data)
        w = self._weights(weights, data)
        if self.divisor == "std":
            columns = centered(columns, axis=-1)
        y = w @ columns
        half = w if self.divisor == "weights" else y @ columns.T / data.m
        size = np.sqrt(np.sum(w * w if self.divisor == "weights" else y * y / data.m, axis=-1))
        if (size <= 0).any():
            raise ValueError("weights: N(w) is zero, so z is not defined; use other weights.")
        return size, half / size[..., None]

    def _weights(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        return real_array("weights", weights, shape="(..., d)", last=data.d)

    @within_range("weights, data")
    def loss(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean over the examples of the squared residual, shape (...).

        Parameters
        ----------
        weights, data : array_like of shape (..., d), LearningSet
        """
        size, _ = self.size(weights, data)
        z = self.gamma * (self._weights(weights, data) @ self.columns(data)) / size[..., None]
        return np.asarray(np.mean((z - data.targets) ** 2, axis=-1))

    @within_range("weights, data")
    def gradient(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        r"""Return the exact gradient of the loss, shape (..., d); it is orthogonal to w.

        .. math:: \nabla\hat L = \frac{2\gamma}{m N}\Bigl(X^\top r
           - \frac{\langle y, r\rangle}{N}\,\nabla N\Bigr), \qquad r = z - t .
        """
        size, slope = self.size(weights, data)
        y = self._weights(weights, data) @ self.columns(data)
        factor = self.gamma / size[..., None]
        r = factor * y - data.targets
        turn = np.sum(y * r, axis=-1, keepdims=True) / size[..., None]
        return np.asarray(2 / data.m * factor * (r @ data.inputs - turn * slope))

    @within_range("weights, data, along")
    def slope_rounding(self, weights: npt.ArrayLike, data: LearningSet, along: Array) -> Array:
        """Return a bound of the rounding error of ⟨∇L, v⟩, shape (..., k).

        The sizes of all terms of the gradient, times the number of roundings; N, a root of a sum
        of squares of differences, loses more where it is small.

        Parameters
        ----------
        along : ndarray, shape (..., d, k)
            Directions v in the columns.
        """
        size, slope = self.size(weights, data)
        w, columns = np.abs(self._weights(weights, data)), np.abs(self.columns(data))
        along = real_array("along", along, shape="(..., d, k)")
        y = w @ columns
        lost = 1 + np.mean(y**2, axis=-1, keepdims=True) / size[..., None] ** 2
        factor = self.gamma / size[..., None]
        r = lost * factor * y + np.abs(data.targets)
        turn = np.sum(y * r, axis=-1, keepdims=True) / size[..., None]
        terms = 2 / data.m * factor * (r @ columns.T + lost * turn * np.abs(slope))
        count = 4 * (data.m + data.d) + 32
        return np.asarray(count * EPS * (terms[..., None, :] @ np.abs(along))[..., 0, :])

    def optima(self, data: LearningSet) -> list[Ray]:
        """Return the rays of strict local minima for two weights, by increasing loss.

        That none is missed is plausible, not proved: see `scan_directions`, which finds them.
        """
        return list(scan_directions(self, data).minima)
