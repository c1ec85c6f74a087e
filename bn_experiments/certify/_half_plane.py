r"""No positive multiple of W*, with whatever bias, is stationary: (c) of `certify_trained`.

For a point (kW, b) with k > 0 let :math:`a_i = x_i \cdot W`, :math:`z_i = k a_i + b` and
:math:`g_i = (\varphi(z_i) - t_i)\,\varphi'(z_i)`. Where it is stationary for the loss with a
bias, :math:`\sum g_i x_i = 0` and :math:`\sum g_i = 0`, hence :math:`\sum g_i (a_i - c) = 0`
for every c.

**Signs.** Let the a_i differ. If the signs of the g_i, in the order of the a_i, change at most
once, say at c, no two terms of the last sum have opposite signs: the point is not stationary,
unless every g_i is 0. So wherever all pre-activations lie far to the right, or far to the left,
or where k is large and at most one of them is not far out, signs decide. That leaves a rectangle
0 ≤ k ≤ K, -B ≤ b ≤ B, which is cut into cells until each is excluded, by signs or by a ball of
one of these sums.

**φ is increasing** for tanh, sigmoid, softplus and ELU, so g_i has the sign of φ(z_i) - t_i.
**GELU and SiLU** have one minimum, at z₀ < 0, and are negative and φ′ < 0 to its left; from
z = 3/2 on φ′ > 1, and for z ≤ -3 the value of -φ′ falls towards 0. With t > 0, g_i is positive
to the left of z₀, negative up to the one place z > 0 where φ(z) = t_i, and positive from there.
Where no z_i is above its place, the signs change once, at z₀. Far out in k the one
pre-activation p that is not far out is eliminated by :math:`\sum g_i (a_i - a_p)`: from the
right come terms of at least G₊ δ, from the left altogether at most m G₋ times the spread.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from flint import arb

from bn_experiments.certify._balls import JETS, Ball, Jet, NotProvedError, ball, interval
from bn_experiments.certify._problem import Problem

_TURNING = {"gelu", "silu"}
_CELLS = 50_000
_FINEST = 2.0**-36  # a cell this narrow that is not excluded may hold a stationary point
Cell = tuple[float, float, float, float]
"""Ends of k, then of b; halves of whole numbers, so exact as floats."""


class _HalfPlane(NamedTuple):
    """The points (kW, b) for every W of a box; examples in the order of a."""

    activation: str
    x: list[list[Ball]]
    t: list[Ball]
    a: list[Ball]

    @property
    def gap(self) -> Ball:
        return min((after - before).abs_lower() for before, after in pairwise(self.a))

    @property
    def most(self) -> Ball:
        return max(each.abs_upper() for each in self.a)


def refuse_stationary_ray(problem: Problem, box: Sequence[tuple[Fraction, Fraction]]) -> None:
    """Refuse unless no (kW, b) with W in the box and k > 0 is stationary."""
    plane = _half_plane(problem, box)
    k, b = _rectangle(plane)
    cells: list[Cell] = [(0.0, k, -b, b)]
    for _ in range(_CELLS):
        if not cells:
            return
        cell = cells.pop()
        if _signs_exclude(plane, cell) or _sums_exclude(plane, cell):
            continue
        if max(cell[1] - cell[0], cell[3] - cell[2]) < _FINEST:
            where = f"k = {cell[0]:.4g}, b = {cell[2]:.4g}"
            raise NotProvedError(f"(k W*, b) may be stationary with a bias, near {where}")
        cells += _halves(plane, cell)
    raise NotProvedError("whether a multiple of W* is stationary with a bias needs more cells")


def _half_plane(problem: Problem, box: Sequence[tuple[Fraction, Fraction]]) -> _HalfPlane:
    w = [interval(*ends) for ends in box]
    rows = [[ball(each) for each in row] for row in problem.inputs]
    a = [sum((x * y for x, y in zip(row, w, strict=True)), arb(0)) for row in rows]
    order = sorted(range(problem.m), key=lambda i: float(a[i].mid()))
    plane = _HalfPlane(
        problem.activation,
        [rows[i] for i in order],
        [ball(problem.targets[i]) for i in order],
        [a[i] for i in order],
    )
    if problem.m < 2 or not all(after - before > 0 for before, after in pairwise(plane.a)):
        raise NotProvedError("two examples may have the same pre-activation at W*")
    if problem.activation in _TURNING and not all(t > 0 for t in plane.t):
        raise NotProvedError("for GELU and SiLU every target must be positive")
    return plane


def _rectangle(plane: _HalfPlane) -> tuple[float, float]:
    """Return K and B: outside 0 ≤ k ≤ K, |b| ≤ B signs decide."""
    far = next((q / 4 for q in range(6, 200) if _is_far(plane, q / 4)), None)
    if far is None:
        raise NotProvedError("every target must lie within the range of the activation")
    others = far
    if plane.activation in _TURNING:
        others = next((q for q in map(float, range(3, 60)) if _dominates(plane, q)), math.inf)
    k = float(((others + far) / plane.gap).upper())
    if not k < 2.0**30:
        raise NotProvedError("pre-activations at W* are too close to each other")
    k = math.ceil(k) + 1
    return k, math.ceil(far + k * float(plane.most)) + 1  # up, whatever a float has rounded


def _is_far(plane: _HalfPlane, z: float) -> bool:
    """Return whether each residual has the same sign from z on, and the other one up to -z."""
    right, left = _jet(plane.activation, arb(z))[0], _jet(plane.activation, arb(-z))[0]
    return all(right > t and left < t for t in plane.t)


def _dominates(plane: _HalfPlane, z: float) -> bool:
    """Return whether one term from the right of z outweighs all from the left of -z."""
    right = (_jet(plane.activation, arb(z))[0] - max(t.upper() for t in plane.t)) * plane.gap
    value, slope, _ = _jet(plane.activation, arb(-z))
    most = (max(t.upper() for t in plane.t) + abs(value)) * -slope
    return bool(right > len(plane.t) * most * (plane.a[-1] - plane.a[0]))


def _signs_exclude(plane: _HalfPlane, cell: Cell) -> bool:
    """Return whether the signs of g change at most once on the cell, and not all can be 0."""
    z = [_hull(*cell[:2]) * a + _hull(*cell[2:]) for a in plane.a]
    residuals = [_residual_sign(plane.activation, y, t) for y, t in zip(z, plane.t, strict=True)]
    if all(sign == residuals[0] != 0 for sign in residuals):
        return True  # the signs of g are those of φ′, up to one for all: one change at most
    signs = [r * _slope_sign(plane.activation, y) for r, y in zip(residuals, z, strict=True)]
    most = {1: 0, -1: 0}  # changes so far at most, by the last sign; 0 may be either
    for i, sign in enumerate(signs):
        known = (sign,) if sign else (1, -1)
        most = {s: max(n + (i > 0 and s != last) for last, n in most.items()) for s in known}
    return any(signs) and max(most.values()) <= 1


def _sums_exclude(plane: _HalfPlane, cell: Cell) -> bool:
    """Return whether one of the sums that are 0 at a stationary point is not, on the cell.

    A sum S(k, b) lies in S(middle) + ∂S/∂k (k - middle) + ∂S/∂b (b - middle), where the
    derivatives are balls for the whole cell.
    """
    k, b = _hull(*cell[:2]), _hull(*cell[2:])
    at_middle, derivatives = [], []
    for a, t in zip(plane.a, plane.t, strict=True):
        value, slope, _ = _jet(plane.activation, k.mid() * a + b.mid())
        at_middle.append((value - t) * slope)
        value, slope, bend = _jet(plane.activation, k * a + b)
        derivatives.append(slope * slope + (value - t) * bend)
    along_k = [each * a for each, a in zip(derivatives, plane.a, strict=True)]
    weights = [[arb(1)] * len(plane.t), *map(list, zip(*plane.x, strict=True))]
    weights += [[a - pivot for a in plane.a] for pivot in plane.a]
    for each in weights:
        moved = _dot(along_k, each) * (k - k.mid()) + _dot(derivatives, each) * (b - b.mid())
        total = _dot(at_middle, each) + moved
        if total > 0 or total < 0:
            return True
    return False


def _halves(plane: _HalfPlane, cell: Cell) -> list[Cell]:
    """Cut a cell across the side along which pre-activations change more."""
    k0, k1, b0, b1 = cell
    if (k1 - k0) * float(plane.most) > b1 - b0:
        k = (k0 + k1) / 2
        return [(k0, k, b0, b1), (k, k1, b0, b1)]
    b = (b0 + b1) / 2
    return [(k0, k1, b0, b), (k0, k1, b, b1)]


def _residual_sign(activation: str, z: Ball, t: Ball) -> int:
    """Return the sign of φ(z) - t on a ball, 0 if it is not known."""
    low, high = z.lower(), z.upper()
    if activation in _TURNING:
        if not high > 0:
            return -1  # φ < 0 < t
        if low < 0:
            low = None
    if _jet(activation, high)[0] < t:
        return -1
    return int(low is not None and bool(_jet(activation, low)[0] > t))


def _slope_sign(activation: str, z: Ball) -> int:
    """Return the sign of φ′ on a ball, 0 if it is not known."""
    if activation not in _TURNING or z > 0:
        return 1
    if z < -3:
        return -1
    slope = _jet(activation, z)[1]
    return int(bool(slope > 0)) - int(bool(slope < 0))


def _jet(activation: str, z: Ball) -> Jet:
    """Return balls of φ, φ′, φ″; for ELU, whose φ″ jumps at 0, of the values on both sides."""
    if activation == "elu" and not (z > 0 or z < 0):
        low, high = z.lower(), z.upper()
        return low.expm1().union(high), low.exp().union(arb(1)), arb(0).union(arb(1))
    return JETS[activation](z)


def _hull(low: float, high: float) -> Ball:
    return arb(low).union(arb(high))


def _dot(u: Sequence[Ball], v: Sequence[Ball]) -> Ball:
    return sum((p * q for p, q in zip(u, v, strict=True)), arb(0))
