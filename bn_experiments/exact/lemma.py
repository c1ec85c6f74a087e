"""The check of the lemma and its laws in SymPy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from bn_experiments.exact.neuron import Expr, Point, Ray, column, exact_number, tidy
from bn_solver.arrays import choice


@dataclass(frozen=True)
class LemmaCheck:
    """Hypothesis and both sides of the lemma, exactly; see `bnlib.LemmaCheck`."""

    applies: bool
    exists: bool
    left: Expr
    right: Expr

    @property
    def violated(self) -> bool:
        """The hypothesis is true and left > right. No rounding, so no tolerance."""
        return self.applies and bool(self.left > self.right)

    @property
    def holds(self) -> bool:
        """Whether the lemma is true as an implication."""
        return not self.violated


def check_lemma(
    start: Any, standard_optima: Sequence[Point], normalized_optima: Sequence[Point | Ray]
) -> LemmaCheck:
    """Check the lemma's inequality, evaluated as printed, for one start W₀. W* must not be 0."""
    if not standard_optima or not normalized_optima:
        raise ValueError("standard_optima, normalized_optima: both need at least one optimum.")
    w0 = column("start", start)
    for each in (*standard_optima, *normalized_optima):
        (vector,) = vars(each).values()
        if len(vector) != len(w0):
            raise ValueError(f"start: has {len(w0)} weights, but {each} has {len(vector)}.")

    def closest(optima: Sequence[Point | Ray]) -> tuple[Expr, bool]:
        best = min(optima, key=lambda each: _squared(w0 - each.nearest(w0)))
        return best.nearest(w0), not isinstance(best, Ray) or bool(best.direction.dot(w0) > 0)

    (star, _), (hat, exists) = closest(standard_optima), closest(normalized_optima)
    if star.is_zero_matrix:
        raise ValueError("standard_optima: W* = 0, where the lemma's formula divides by zero.")
    length = _squared(star)
    right = _squared(w0 - star) - (length - star.dot(w0)) ** 2 / length
    return LemmaCheck(bool(star.dot(w0) > 0), exists, tidy(_squared(w0 - hat)), tidy(right))


def _squared(vector: Expr) -> Expr:
    return vector.dot(vector)


def angle(first: Any, second: Any) -> Expr:
    """Return the angle between two vectors as an arc cosine of exact numbers."""
    u, v = column("first", first), column("second", second)
    if u.is_zero_matrix or v.is_zero_matrix:
        raise ValueError("first, second: a zero vector has no direction.")
    return sp.acos(tidy(u.dot(v) / sp.sqrt(_squared(u) * _squared(v))))


def failure_probability(angle: Expr, reading: str = "infimum") -> Expr:
    """Return 1/2 + θ/2π, 1/2 − θ/2π or 1/2, and 0 at θ = 0; see `bnlib.failure_probability`."""
    theta, half = _angle(angle), sp.Rational(1, 2)
    shares = {"infimum": theta, "strict": -theta, "given_closest": sp.Integer(0)}
    choice("reading", reading, shares)
    if reading == "given_closest" and theta == sp.pi:
        raise ValueError(f"reading, angle: {reading!r} at {theta}; see bnlib.failure_probability.")
    return sp.Integer(0) if theta.is_zero else half + shares[reading] / (2 * sp.pi)


def mean_excess(angle: Expr, scale: Expr = 1) -> Expr:
    """Return s² (2θ − sin 2θ)/(2π); see `bnlib.mean_excess`."""
    theta, s = _angle(angle), exact_number("scale", scale)
    return s**2 * (2 * theta - sp.expand_trig(sp.sin(2 * theta))) / (2 * sp.pi)


def _angle(angle: Expr) -> Expr:
    theta = exact_number("angle", angle)
    if theta.is_number and not 0 <= theta <= sp.pi:
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    return theta
