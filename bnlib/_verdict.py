"""The verdict on a bound of the distance to the BN optima: both sides, and how far they are known.

Left is the squared distance from W₀ to the closest BN optimum, right what is promised of it for
the closest W*, if ⟨W₀, W*⟩ > 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_solver.doubled import length, orthogonal
from bnlib._arrays import Array, power_of_two, real_array, squared_norm, unit
from bnlib._optimal_set import residual
from bnlib.optima import Optimum, Point, Ray

Booleans = npt.NDArray[np.bool_]

Promise = Callable[["Projection"], tuple[Array, Array]]
"""The right side for one W*, and a bound of the error of its root."""

# Weights that are checked at a time: they stay in the processor's cache between the passes.
_BLOCK = 1 << 17


class Projection:
    """Starts W₀, shape (n, d), projected on the ray of their closest element of a `Point`.

    Attributes
    ----------
    along, gap : ndarray, shape (n,)
        ⟨W*/‖W*‖, W₀⟩, and ‖W₀‖² less its square, the squared distance to the line through W*.
    error : ndarray, shape (n,)
        A bound of the errors of `along` and of the root of `gap`.
    """

    def __init__(self, w: Array, total: Array, point: Point) -> None:
        self.starts, self.total, self.point = w, total, point
        self.size = _root(total, w.shape[1])
        moved = np.asarray(point.error)
        if point.along.size:
            stars = point.nearest(w)
            far = length(stars)
            directions = stars / np.where(far > 0, far, 1.0)[:, None]
            self.along = np.einsum("ij,ij->i", w, directions)
            gap = w - self.along[:, None] * directions
            self.gap = np.where(far > 0, np.einsum("ij,ij->i", gap, gap), total)
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
    return square, _distance_error(projection.point, projection.size, square)


def compare(
    start: npt.ArrayLike, standard_optima: Any, normalized_optima: Any, promise: Promise
) -> dict[str, Any]:
    """Return the fields of a `LemmaCheck` for starts of shape (..., d), in blocks of bounded size.

    See Also
    --------
    bnlib.check_lemma : the arguments and errors.
    """
    w = real_array("start", start, shape="(..., d)", finite=False)
    batch, d = w.shape[:-1], w.shape[-1]
    points: list[Point] = _fitting("standard_optima", standard_optima, d, Point)
    images = _fitting("normalized_optima", normalized_optima, d)
    related = [max(_relation(image, point) for image in images) for point in points]
    rows = w.reshape(math.prod(batch), d)
    size = max(1, _BLOCK // d)
    found: dict[str, list[Any]] = {}
    for begin in range(0, max(1, len(rows)), size):
        part = rows[begin : begin + size]
        total = squared_norm(part, w)
        with np.errstate(over="ignore", invalid="ignore"):  # of a bound, which is then infinite
            block = _block(part, total, (points, related, images), promise)
        for name, value in block.items():
            found.setdefault(name, []).append(value)
    return {name: np.concatenate(each).reshape(batch)[()] for name, each in found.items()}


def _block(w: Array, total: Array, optima: Any, promise: Promise) -> dict[str, Any]:
    points, related, images = optima
    (n, d), tiny = w.shape, 4 * _lost(w.shape[1])
    left, exists, left_error = _left_side(w, total, images)
    right, error = np.empty(n), np.empty(n)
    applies, violated, holds, unsure = np.zeros((4, n), bool)
    first, near = _closest(w, total, points)
    for i, (point, relation) in enumerate(zip(points, related, strict=True)):
        projected = Projection(w, total, point)
        along, off = projected.along, projected.error
        side, side_error = promise(projected)
        bound = np.full(n, tiny)
        for square, root_off in ((left, left_error), (side, side_error)):
            bound += root_off * (2 * _root(square, d) + root_off)
        if relation == _SAME and len(points) == len(images) == 1 and promise is gain:
            left, bound = np.where(along > 0, side, left), np.where(along > 0, 0.0, bound)
        here, excess = first == i, left - side
        right, error = np.where(here, side, right), np.where(here, bound, error)
        applies |= here & (along > 0)
        false = (along > off) & (excess > bound) & (not relation)
        true = (along < -off) | (excess < -bound) | projected.is_orthogonal() | (relation > 0)
        if promise is gain and not point.along.size:
            rows = np.flatnonzero(near[i] & ~true & ~false)
            more, less = _by_projections(w[rows], along[rows], off[rows], images)
            false[rows], true[rows] = more & (along > off)[rows], less
        violated |= near[i] & false
        holds |= near[i] & true
        unsure |= near[i] & ~true & ~false
    undecided = unsure | (violated & holds)
    return {
        "applies": applies,
        "exists": exists,
        "left": left,
        "right": right,
        "error": error,
        "violated": violated & ~undecided,
        "undecided": undecided,
    }


def _by_projections(
    w: Array, along: Array, off: Array, images: list[Optimum]
) -> tuple[Booleans, Booleans]:
    """Return where left − right is positive, and negative, for certain: as a² − b².

    Where a = ⟨W*/‖W*‖, W₀⟩ and b, the same for the closest ray, are small, the squares of the
    distances are equal up to rounding, these are not.
    """
    toward, error = np.full(len(w), -np.inf), np.zeros(len(w))
    for ray in images:
        if not isinstance(ray, Ray) or ray.along.size:
            return np.zeros(len(w), bool), np.zeros(len(w), bool)
        toward = np.maximum(toward, w @ ray.direction)
        error = np.maximum(error, ray.error + ray.rounding)
    error = error * _root(squared_norm(w), w.shape[1])
    return along - off > np.maximum(toward + error, 0.0), along + off < toward - error


def _left_side(w: Array, total: Array, images: list[Optimum]) -> tuple[Array, Booleans, Array]:
    """Return the squared distance to the closest BN optimum, whether one is, the root's error."""
    left, exists, error = np.full(len(w), np.inf), np.zeros(len(w), bool), np.zeros(len(w))
    size = _root(total, w.shape[1])
    for image in images:
        square = image.squared_distance(w)
        closer = square < left
        exists = np.where(closer, image.exists(w), exists)
        left = np.where(closer, square, left)
        error = np.maximum(error, _distance_error(image, size, square))
    return left, exists, error


def _closest(w: Array, total: Array, points: list[Point]) -> tuple[Any, Booleans]:
    """Return which point is closest to each start, the first of equals, and which may be."""
    if len(points) == 1:
        return np.zeros(len(w), int), np.ones((1, len(w)), bool)
    squares, size = np.array([each.squared_distance(w) for each in points]), _root(total, len(w.T))
    pairs = zip(points, squares, strict=True)
    errors = np.array([_distance_error(each, size, square) for each, square in pairs])
    roots = _root(squares, w.shape[1])
    return squares.argmin(axis=0), roots - errors <= (roots + errors).min(axis=0)


def _distance_error(optimum: Optimum, size: Array, square: Array) -> Array:
    """Return a bound of the error of a distance, given its square and the norm of the start."""
    if isinstance(optimum, Ray):
        return (optimum.error + optimum.rounding) * size
    if optimum.along.size:
        return optimum.error + optimum.rounding * (size + length(optimum.weights))
    return optimum.error + optimum.rounding * _root(square, optimum.d)


def _root(square: Array, d: int) -> Array:
    """Return a root that is not too small where squares of d numbers underflow."""
    return np.asarray(np.sqrt(square + _lost(d)))


def _lost(d: int) -> float:
    return 4 * (d + 4) * 5e-324


_SAME, _MORE = 1, 2


def _relation(image: Optimum, point: Point) -> int:
    """Return, by structure, if BN optima are the ray of W* (_SAME) or contain it and more (_MORE).

    Or have it as a limit; 0 if neither is known.
    """
    if not isinstance(image, Ray):
        return _MORE * int(image.along.shape[1] == image.d)
    more = image.along.shape[1] - point.along.shape[1]
    if not more:
        same = image.origin and image.origin == point.origin and image.direction @ point.weights > 0
        if not (point.error or image.error or point.along.size) and point.weights.any():
            same = same or (unit(point.weights) == image.direction).all()
        # Sets of one kernel on one ray: the closest W* need not be on it, and left ≤ right.
        return (_MORE if point.along.size else _SAME) * bool(same)
    rounding = image.rounding + point.rounding
    off = point.along - image.along @ (image.along.T @ point.along)
    size = float(length(point.weights))
    room = point.error + size * (image.error + rounding)
    inside = more > 0 and np.abs(off).max(initial=0.0) <= rounding and room <= 1e-6 * size
    return _MORE * int(inside and bool(image.squared_distance(point.weights) <= room**2))


def _fitting(name: str, optima: Any, d: int, kind: Any = Optimum) -> list[Any]:
    """Return the optima as a list, if there are any, of this kind and with d weights."""
    if not isinstance(optima, Sequence):
        raise ValueError(
            f"{name}: expected a list of optima, got {type(optima).__name__}; "
            "pass what Neuron.optima returns."
        )
    if not optima:
        raise ValueError(f"{name}: is empty; without an optimum the lemma says nothing.")
    for each in optima:
        if not isinstance(each, Optimum):
            raise ValueError(f"{name}: expected Point or Ray, got {type(each).__name__}.")
        if not isinstance(each, kind):
            raise ValueError(
                f"{name}: {each} is not a Point; the lemma compares with single optima of the "
                "standard network. Are the two lists swapped?"
            )
        if each.d != d:
            raise ValueError(f"{name}: {each} has {each.d} weights, but start has {d}.")
    return list(optima)
