"""Starts projected on the ray of W*: what the lemma promises there, and how far it is known."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, power_of_two, residual
from bn_solver.doubled import length, orthogonal
from bnlib.optima import Optimum, Point, Ray

Booleans = npt.NDArray[np.bool_]


class Projection:
    """Starts W₀, shape (n, d), projected on the ray of their closest element of a `Point`.

    Attributes
    ----------
    along, gap : ndarray, shape (n,)
        ⟨W*/‖W*‖, W₀⟩, and ‖W₀‖² less its square, the squared distance to the line through W*.
    error : ndarray, shape (n,)
        A bound of the errors of `along` and of the root of `gap`.
    """

    def __init__(self, w: Array, total: Array, size: Array, point: Point) -> None:
        self.starts, self.size, self.point = w, size, point
        moved = np.asarray(point.error)
        if point.along.size:
            stars = point.nearest(w)
            far = length(stars)
            directions = stars / np.where(far > 0, far, 1.0)[:, None]
            self.along = np.einsum("ij,ij->i", w, directions)
            gap = w - self.along[:, None] * directions
            self.gap = np.einsum("ij,ij->i", gap, gap)
            moved = moved + point.rounding * (self.size + length(point.weights))
        else:
            # Only scaled by a power of two, so that an orthogonal start gives exactly 0.
            scaled = point.weights / power_of_two(np.abs(point.weights).max())
            norm = np.linalg.norm(scaled) or 1.0
            self.along, far = np.asarray(w @ scaled / norm), length(point.weights)
            self.gap = residual(w, total, scaled / norm, self.along)
        turn = np.divide(2 * moved, far, out=np.asarray(2.0 * (moved > 0)), where=far > 0)
        self.error = (np.minimum(turn, 2.0) + point.rounding) * self.size

    def is_orthogonal(self) -> Booleans:
        """Return where ⟨W₀, W*⟩ = 0 exactly, of an exact W*."""
        found = np.zeros(len(self.along), bool)
        if not (self.point.error or self.point.along.size):
            rows = np.flatnonzero(self.along == 0)
            found[rows] = orthogonal(self.starts[rows], self.point.weights)
        return found


def gain(projection: Projection) -> tuple[Array, Array]:
    """Return what Lemma 4.5 promises: the squared distance to the line through W*."""
    return projection.gap, projection.error


def distance(projection: Projection) -> tuple[Array, Array]:
    """Return what follows from it: the squared distance to W*."""
    square = projection.point.squared_distance(projection.starts)
    return square, distance_error(projection.point, projection.size, square)


Promise = Callable[["Projection"], tuple[Array, Array]]
"""The right side for one W*, and a bound of the error of its root."""


def distance_error(optimum: Optimum, size: Array, square: Array) -> Array:
    """Return a bound of the error of a distance, given its square and the norm of the start."""
    if isinstance(optimum, Ray):
        return (optimum.error + optimum.rounding) * size
    if optimum.along.size:
        return optimum.error + optimum.rounding * (size + length(optimum.weights))
    return optimum.error + optimum.rounding * root(square, optimum.d)


def root(square: Array, d: int) -> Array:
    """Return a root that is not too small where squares of d numbers underflow."""
    return np.asarray(np.sqrt(square + lost(d)))


def lost(d: int) -> float:
    return 4 * (d + 4) * 5e-324
