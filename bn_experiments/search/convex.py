"""Neurons with a convex loss, whose one optimum Newton's method finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import EPS, Array, choice, flag, real_array, representable
from bn_solver.limits import within_range
from bnlib import LearningSet, Point
from bnlib.learning_set import require_learning_set


class _Family(NamedTuple):
    """ℓ(z) and its mean function A with ℓ = A(z) − t z, A′ and A″; which targets have a minimum."""

    potential: Callable[[Array], Array]
    mean: Callable[[Array], Array]
    variance: Callable[[Array], Array]
    allowed: Callable[[Array], Any]
    said: str


def _logistic(z: Array) -> Array:
    return np.asarray(np.where(z < 0, np.exp(z), 1.0) / (1 + np.exp(-np.abs(z))))


FAMILIES = {
    "logistic": _Family(
        lambda z: np.logaddexp(0, z),
        _logistic,
        lambda z: _logistic(z) * _logistic(-z),
        lambda t: (t > 0) & (t < 1),
        "lie strictly between 0 and 1 (soft labels)",
    ),
    "poisson": _Family(np.exp, np.exp, np.exp, lambda t: t > 0, "be positive"),
}
"""By name; the loss of an example is A(z) − t z, the negative log-likelihood up to a constant."""


@dataclass(frozen=True)
class ConvexNeuron:
    r"""A neuron with z = x·w, or x·w + b, and a convex loss of a generalised linear model.

    .. math:: L(w) = \frac1m \sum_{i=1}^m \bigl(A(z_i) - t_i z_i\bigr), \qquad
       A(z) = \log(1 + e^z) \text{ (logistic)} \quad\text{or}\quad A(z) = e^z \text{ (Poisson)},

    the negative log-likelihood, averaged over the examples. With targets strictly between 0 and 1
    (logistic), or positive (Poisson), and inputs of rank d, with a bias together with the constant
    of rank d + 1, L is strictly convex and grows in every direction: its minimum is unique and
    finite.

    Parameters
    ----------
    family, bias : str, bool
        ``"logistic"`` or ``"poisson"``; whether b is trained, then the last of the weights.

    Raises
    ------
    ValueError
        If the family is unknown or the bias not a flag. The methods: if weights or targets do not
        fit, the inputs have a lower rank, or float64 overflows.

    Examples
    --------
    >>> from bnlib import LearningSet
    >>> data = LearningSet([[1.0], [2.0], [3.0]], [0.2, 0.5, 0.8])
    >>> ConvexNeuron("logistic", bias=True).optimum(data)
    Point([ 1.386294, -2.772589])
    """

    family: str
    bias: bool = False

    def __post_init__(self) -> None:
        choice("family", self.family, FAMILIES)
        flag("bias", self.bias)

    def _design(self, weights: npt.ArrayLike, data: LearningSet) -> tuple[Array, Array]:
        require_learning_set(data)
        family = FAMILIES[self.family]
        if not family.allowed(data.targets).all():
            raise ValueError(f"targets: must {family.said}; else the minimum may be infinite.")
        x = np.column_stack([data.inputs, np.ones(data.m)]) if self.bias else data.inputs
        return real_array("weights", weights, shape="(..., d)", last=x.shape[1]), np.asarray(x)

    def loss(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean over the examples of A(z) − t z, shape (...).

        Parameters
        ----------
        weights, data : array_like of shape (..., d), with a bias (..., d + 1), LearningSet
        """
        w, x = self._design(weights, data)
        with np.errstate(over="ignore", invalid="ignore"):
            terms = FAMILIES[self.family].potential(w @ x.T) - data.targets * (w @ x.T)
            return representable("loss", np.mean(terms, axis=-1), cause="weights, data")

    def gradient(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the gradient, the mean of (A′(z) − t) x, shape (..., d)."""
        w, x = self._design(weights, data)
        with np.errstate(over="ignore", invalid="ignore"):
            gradient = (FAMILIES[self.family].mean(w @ x.T) - data.targets) @ x / data.m
        return representable("gradient", gradient, cause="weights, data")

    def hessian(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the Hessian, the mean of A″(z) x xᵀ, shape (..., d, d)."""
        w, x = self._design(weights, data)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = FAMILIES[self.family].variance(w @ x.T)[..., None] * x / data.m
            hessian = np.swapaxes(scaled, -1, -2) @ x
        return representable("hessian", hessian, cause="weights, data")

    @within_range("data")
    def optimum(self, data: LearningSet) -> Point:
        """Return the minimum, with a bound of its distance from the true one.

        The bound is twice the gradient, computed and what rounding may have hidden of it, over the
        smallest eigenvalue of the Hessian there, which must not change by more than half within it.

        Returns
        -------
        Point
        """
        require_learning_set(data)
        w, x = self._design(np.zeros(data.d + self.bias), data)
        for _ in range(200):
            step = np.linalg.lstsq(self.hessian(w, data), self.gradient(w, data), rcond=None)[0]
            scale, loss = 1.0, float(self.loss(w, data))
            loss += 1e-12 * (1 + abs(loss))  # near the minimum rounding hides what a step gains
            while self._loss_or_infinity(w - scale * step, data) > loss and scale > 1e-10:
                scale /= 2
            w = w - scale * step
            if np.linalg.norm(step) <= 1e-13 * np.linalg.norm(w):
                break
        family = FAMILIES[self.family]
        terms = (np.abs(family.mean(x @ w)) + data.targets) * np.abs(x).max(axis=1)
        hidden = 8 * EPS * (data.m + data.d) * np.mean(terms * (1 + np.abs(x @ w)))
        least = float(np.linalg.eigvalsh(self.hessian(w, data)).min())
        missing = float(np.linalg.norm(self.gradient(w, data))) + np.sqrt(x.shape[1]) * hidden
        error = 2 * missing / least if least > 0 else np.inf
        # A″ changes by a factor of at most exp(|Δz|) for both families.
        if not error * np.linalg.norm(x, axis=1).max() < np.log(2):
            raise ValueError(
                "inputs: nearly collinear, with the constant if there is a bias, or the optimum is "
                "nearly infinite; drop or rescale inputs, or soften the targets."
            )
        return Point(w, error)

    def _loss_or_infinity(self, weights: Array, data: LearningSet) -> float:
        try:
            return float(self.loss(weights, data))
        except ValueError:
            return np.inf
