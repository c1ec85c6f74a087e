"""What the theorem says of a learning set, as far as the optima are known: verdict and reason."""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from bn_solver.arrays import EPS, Array, unit
from bn_solver.doubled import length
from bnlib.closed_form import KNOWN
from bnlib.learning_set import LearningSet
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum, Point, Ray, angle

FAILS, TRUE, VOID, UNDECIDED = "fails", "true", "void", "undecided"
_ENTRIES, _WEIGHTS = 5000, 20  # of tables that take seconds in rational arithmetic


class Found(NamedTuple):
    """The verdict in the infimum and in the strict reading, why, and the angle where there is one.

    The reason is a key of `words.REASONS`.
    """

    infimum: str
    strict: str
    reason: str
    theta: float | None = None
    theta_error: float | None = None


_ONE_RAY = Found(TRUE, TRUE, "one ray", 0.0, 0.0)
_OPPOSITE = Found(FAILS, VOID, "opposite", np.pi, 0.0)


def judged(star: Point, image: Optimum, data: LearningSet | None = None) -> Found:
    """Return when the lemma holds for one linear neuron of any rank, from its optima.

    It holds for every admissible start if and only if 1 is a combination of the inputs, or
    w* = λû with λ ≥ 0 (strict reading: any λ). The first is told from the kernels, which are
    exact. The second is told by `check_lemma`: at W₀ = w* it is violated for certain, or true by
    structure, or undecided, and so is the verdict, unless the data are given and rational
    arithmetic tells.
    """
    size = float(length(star.weights))
    known = star.error < KNOWN * size
    nothing = not (star.weights.any() or star.error)
    if isinstance(image, Point):
        void = nothing and not star.along.size
        return Found(VOID, VOID, "zero") if void else Found(TRUE, TRUE, "uncorrelated")
    if image.along.shape[1] > star.along.shape[1]:
        return Found(TRUE, TRUE, "constant")
    if nothing:
        return Found(TRUE, TRUE, "kernel") if star.along.size else Found(VOID, VOID, "zero")
    if not known:
        return Found(UNDECIDED, UNDECIDED, "orthogonal")
    if star.d == 1 and not star.along.size:  # the signs are known, and tell all
        same = star.weights[0] * image.direction[0] > 0
        return _ONE_RAY if same else _OPPOSITE
    theta = angle(star.weights, image.direction)
    off = np.pi / 2 * (star.error / size + image.error) + star.rounding + image.rounding
    off = float(off + 4 * EPS * theta)
    at_star = check_lemma(star.weights, [star], [image])
    near = _checked(between(star, image), star, image)
    if at_star.violated and near.violated and near.exists:
        return Found(FAILS, FAILS, "apart", theta, off)
    if not (at_star.violated or at_star.undecided):
        return _ONE_RAY
    sign = exact_sign(data) if data is not None else None
    if at_star.undecided:
        open_ = Found(UNDECIDED, UNDECIDED, "one direction", theta, off)
        return _ONE_RAY if sign == 1 else open_
    opposite = _OPPOSITE._replace(strict=TRUE) if star.along.size else _OPPOSITE
    return opposite if sign == -1 else Found(FAILS, UNDECIDED, "apart", theta, off)


def between(star: Point, ray: Ray) -> Array:
    """Return a start near the bisector of W* and the ray, where the strict reading fails too.

    Its length is that of W*. The whole angle between them is θ < π.
    """
    e, u = unit(star.weights), ray.direction
    w = e + u + (1 + e @ u) / 2 * (e - u)
    return np.asarray(w * (float(length(star.weights)) / (float(length(w)) or 1.0)))


def failing_start(star: Point, ray: Ray) -> Array | None:
    """Return a start that violates the lemma for certain, in decimals that are as short as can be.

    At which a BN optimum is closest, if there is such a start; None if none was found.
    """
    found: Array | None = None
    for start in (star.weights, between(star, ray)):
        check = _checked(start, star, ray)
        if not check.violated or (found is not None and not check.exists):
            continue
        for digits in range(1, 18):
            short = np.array([float(f"{each:.{digits}g}") for each in start])
            again = _checked(short, star, ray)
            clear = digits > 16 or again.left - again.right > again.error
            if clear and again.violated and again.exists == check.exists:
                found = short
                break
        if found is not None and check.exists:
            return found
    return found


def _checked(start: Array, star: Point, ray: Ray) -> LemmaCheck:
    return check_lemma(start, [star], [ray])


def exact_sign(data: LearningSet) -> int | None:
    r"""Return the sign of λ in w* = λ û, 0 if there is no such λ; None for a table too large.

    For inputs of which no combination is 1, and c ≠ 0, w* ≠ 0. Then X and X_c have one kernel,
    and for *any* slope v of least squares with intercept

    .. math:: w^* = \lambda \hat u \iff X^\top t = \lambda\, X^\top X v .

    Floats are binary fractions, so that nothing is rounded.
    """
    if data.inputs.size > _ENTRIES or data.d > _WEIGHTS:
        return None
    from sympy import QQ  # on first use: it takes longer to load than bnlib
    from sympy.polys.matrices import DomainMatrix

    def matrix(rows: Any) -> Any:
        entries = [[QQ(*Fraction(v).as_integer_ratio()) for v in row] for row in rows]
        return DomainMatrix(entries, (len(entries), len(entries[0])), QQ)

    x, t = matrix(data.inputs.tolist()), matrix([[each] for each in data.targets.tolist()])
    across, whole = x.transpose(), matrix([[1.0]] * data.m)
    gram, h = across * x, across * t
    sums, less = across * whole, whole.transpose() * x.hstack(t) * QQ(1, data.m)
    reduced, pivots = (gram.hstack(h) - sums * less).rref()  # the normal equations, centred
    slope = [[QQ(0)] for _ in range(data.d)]
    for row, pivot in zip(reduced.to_list(), pivots, strict=False):  # the other weights 0
        slope[pivot] = [row[-1]]
    fitted = gram * DomainMatrix(slope, (data.d, 1), QQ)
    pairs = [(a[0], b[0]) for a, b in zip(fitted.to_list(), h.to_list(), strict=True)]
    first, second = next(pair for pair in pairs if pair[0])
    if any(first * b != second * a for a, b in pairs):
        return 0
    return 1 if second / first > 0 else -1
