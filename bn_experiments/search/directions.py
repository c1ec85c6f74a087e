"""All optimal directions of a scale-invariant loss of two weights, from a fine scan."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bn_experiments.search._rounding import slope_rounding
from bn_experiments.search.pieces import FlatSector
from bn_solver.arrays import EPS, Array, power_of_two, unit, whole_number
from bn_solver.limits import within_range
from bnlib import LearningSet, Ray
from bnlib.learning_set import require_learning_set

_LEVEL = 64 * EPS  # derivatives below this fraction of the loss are zero up to rounding
_SHORT = 2.0**-100  # a length at which any ε shows
_ASIDE = 2.0 ** np.arange(-50, -5)  # how far from a minimum signs of the derivative are looked at


@dataclass(frozen=True, eq=False)
class DirectionScan:
    """The optima of a loss over all directions of two weights.

    Attributes
    ----------
    minima : list of Ray
        The strict local minima, by increasing loss, each with a bound of its error: the loss
        falls towards the minimum on both sides of it, beyond what rounding can feign.
    flat : list of FlatSector
        Where the loss is constant.
    """

    minima: list[Ray]
    flat: list[FlatSector]


@within_range("data")
def scan_directions(neuron: Any, data: LearningSet, *, n: int = 720) -> DirectionScan:
    r"""Find the optimal rays of a neuron with batch norm and two weights.

    The directions are :math:`u(\alpha) = T (\cos\alpha, \sin\alpha)^\top`, with *T* such that
    the inputs, centred if the neuron centres, become uncorrelated with unit variance: the
    normalized outputs are then sines of α of one amplitude, whatever the inputs. The exact
    derivative :math:`\langle\nabla L(u), u'(\alpha)\rangle` is taken on a grid of α; each change
    of sign is refined to the last digit, all at once, by a bracketing method.

    Parameters
    ----------
    neuron : Neuron
        With ``scale=True`` and ε = 0; or any object with such a loss, its gradient,
        ``columns``, and ``slope_rounding(weights, data, along)``: a bound of the rounding error
        of ⟨∇L, v⟩ for columns v, shape (..., 2, 1).
    data, n : LearningSet, int
        Examples with two inputs; number of directions on the grid, at least 16.

    Returns
    -------
    DirectionScan

    Raises
    ------
    ValueError
        If there are not two weights, the loss depends on the length of the weights, or the
        (centred) inputs lie on one line, so that batch norm divides by zero in one direction.

    Notes
    -----
    Two optima between neighbouring directions of the grid are missed, unless the derivative
    comes near zero there, where the scan looks more closely. That doubling n finds nothing new
    makes the list plausible; it is no proof.

    Examples
    --------
    >>> from bnlib import BatchNorm, Neuron, counterexample
    >>> scan_directions(Neuron(normalization=BatchNorm()), counterexample()).minima
    [Ray([0.857493, 0.514496])]
    """
    require_learning_set(data)
    whole_number("n", n, at_least=16)
    circle = _Circle(neuron, data)
    # Half a step away from 0, where simple inputs have their kinks.
    alpha = 2 * np.pi * (np.arange(n) + 0.5) / n
    derivative = circle.derivative(alpha)
    level = _LEVEL * float(circle.loss(alpha).max())
    flat = circle.flat(alpha, derivative, level)
    keep = np.abs(derivative) > level
    where, values = alpha[keep], derivative[keep]
    if len(where) > 2:
        where, values = circle.closer(where, values, level)
    following = np.append(where[1:], where[:1] + 2 * np.pi)
    changes = np.sign(values) * np.sign(np.roll(values, -1)) < 0
    for begin, end in flat:  # a change of sign across a flat arc is no strict optimum
        changes &= ~((where < end) & (begin < following))
        changes &= ~((where < end - 2 * np.pi) | (begin + 2 * np.pi < following))
    found = _roots(circle.derivative, where[changes], following[changes])
    found = found[values[changes] < 0]
    found = found[np.argsort(circle.loss(found), kind="stable")]
    minima = list(map(Ray, circle.weights(found), circle.errors(found)))
    return DirectionScan(minima, [circle.sector(begin, end) for begin, end in flat])


class _Circle:
    """The loss as a function of α, the angle in coordinates in which the inputs are round."""

    def __init__(self, neuron: Any, data: LearningSet) -> None:
        self.neuron, self.data = neuron, data
        self.rounding = getattr(neuron, "slope_rounding", partial(slope_rounding, neuron))
        columns = neuron.columns(data).T
        if columns.shape[1] != 2:
            raise ValueError(
                f"data: the neuron has {columns.shape[1]} weights, directions are scanned for 2."
            )
        size = power_of_two(np.abs(columns).max(axis=0))
        r = np.linalg.qr(columns / size, mode="r")
        noise = EPS * max(1.0, float((np.abs(data.inputs).max(axis=0) / size).max()))
        if len(r) < 2 or np.linalg.svd(r, compute_uv=False)[1] <= 64 * data.m * noise:
            raise ValueError(
                "inputs: they lie on one line, so in one direction all pre-activations are equal "
                "and batch normalization divides by zero; add inputs off that line."
            )
        # Columns of T; the second is turned such that α and the angle of u grow together.
        turn = np.linalg.inv(r) / size[:, None]
        self.frame = turn * [1.0, np.sign(np.linalg.det(turn))] / np.abs(turn).max()
        w = self.weights(np.linspace(0.1, 6.0, 12))
        if not np.allclose(neuron.loss(_SHORT * w, data), neuron.loss(w, data), rtol=1e-9, atol=0):
            raise ValueError(
                "neuron: its loss depends on the length of the weights, so its optima are no rays; "
                "use BatchNorm() with scale=True and epsilon=0, or search_weights."
            )

    def weights(self, alpha: Array) -> Array:
        return np.asarray(np.stack([np.cos(alpha), np.sin(alpha)], axis=-1) @ self.frame.T)

    def sector(self, begin: float, end: float) -> FlatSector:
        at = np.array([begin, end])
        first, last = (float(each) for each in np.arctan2(*self.weights(at).T[::-1]))
        turns = 0.0 if first < last and end - begin < 2 * np.pi else 2 * np.pi
        return FlatSector(first, last + turns, "plateau", float(self.loss(at)[0]))

    def loss(self, alpha: Array) -> Array:
        return np.asarray(self.neuron.loss(self.weights(alpha), self.data))

    def derivative(self, alpha: Array) -> Array:
        gradient = self.neuron.gradient(self.weights(alpha), self.data)
        return np.asarray(np.einsum("...d,...d->...", gradient, self.weights(alpha + np.pi / 2)))

    def errors(self, alpha: Array) -> Array:
        """Return how far the directions of minima can be from the true ones, as unit vectors."""
        at = alpha[:, None, None] + _ASIDE[:, None] * [-1.0, 1.0]  # minimum, distance, side
        w, along = self.weights(at), self.weights(at + np.pi / 2)[..., None]
        noise = self.rounding(w, self.data, along)[..., 0]
        clear = np.asarray((self.derivative(at) * [-1.0, 1.0] > noise).all(axis=-1))
        apart = unit(w) - unit(self.weights(alpha))[:, None, None]
        error = np.linalg.norm(apart, axis=-1).max(axis=-1) + 4 * EPS
        first = clear.argmax(axis=1)[:, None]
        error = np.where(clear.any(axis=1), np.take_along_axis(error, first, axis=1)[:, 0], 2.0)
        return np.asarray(error)

    def flat(self, alpha: Array, derivative: Array, level: float) -> list[tuple[float, float]]:
        """Return the arcs with zero derivative, two directions of the grid or more."""
        zero = np.abs(derivative) <= level
        if zero.all():
            return [(alpha[0], alpha[0] + 2 * np.pi)]
        first = np.flatnonzero(zero & ~np.roll(zero, 1) & np.roll(zero, -1))
        last = np.flatnonzero(zero & np.roll(zero, 1) & ~np.roll(zero, -1))
        if len(first) and last[0] < first[0]:
            last = np.roll(last, -1)
        step = alpha[1] - alpha[0]

        def outside(at: Array) -> Array:
            return np.where(np.abs(self.derivative(at)) <= level, -1.0, 1.0)

        begin = _roots(outside, alpha[first] - step, alpha[first])
        end = _roots(outside, alpha[last], alpha[last] + step)
        return list(zip(begin, np.where(begin < end, end, end + 2 * np.pi), strict=True))

    def closer(self, where: Array, values: Array, level: float) -> tuple[Array, Array]:
        """Add the directions in which the derivative dips through zero between the grid's."""
        before, after = np.roll(values, 1), np.roll(values, -1)
        size, dip = np.abs(values), np.abs(before - values) + np.abs(after - values)
        near = (values * before > 0) & (values * after > 0) & (size <= dip)
        near &= (size <= np.abs(before)) & (size <= np.abs(after))
        if not near.any():
            return where, values
        from scipy.optimize import elementwise

        left = np.append(where[-1:] - 2 * np.pi, where[:-1])
        right = np.append(where[1:], where[:1] + 2 * np.pi)
        sign = np.sign(values[near])
        found = elementwise.find_minimum(
            lambda at, s: s * self.derivative(at),
            (left[near], where[near], right[near]),
            args=(sign,),
            tolerances={"xatol": 1e-9, "xrtol": 1e-9},  # its sign is all that is asked for
        )
        new = found.success & (found.f_x < -level)
        where = np.concatenate([where, found.x[new]])
        values = np.concatenate([values, (sign * found.f_x)[new]])
        order = np.argsort(where, kind="stable")
        return where[order], values[order]


def _roots(function: Callable[[Array], Array], begin: Array, end: Array) -> Array:
    """Return a zero, or a jump over it, in each bracket."""
    if not len(begin):
        return begin
    from scipy.optimize import elementwise  # on first use: SciPy is half of the import time

    found = elementwise.find_root(function, (begin, end), tolerances={"xatol": EPS})
    return np.asarray(found.x)
