"""The verdict on a bound of the distance to the BN optima: both sides, and how far they are known.

Left is the squared distance from W₀ to the closest BN optimum, right what is promised of it for
the closest W*, if ⟨W₀, W*⟩ > 0.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, real_array, residual, squared_norm, unit
from bn_solver.doubled import length
from bnlib._projection import Booleans, Projection, Promise, distance_error, gain, lost, root
from bnlib.optima import Optimum, Point, Ray

# Weights that are checked at a time: they stay in the processor's cache between the passes.
_BLOCK = 1 << 17


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
    found: dict[str, Array] = {}
    for begin in range(0, max(1, len(rows)), size):
        part = rows[begin : begin + size]
        total = squared_norm(part, w)
        with np.errstate(over="ignore", invalid="ignore"):  # of a bound, which is then infinite
            block = _block(part, total, (points, related, images), promise)
        for name, value in block.items():
            if not begin:
                found[name] = np.empty(len(rows), value.dtype)
            found[name][begin : begin + size] = value
    return {name: each.reshape(batch)[()] for name, each in found.items()}


def _block(w: Array, total: Array, optima: Any, promise: Promise) -> dict[str, Any]:
    points, related, images = optima
    size = root(total, w.shape[1])
    left = _left_side(w, total, size, images)
    judged = [
        _judged(Projection(w, total, size, point), relation, images, left, promise)
        for point, relation in zip(points, related, strict=True)
    ]
    found = {"exists": left[1], **judged[0]}
    if len(points) > 1:  # all that may be the closest have to agree
        first, near = _closest(w, size, points)
        for i, each in enumerate(judged[1:], start=1):
            for name in ("applies", "left", "right", "error"):
                found[name] = np.where(first == i, each[name], found[name])
        false, true = (np.array([each[name] for each in judged]) for name in ("false", "true"))
        found["false"] = np.all(false | ~near, axis=0)
        found["true"] = np.all(true | ~near, axis=0)
    violated, true = found.pop("false"), found.pop("true")
    return found | {"violated": violated, "undecided": ~(violated | true)}


def _judged(
    projected: Projection,
    relation: int,
    images: list[Optimum],
    left: tuple[Array, Booleans, Array],
    promise: Promise,
) -> dict[str, Any]:
    """Return both sides for one W*, and where the inequality is false, and true, for certain."""
    along, off, d = projected.along, projected.error, projected.point.d
    (square, _, square_off), (right, right_off) = left, promise(projected)
    bound = square_off * (2 * root(square, d) + square_off)
    bound += right_off * (2 * root(right, d) + right_off)
    bound += 4 * lost(d)
    applies = along > 0
    if relation == _SAME and len(images) == 1 and promise is gain:
        square, bound = np.where(applies, right, square), np.where(applies, 0.0, bound)
    excess = square - right
    if relation:
        false, true = np.zeros(len(along), bool), np.ones(len(along), bool)
    else:
        false = (along > off) & (excess > bound)
        true = (along < -off) | (excess < -bound)
        rows = np.flatnonzero(~(false | true))
        if len(rows) and promise is gain and not projected.point.along.size:
            more, less = _by_projections(projected.starts[rows], along[rows], off[rows], images)
            false[rows], true[rows] = more & (along > off)[rows], less
        if len(rows):
            true |= projected.is_orthogonal()
    sides = {"applies": applies, "left": square, "right": right, "error": bound}
    return sides | {"false": false, "true": true}


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
    error = error * root(squared_norm(w), w.shape[1])
    return along - off > np.maximum(toward + error, 0.0), along + off < toward - error


def _left_side(
    w: Array, total: Array, size: Array, images: list[Optimum]
) -> tuple[Array, Booleans, Array]:
    """Return the squared distance to the closest BN optimum, whether one is, the root's error."""
    found = [_distance(w, total, size, image) for image in images]
    left, exists, error = found[0]
    for square, there, off in found[1:]:
        exists = np.where(square < left, there, exists)
        left, error = np.minimum(left, square), np.maximum(error, off)
    return left, exists, error


def _distance(w: Array, total: Array, size: Array, image: Optimum) -> tuple[Array, Booleans, Array]:
    """Return the same for one set of BN optima."""
    if isinstance(image, Ray) and not image.along.size:
        toward = w @ image.direction
        square = residual(w, total, image.direction, np.maximum(toward, 0.0))
        there = np.asarray(toward > 0)
    else:
        square, there = image.squared_distance(w), image.exists(w)
    return square, there, distance_error(image, size, square)


def _closest(w: Array, size: Array, points: list[Point]) -> tuple[Any, Booleans]:
    """Return which point is closest to each start, the first of equals, and which may be."""
    squares = np.array([each.squared_distance(w) for each in points])
    pairs = zip(points, squares, strict=True)
    errors = np.array([distance_error(each, size, square) for each, square in pairs])
    roots = root(squares, w.shape[1])
    return squares.argmin(axis=0), roots - errors <= (roots + errors).min(axis=0)


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
