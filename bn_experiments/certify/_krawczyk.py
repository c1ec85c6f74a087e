"""The search for a box that Krawczyk's operator maps into itself, in ball arithmetic."""

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

from flint import arb, arb_mat

from bn_experiments.certify._balls import (
    JETS,
    Ball,
    NotProvedError,
    ball,
    fraction,
    interval,
    norm_at_least,
    norm_at_most,
    square,
)
from bn_experiments.certify._problem import Problem, Vector, refuse_other_point, rounded_down
from bn_experiments.certify.certificate import Certificate

_NEWTON_STEPS = 100
_FINE = 24  # so many times a radius is halved; after that it falls by 2⁻⁸ at a time
_ROOM = 2  # the claims are proved for a box that is wider by this factor
_GRID = 8  # the centre is rounded to this fraction of the radius, for short numbers


def search(
    problem: Problem, approximate: Vector, radius: Fraction | None, precision: int
) -> Certificate:
    """Return the certificate of the largest box that can be proved, or raise `NotProvedError`."""
    centre, first = _start(problem, approximate, precision)
    halved = [*range(_FINE), *range(_FINE, 3 * precision // 4, 8)]
    *larger, smallest = [radius] if radius else [Fraction(2) ** (first - k) for k in halved]
    for half in larger:
        with suppress(NotProvedError):
            return _prove(problem, centre, half, precision)
    return _prove(problem, centre, smallest, precision)


def isolate(
    problem: Problem, approximate: Vector, halvings: int, precision: int
) -> list[tuple[Fraction, Fraction]]:
    """Return a small box with exactly one stationary point of L, a strict minimum."""
    centre, first = _start(problem, approximate, precision)
    return _isolate(problem, centre, Fraction(2) ** (first - halvings))[1]


def _start(problem: Problem, approximate: Vector, precision: int) -> tuple[list[Fraction], int]:
    """Return the stationary point near an approximation, and the exponent of its size."""
    centre = _polish(problem, approximate, precision)
    refuse_other_point(centre, approximate)
    size = max(abs(each) for each in centre)
    if size <= Fraction(1, 1 << precision // 2):
        raise NotProvedError("W* may be 0, where the lemma's hypothesis is false for every W₀")
    return centre, size.numerator.bit_length() - size.denominator.bit_length()


def _polish(problem: Problem, approximate: Vector, precision: int) -> list[Fraction]:
    """Improve an approximate stationary point by Newton's method at the middles of the balls."""
    w = [ball(each).mid() for each in approximate]
    tolerance = max(map(abs, w)) * arb(2) ** (-3 * precision // 4)
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = _standard(problem, w)
        try:
            step = hessian.mid().solve(gradient.mid())
        except ZeroDivisionError as error:
            told = "the Hessian is singular at the approximation: L may be flat"
            raise NotProvedError(told) from error
        w = [(each - step[j, 0]).mid() for j, each in enumerate(w)]
        if not all(each.is_finite() for each in w):
            break
        if all(abs(each) <= tolerance for each in step.mid().entries()):
            return [fraction(each) for each in w]
    raise NotProvedError("Newton's method does not converge from the approximation")


def _prove(problem: Problem, found: Vector, radius: Fraction, precision: int) -> Certificate:
    """Prove the claims for a box of half-width `radius`, or raise `NotProvedError`.

    The Hessian and the gradient of the BN loss are bounded on a box twice as wide. So a
    verifier that bounds them in another way has room to come to the same conclusion.
    """
    centre, box, wide = _isolate(problem, found, radius)
    gradient = _normalized_gradient(problem, wide)
    least = norm_at_least(gradient)
    if not least > arb(2) ** (-2 * precision):
        most = norm_at_most(gradient).str(2, radius=False)
        raise NotProvedError(
            "the gradient of the BN loss may be 0 somewhere on the box: "
            f"its length is at most {most} there"
        )
    # So that the bound tells the size of the gradient: a smaller box is worth it.
    if not 2 * least > norm_at_most(_normalized_gradient(problem, [ball(c) for c in centre])):
        raise NotProvedError("the gradient of the BN loss varies too much on the box")
    return problem.certificate(box, rounded_down(fraction(least)), precision)


def _isolate(
    problem: Problem, found: Vector, radius: Fraction
) -> tuple[list[Fraction], list[tuple[Fraction, Fraction]], list[Ball]]:
    """Prove that a box holds one stationary point of L; return its centre, it, and a wider one."""
    grid = radius / _GRID
    centre = [round(each / grid) * grid for each in found]
    box = [(each - radius, each + radius) for each in centre]
    wide = [interval(each - _ROOM * radius, each + _ROOM * radius) for each in centre]
    if not any(low > 0 or high < 0 for low, high in box):
        raise NotProvedError("the box contains 0, where the lemma's hypothesis is false")

    _, hessian = _standard(problem, wide)
    _require_positive_definite(hessian)
    _require_stationary_point(problem, centre, radius, hessian)
    return centre, box, wide


def _standard(problem: Problem, w: Sequence[Ball]) -> tuple[arb_mat, arb_mat]:
    r"""Return balls of the gradient and the Hessian of L on a box.

    .. math:: \nabla L = \tfrac2m \sum_i (\varphi - t_i)\,\varphi'\,x_i, \qquad
              \nabla^2 L = \tfrac2m \sum_i (\varphi'^2 + (\varphi - t_i)\,\varphi'')\,x_i x_i^\top
    """
    x = arb_mat([[ball(each) for each in row] for row in problem.inputs])
    first, weighted = [], []
    for i, (y, t) in enumerate(zip((x * _column(w)).entries(), problem.targets, strict=True)):
        value, slope, bend = JETS[problem.activation](y)
        error = value - ball(t)
        first.append(error * slope)
        second = square(slope) + error * bend
        weighted.append([second * x[i, j] for j in range(problem.d)])
    scale = arb(2) / problem.m
    return x.transpose() * _column(first) * scale, x.transpose() * arb_mat(weighted) * scale


def _normalized_gradient(problem: Problem, w: Sequence[Ball]) -> list[Ball]:
    r"""Return balls of the gradient of the BN loss on a box.

    With :math:`g_i = \tfrac2m (\varphi(z_i) - t_i)\,\varphi'(z_i)` and centred inputs c it is
    :math:`\tfrac{\gamma}{\sigma} \sum_i (g_i - \hat y_i \tfrac1m \sum_k \hat y_k g_k)\, c_i`.
    """
    m, gamma = problem.m, ball(problem.gamma)
    c = arb_mat([[ball(each) for each in row] for row in problem.columns])
    y = (c * _column(w)).entries()
    variance = sum((square(each) for each in y), arb(0)) / m
    if not variance > 0:
        raise NotProvedError("the pre-activations may be constant on the box, where σ = 0")
    sigma, g = variance.sqrt(), []
    normalized = [each / sigma for each in y]
    for each, t in zip(normalized, problem.targets, strict=True):
        value, slope, _ = JETS[problem.activation](gamma * each + ball(problem.beta))
        g.append(2 * (value - ball(t)) * slope / m)
    share = sum((a * b for a, b in zip(normalized, g, strict=True)), arb(0)) / m
    back = [(a - b * share) * gamma / sigma for a, b in zip(g, normalized, strict=True)]
    gradient: list[Ball] = (c.transpose() * _column(back)).entries()
    return gradient


def _require_positive_definite(hessian: arb_mat) -> None:
    """Refuse unless every symmetric matrix in the balls has positive pivots."""
    rows = hessian.tolist()
    for k, pivotal in enumerate(rows):
        if not pivotal[k] > 0:
            sure = "is not" if pivotal[k] < 0 else "may not be"
            raise NotProvedError(f"the Hessian of L {sure} positive definite on the box")
        for row in rows[k + 1 :]:
            factor = row[k] / pivotal[k]
            row[k:] = [a - factor * b for a, b in zip(row[k:], pivotal[k:], strict=True)]


def _require_stationary_point(
    problem: Problem, centre: Vector, radius: Fraction, hessian: arb_mat
) -> None:
    """Refuse unless K(box) lies in the interior of the box."""
    middle = [ball(each) for each in centre]
    gradient, at_centre = _standard(problem, middle)
    try:
        inverse = at_centre.mid().inv().mid()
    except ZeroDivisionError as error:
        raise NotProvedError("the Hessian of L is singular at the middle of the box") from error
    step, spread = inverse * gradient, inverse * hessian
    for j in range(problem.d):
        row = [abs((j == k) - spread[j, k]) for k in range(problem.d)]
        if not abs(step[j, 0]) + sum(row, arb(0)) * ball(radius) < ball(radius):
            raise NotProvedError("Krawczyk's operator does not map the box into itself")


def _column(values: Sequence[Ball]) -> arb_mat:
    return arb_mat([[each] for each in values])
