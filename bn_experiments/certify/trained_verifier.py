r"""An independent check of certificates for trained γ and β; it shares no code with the search.

(a), (b), (d) and (e) are checked as `verify` checks them, for the neuron without and with a bias.
(c) is shown with sums that the maker does not use. Where (kW, b) is stationary for the loss with
a bias, :math:`\sum_i g_i\,\ell(x_i) = 0` with :math:`g_i = (\varphi(z_i) - t_i)\,\varphi'(z_i)` for
every affine function ℓ. Here ℓ has rational coefficients and is 0 at d of the examples, so that
only m - d terms are left; if their signs agree, or a ball of the sum does not contain 0, the
point is not stationary. Signs come from tables: φ - t and φ′ are enclosed by Taylor polynomials
on a grid from -T to T. Beyond, three facts are used, which are not computed:

- tanh, sigmoid, softplus and ELU are increasing, with φ′ > 0.
- GELU and SiLU are negative for z < 0 and increasing for z > 0. φ′ has one zero, from - to +, so
  where all φ(z_i) - t_i have one sign, :math:`\sum g_i (z_i - z_0)` is not 0.
- For them φ′ > 1 from z = T on, and up to -T the values of -φ and -φ′ fall towards 0.

Where k times the smallest distance of two pre-activations at W is 2 T or more, at most one is
between -T and T. A line through that example which parts the others by their x·W leaves signs
that agree, for increasing φ; for GELU and SiLU one term from the right must outweigh all from
the left. So a rectangle of (k, b) is left, which is cut into cells.

For identity, ReLU and leaky ReLU: on each linear piece that the half-plane meets, the loss
restricted to it is a quadratic in (k, b). Its minimum there is found in rational numbers, and
must not be stationary for all weights, or not lie in the piece, or not be strict.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate, combinations, pairwise
from typing import Any

from flint import arb, arb_series, fmpq, fmpq_mat

from bn_experiments.certify.certificate import Certificate, TrainedCertificate
from bn_experiments.certify.verifier import (
    Verification,
    balls,
    centred,
    dot,
    judge,
    require,
    require_minimum,
    taylor,
    to_ball,
)

_FLAT = {"identity": Fraction(1), "relu": Fraction(0), "leaky_relu": Fraction(1, 100)}
_TURNING = {"gelu", "silu"}
_T, _GRID = 8, 16  # the reach of a table of signs, and its cells in a unit
_CELLS, _SUMS, _WORK = 50_000, 500, 1 << 26  # the last: of cells, examples and bits
_FINEST = 2.0**-36  # a cell this narrow that is not excluded may hold a stationary point


def verify_trained(certificate: TrainedCertificate | str) -> Verification:
    """Check every claim of a certificate for trained γ > 0 and β, by other means.

    Parameters
    ----------
    certificate : TrainedCertificate or str
        The certificate, of exactly this class, or its JSON; see `verify`.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If the argument is neither, or of a subclass.
    """
    return judge(certificate, TrainedCertificate, _check)


def _check(claim: TrainedCertificate) -> None:
    seen = centred(zip(*claim.inputs, strict=True))
    require(_matrix(seen).rank() == claim.d, "(e): the centred inputs have a lower rank")
    require_minimum(_without_norm(claim, claim.inputs, claim.box))
    longer = tuple((*row, Fraction(1)) for row in claim.inputs)
    require_minimum(_without_norm(claim, longer, claim.with_bias))
    apart = any(low > 0 or high < 0 for low, high in claim.with_bias[:-1])
    require(apart, "(e): the optimum with a bias may have no direction")
    if claim.activation in _FLAT:
        require(claim.is_point, "(c): for this activation W* must be a point")
        _check_pieces(claim)
    else:
        _check_half_plane(claim)


def _without_norm(
    claim: TrainedCertificate, inputs: tuple[tuple[Fraction, ...], ...], box: Any
) -> Certificate:
    """Return what `require_minimum` reads: a learning set, an activation, a box."""
    one, activation = Fraction(1), claim.activation
    return Certificate(inputs, claim.targets, activation, True, one, one, box, one, claim.precision)


def _check_pieces(claim: TrainedCertificate) -> None:
    """(c) for two linear pieces: no strict minimum (kW*, b), k > 0, in rational numbers."""
    flat, star = _FLAT[claim.activation], claim.centre
    require(flat == 1 or min(claim.targets) > 0, "(c): a minimum may lie at a kink")
    a = [sum(x * w for x, w in zip(row, star, strict=True)) for row in claim.inputs]
    falling = sorted(range(claim.m), key=lambda i: -a[i])
    for number in range(claim.m + 1):
        active = {*falling[:number]}
        s = [Fraction(1) if i in active else flat for i in range(claim.m)]
        plane = [[s[i] * a[i], s[i]] for i in range(claim.m)]
        full = [[s[i] * x for x in (*claim.inputs[i], Fraction(1))] for i in range(claim.m)]
        if _matrix(full).rank() <= claim.d or _matrix(plane).rank() < 2:
            continue  # flat along some direction: no strict minimum
        normal = _matrix(plane).transpose()
        k, b = _fractions(
            (normal * _matrix(plane)).solve(normal * _matrix([[t] for t in claim.targets]))
        )
        residual = [s[i] * (k * a[i] + b) - claim.targets[i] for i in range(claim.m)]
        stationary = not any(
            _fractions(_matrix(full).transpose() * _matrix([[r] for r in residual]))
        )
        inside = all((k * a[i] + b > 0) == (i in active) for i in range(claim.m))
        found = stationary and k > 0 and (flat == 1 or inside)
        require(not found, "(c): a multiple of W* is optimal with a bias")


def _check_half_plane(claim: TrainedCertificate) -> None:
    """(c) for the others: no stationary (kW, b), with W in the box and k > 0."""
    w = balls(claim.box)
    a = [dot([to_ball(x) for x in row], w) for row in claim.inputs]
    order = sorted(range(claim.m), key=lambda i: float(a[i].mid()))
    gaps = [a[j] - a[i] for i, j in pairwise(order)]
    require(bool(gaps) and all(gap > 0 for gap in gaps), "(c): two pre-activations may be equal")
    turning = claim.activation in _TURNING
    require(not turning or min(claim.targets) > 0, "(c): a target is not positive")
    require(not turning or _outweighs(claim, gaps), "(c): the terms on the left may matter")
    most = max(each.abs_upper() for each in a)
    k = math.ceil(2 * _T / min(float(gap.lower()) for gap in gaps)) + 1
    b = float(math.ceil(_T + k * float(most)) + 1)
    require(k < 2**20, "(c): pre-activations at W* are too close to each other")
    residual = [_table(claim, -1, t) for t in claim.targets]
    slope = _table(claim, -1, None) if turning else None
    sums, cells = _affine(claim), [(0.0, float(k), -b, b)]
    for _ in range(min(_CELLS, _WORK // (claim.m * claim.precision))):
        if not cells:
            return
        k0, k1, b0, b1 = cells.pop()
        cell = arb(k0).union(arb(k1)), arb(b0).union(arb(b1))
        z = [cell[0] * each + cell[1] for each in a]
        signs = [look(each) for look, each in zip(residual, z, strict=True)]
        if abs(sum(signs)) == claim.m:
            continue
        signs = [s * slope(each) if slope else s for s, each in zip(signs, z, strict=True)]
        if _agree(signs, sums) or _balls_exclude(claim, a, cell, sums):
            continue
        require(
            max(k1 - k0, b1 - b0) > _FINEST, f"(c): (kW*, b) may be stationary, {k0:.4g}, {b0:.4g}"
        )
        k2, b2 = (k0 + k1) / 2, (b0 + b1) / 2
        cells += [(k0, k2, b0, b2), (k2, k1, b0, b2), (k0, k2, b2, b1), (k2, k1, b2, b1)]
    require(False, "(c): not decided with so many cells")


def _outweighs(claim: TrainedCertificate, gaps: list[Any]) -> bool:
    """Return whether one term from the right of T is larger than all from the left of -T."""
    top = to_ball(max(claim.targets))
    right = (taylor(claim.activation, arb(_T))[0] - top) * min(gap.lower() for gap in gaps)
    value, slope, _ = taylor(claim.activation, arb(-_T))
    return bool(right > claim.m * (top - value) * abs(slope) * sum(gaps, arb(0)))


def _table(claim: TrainedCertificate, left: int, target: Fraction | None) -> Callable[[Any], int]:
    """Return a function: the sign of φ - t, or without a target of φ′, on a ball; 0 if unknown.

    On the left of -T the sign is `left`, on the right of T it is 1; for φ - t the ends of the
    table must say so.
    """
    signs = []
    for n in range(-_T * _GRID, _T * _GRID):
        value, slope = _jet(claim.activation, arb(n).union(arb(n + 1)) / _GRID)[:2]
        shown = slope if target is None else value - to_ball(target)
        signs.append(int(bool(shown > 0)) - int(bool(shown < 0)))
    if target is not None:
        require([signs[0], signs[-1]] == [left, 1], "(c): a target is outside the range of φ")
    signs = [left, *signs, 1]
    up = [0, *accumulate(int(sign > 0) for sign in signs)]
    down = [0, *accumulate(int(sign < 0) for sign in signs)]

    def look(z: Any) -> int:
        first, last = (
            min(max(math.floor(float(end) * _GRID) + _T * _GRID + 1 + shift, 0), len(signs) - 1)
            for end, shift in ((z.lower(), -1), (z.upper(), 1))
        )
        n = last + 1 - first
        return int(up[last + 1] - up[first] == n) - int(down[last + 1] - down[first] == n)

    return look


def _affine(claim: TrainedCertificate) -> list[list[Fraction]]:
    """Return the values at all examples of the affine functions that are 0 at d of them."""
    require(math.comb(claim.m, claim.d) <= _SUMS, "(c): too many examples for this verifier")
    longer = [[*row, Fraction(1)] for row in claim.inputs]
    found = []
    for chosen in combinations(range(claim.m), claim.d):
        rows = [longer[i] for i in chosen]
        values = [_fraction(_matrix([*rows, row]).det()) for row in longer]
        if any(values):
            found.append(values)
    return found


def _agree(signs: Sequence[int], sums: list[list[Fraction]]) -> bool:
    """Return whether in one of the sums all terms have one sign."""
    for values in sums:
        terms = [
            (s * ((v > 0) - (v < 0)) if s else None)
            for s, v in zip(signs, values, strict=True)
            if v
        ]
        if len(set(terms)) == 1 and None not in terms:
            return True
    return False


def _balls_exclude(
    claim: TrainedCertificate, a: list[Any], cell: Sequence[Any], sums: list[list[Fraction]]
) -> bool:
    """Return whether a ball of one of the sums does not contain 0, by the mean value theorem."""
    (k, b), middle, spread = cell, [], []
    if not all((k * each + b).rad() < 1 for each in a):
        return False  # Taylor polynomials need narrow balls
    dk, db = k - k.mid(), b - b.mid()
    for each, t in zip(a, claim.targets, strict=True):
        value, slope, _ = _jet(claim.activation, each * k.mid() + b.mid())
        middle.append((value - to_ball(t)) * slope)
        value, slope, half_bend = _jet(claim.activation, each * k + b)
        change = slope * slope + 2 * (value - to_ball(t)) * half_bend
        spread.append((change * each, change))
    for values in sums:
        v = [to_ball(value) for value in values]
        total = dot(v, middle) + dk * dot(v, [p for p, _ in spread])
        total += db * dot(v, [q for _, q in spread])
        if total > 0 or total < 0:
            return True
    return False


def _jet(activation: str, z: Any) -> list[Any]:
    """Return φ, φ′, φ″/2 on a ball; around the kink of φ′ of ELU what both sides have."""
    if activation == "elu" and not (z > 0 or z < 0):
        below = (arb_series([z.lower().union(arb(0)), 1], 3)).exp() - 1
        above = [arb(0).union(z.upper()), arb(1), arb(0)]
        return [below[n].union(above[n]) for n in range(3)]
    return taylor(activation, z)


def _matrix(rows: Any) -> Any:
    return fmpq_mat([[fmpq(*Fraction(x).as_integer_ratio()) for x in row] for row in rows])


def _fractions(matrix: Any) -> list[Fraction]:
    return [_fraction(each) for each in matrix.entries()]


def _fraction(exact: Any) -> Fraction:
    return Fraction(int(exact.p), int(exact.q))
