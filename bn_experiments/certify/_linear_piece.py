"""The exact proof for activations of two linear pieces: identity, ReLU, leaky ReLU."""

import math
from collections.abc import Sequence
from fractions import Fraction

from bn_experiments.certify._balls import LINEAR_PIECES, NotProvedError
from bn_experiments.certify._problem import (
    Problem,
    Vector,
    dot,
    matrix,
    refuse_other_point,
    rounded_down,
)
from bn_experiments.certify.certificate import Certificate

_STEPS = 100


def solve(problem: Problem, approximate: Vector, precision: int) -> Certificate:
    """Return the certificate of the exact W* near an approximation, or raise `NotProvedError`."""
    star = minimum(problem, approximate)
    bound = _gradient_bound(problem, star)
    # Enough bits for a verifier in ball arithmetic, however long the fractions are.
    enough = bits(problem, [*star, bound, problem.gamma, problem.beta], precision)
    return problem.certificate([(each, each) for each in star], bound, enough)


def bits(problem: Problem, known: Sequence[Fraction], at_least: int) -> int:
    """Return a precision at which balls around these fractions and the data are narrow."""
    parts = [*known, *problem.targets, *sum(problem.inputs, ())]
    longest = max(n.bit_length() for each in parts for n in each.as_integer_ratio())
    if longest > 12000:
        raise NotProvedError("the fractions have more than 12000 bits")
    return max(at_least, 64 + 4 * longest)


def minimum(problem: Problem, approximate: Vector) -> list[Fraction]:
    """Return the minimum of L, not 0, on the linear piece around an approximation."""
    star = _minimum(problem, approximate)
    if not any(star):
        raise NotProvedError("W* = 0, where the lemma's hypothesis is false for every W₀")
    refuse_other_point(star, approximate)
    return star


def refuse_minimum_on_the_ray(problem: Problem, star: Vector) -> None:
    """Refuse unless no (k W*, b) with k > 0 is a strict minimum of the loss with a bias.

    `problem` has the inputs without the 1 of the bias. On the half-plane of these points the
    examples that are active are those from some x·W* on, and on each such piece the normal
    equations have one solution or no strict minimum. No minimum lies where a pre-activation is
    0 if the targets are positive: there two opposite directions cannot both lead upward.
    """
    flat = LINEAR_PIECES[problem.activation]
    if flat != 1 and min(problem.targets) <= 0:
        raise NotProvedError("a target is not positive: a minimum may lie at a kink")
    a, t = [dot(row, star) for row in problem.inputs], matrix([[t] for t in problem.targets])
    for first in [*sorted(set(a)), max(a) + 1]:
        slopes = [Fraction(1) if each >= first else flat for each in a]
        rows = [
            [s * x for x in (*row, Fraction(1))]
            for s, row in zip(slopes, problem.inputs, strict=True)
        ]
        if (x := matrix(rows)).rank() <= problem.d:
            continue
        solution = (x.transpose() * x).solve(x.transpose() * t).entries()
        *v, b = [Fraction(int(each.p), int(each.q)) for each in solution]
        k = dot(v, star) / dot(star, star)
        inside = (flat == 1 or (k * each + b > 0) == (each >= first) for each in a)
        if k > 0 and v == [k * each for each in star] and all(inside):
            raise NotProvedError("W* is on a BN ray: a multiple of it is optimal with a bias")


def _minimum(problem: Problem, approximate: Vector) -> list[Fraction]:
    """Return the stationary point of L on the linear piece around an approximation.

    There φ(y) = a y with a slope a for each example, and the normal equations
    Σ a (a x·w − t) x = 0 are solved in rational numbers. Where their solution lies in
    another piece, that piece is tried.
    """
    y, t = [dot(row, approximate) for row in problem.inputs], [[t] for t in problem.targets]
    for _ in range(_STEPS):
        a = _slopes(problem, y)
        x = matrix([[s * x for x in row] for s, row in zip(a, problem.inputs, strict=True)])
        if x.rank() < problem.d:
            told = f"the inputs of the active examples have rank {x.rank()}, not {problem.d}"
            raise NotProvedError(f"L is flat: {told}")
        solution = (x.transpose() * x).solve(x.transpose() * matrix(t)).entries()
        w = [Fraction(int(each.p), int(each.q)) for each in solution]
        y = [dot(row, w) for row in problem.inputs]
        if _slopes(problem, y) == a:
            _refuse_kink(problem, y, "a pre-activation")
            return w
    raise NotProvedError("no linear piece of L contains its own minimum: it may lie at a kink")


def _slopes(problem: Problem, signs: Sequence[Fraction | int]) -> list[Fraction]:
    return [Fraction(1) if sign > 0 else LINEAR_PIECES[problem.activation] for sign in signs]


def _refuse_kink(problem: Problem, signs: Sequence[Fraction | int], what: str) -> None:
    if LINEAR_PIECES[problem.activation] != 1 and not all(signs):
        raise NotProvedError(f"{what} is 0 at W*, at the kink of the activation")


def _gradient_bound(problem: Problem, w: Vector) -> Fraction:
    r"""Return a positive lower bound of the length of the gradient of the BN loss at w.

    With centred inputs c, :math:`y_i = c_i \cdot w`, :math:`v = \sigma^2` and
    :math:`q = \tfrac1m \sum_k y_k c_k`, all rational, and :math:`e_i = c_i - y_i q / v`,

    .. math:: \nabla \hat y_i = \frac{e_i}{\sigma}, \qquad
       \nabla\hat L = \frac{\gamma}{\sigma} \sum_i g_i e_i
         = \frac{\gamma}{v} (A \sigma + B),

    because :math:`g_i = \tfrac2m a_i (a_i \beta - t_i) + \tfrac2m a_i^2 \gamma y_i / \sigma`.
    A and B are rational vectors: in the field :math:`\mathbb Q(\sqrt v)` it is decidable
    whether :math:`A \sigma + B` is 0.
    """
    c, m, gamma, beta = problem.columns, problem.m, problem.gamma, problem.beta
    y = [dot(row, w) for row in c]
    v = dot(y, y) / m
    q = [dot(y, column) / m for column in zip(*c, strict=True)]
    signs = [sign_in_field(gamma * each, beta, v) for each in y]  # of σ z = γ y + β σ
    _refuse_kink(problem, signs, "a normalized pre-activation")
    big_a, big_b = [Fraction(0)] * problem.d, [Fraction(0)] * problem.d
    for row, each, a, t in zip(c, y, _slopes(problem, signs), problem.targets, strict=True):
        for j, (x, mean) in enumerate(zip(row, q, strict=True)):
            e = 2 * (x - each * mean / v) / m
            big_a[j] += a * (a * beta - t) * e
            big_b[j] += a**2 * gamma * each * e
    if gamma == 0 or all(sign_in_field(b, a, v) == 0 for a, b in zip(big_a, big_b, strict=True)):
        raise NotProvedError("the gradient of the BN loss is exactly 0 at W*")
    # The square of the length of Aσ + B is p + 2 n σ with p, n rational.
    p, n = dot(big_a, big_a) * v + dot(big_b, big_b), dot(big_a, big_b)
    bits = 64
    while True:
        low, high = sqrt_between(v, bits)
        least = p + 2 * n * (low if n > 0 else high)
        if least * 2**20 > 2 * abs(n) * (high - low):
            return rounded_down(sqrt_between(least, bits)[0] * abs(gamma) / v)
        bits *= 2


def sign_in_field(p: Fraction, q: Fraction, v: Fraction) -> int:
    """Return the sign of p + q √v for rational p, q and v > 0."""
    first, second = (p > 0) - (p < 0), (q > 0) - (q < 0)
    if first * second >= 0:
        return first or second
    larger = p**2 - q**2 * v
    return 0 if larger == 0 else first if larger > 0 else second


def sqrt_between(v: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Return rational numbers below and above √v, close to each other relative to √v."""
    n = v.numerator * v.denominator << 2 * bits
    low = math.isqrt(n)
    unit = v.denominator << bits
    return Fraction(low, unit), Fraction(low + (low**2 < n), unit)
