"""What `certify` computes with: ball arithmetic, and the exact data of one certificate.

A ball of python-flint (Arb) contains the true value of what it was computed from; comparisons
are true only if they hold for every point of the balls. NaN compares as false, so every test
in this package asks for what it wants, never for the opposite of what it fears.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from numbers import Rational
from typing import Any

from flint import arb, fmpq, fmpq_mat

from bn_experiments.certify.certificate import Certificate, decimal
from bn_solver.arrays import flag, whole_number

Ball = Any
"""An Arb ball; python-flint ships no types that mypy reads."""


class NotProvedError(Exception):
    """A condition of the certificate could not be proved; the message says which."""


def ball(value: Fraction) -> Ball:
    """Return a ball that contains a fraction."""
    return arb(fmpq(value.numerator, value.denominator))


def interval(low: Fraction, high: Fraction) -> Ball:
    """Return a ball that contains every number from `low` to `high`."""
    return ball((low + high) / 2) + arb(0, 1) * ball((high - low) / 2)


def square(z: Ball) -> Ball:
    """Return z². A product, because a power of a ball that contains 0 is NaN."""
    return z * z


def fraction(exact: Ball) -> Fraction:
    """Return an exact ball, one of radius 0, as the fraction it is."""
    mantissa, exponent = (int(part) for part in exact.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent


def norm_at_least(vector: Sequence[Ball]) -> Ball:
    """Return an exact ball below the Euclidean norm of every vector in the balls."""
    return sum((square(each.abs_lower()) for each in vector), arb(0)).sqrt().abs_lower()


def norm_at_most(vector: Sequence[Ball]) -> Ball:
    """Return an exact ball above the Euclidean norm of every vector in the balls."""
    return sum((square(each.abs_upper()) for each in vector), arb(0)).sqrt().abs_upper()


Jet = tuple[Ball, Ball, Ball]
"""φ(z), φ′(z), φ″(z)."""


def _identity(z: Ball) -> Jet:
    return z, arb(1), arb(0)


def _tanh(z: Ball) -> Jet:
    value, slope = z.tanh(), square(z.sech())
    return value, slope, -2 * value * slope


def _logistic(z: Ball) -> Jet:
    half = (z / 2).tanh()
    slope = square((z / 2).sech()) / 4
    return (1 + half) / 2, slope, -half * slope


def _softplus(z: Ball) -> Jet:
    value, slope, _ = _logistic(z)
    return z.exp().log1p(), value, slope


def _gelu(z: Ball) -> Jet:
    cumulative = (1 + (z / arb(2).sqrt()).erf()) / 2
    density = (-square(z) / 2).exp() / (2 * arb.pi()).sqrt()
    return z * cumulative, cumulative + z * density, (2 - square(z)) * density


def _silu(z: Ball) -> Jet:
    value, slope, curvature = _logistic(z)
    return z * value, value + z * slope, 2 * slope + z * curvature


def _elu(z: Ball) -> Jet:
    if _side(z):
        return _identity(z)
    return z.expm1(), z.exp(), z.exp()


def _piecewise(name: str, z: Ball) -> Jet:
    factor = arb(1) if _side(z) else ball(LINEAR_PIECES[name])
    return factor * z, factor, arb(0)


def _side(z: Ball) -> bool:
    """Return whether z > 0, if that is certain either way."""
    if not (z > 0 or z < 0):
        raise NotProvedError("a pre-activation may be 0, at the kink of the activation")
    return bool(z > 0)


# φ(z) = z for z > 0 and slope · z for z < 0: here W* can be found exactly.
LINEAR_PIECES = {"identity": Fraction(1), "relu": Fraction(0), "leaky_relu": Fraction(1, 100)}

JETS: dict[str, Callable[[Ball], Jet]] = {
    "identity": _identity,
    "tanh": _tanh,
    "sigmoid": _logistic,
    "softplus": _softplus,
    "relu": partial(_piecewise, "relu"),
    "leaky_relu": partial(_piecewise, "leaky_relu"),
    "gelu": _gelu,
    "silu": _silu,
    "elu": _elu,
}


Vector = Sequence[Fraction]


@dataclass(frozen=True)
class Problem:
    """One neuron with and without batch norm, and its learning set; see `Certificate`."""

    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    center: bool
    gamma: Fraction
    beta: Fraction

    @property
    def m(self) -> int:
        return len(self.inputs)

    @property
    def d(self) -> int:
        return len(self.inputs[0])

    @property
    def columns(self) -> list[list[Fraction]]:
        """The rows that batch norm sees: the inputs, less their mean where it centres."""
        if not self.center:
            return [list(row) for row in self.inputs]
        means = [sum(x, Fraction(0)) / self.m for x in zip(*self.inputs, strict=True)]
        return [[x - mean for x, mean in zip(row, means, strict=True)] for row in self.inputs]

    def certificate(
        self, box: Sequence[tuple[Fraction, Fraction]], bound: Fraction, precision: int
    ) -> Certificate:
        return Certificate(**vars(self), box=tuple(box), bound=bound, precision=precision)

    def require_optimum(self) -> None:
        """Refuse a problem in which the BN neuron may have no optimum."""
        rank = matrix(self.columns).rank()
        if rank < self.d:
            what = f"the inputs {'less their mean ' if self.center else ''}have rank {rank}"
            raise NotProvedError(f"no BN optimum need exist: {what}, not {self.d}")


def matrix(rows: Sequence[Vector]) -> Any:
    """Return an exact matrix of python-flint."""
    return fmpq_mat([[fmpq(each.numerator, each.denominator) for each in row] for row in rows])


def dot(u: Vector, v: Vector) -> Fraction:
    return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))


def refuse_other_point(found: Vector, approximate: Vector) -> None:
    """Refuse a point that is not the one that was asked for."""
    moved = max(abs(a - b) for a, b in zip(found, approximate, strict=True))
    if 8 * moved > max(abs(each) for each in (*found, *approximate)):
        where = f"Newton's method leads to ({', '.join(decimal(each, 6) for each in found)})"
        raise NotProvedError(f"the approximation is not near a minimum: {where}")


def rounded_down(value: Fraction) -> Fraction:
    """Return the largest decimal of two digits that is at most a positive number."""
    digits = math.floor(math.log10(value.numerator) - math.log10(value.denominator)) - 1
    unit = Fraction(10) ** digits
    return math.floor(value / unit) * unit


def problem(
    inputs: Any, targets: Any, activation: Any, center: Any, gamma: Any, beta: Any
) -> Problem:
    """Return the arguments of `certify` as a problem, or raise ``ValueError``."""
    rows = tuple(vector("inputs", row) for row in _entries("inputs", inputs))
    t = vector("targets", targets)
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise ValueError("inputs: expected shape (m, d); give every example the same inputs.")
    if len(t) != len(rows):
        raise ValueError(f"targets: {len(t)} targets for {len(rows)} examples; give one for each.")
    if not isinstance(activation, str) or activation not in JETS:
        raise ValueError(f"activation: {activation!r} is unknown; use one of {', '.join(JETS)}.")
    norm = flag("center", center), number("gamma", gamma), number("beta", beta)
    return Problem(rows, t, activation, *norm)


def vector(name: str, values: Any) -> tuple[Fraction, ...]:
    """Return a sequence of numbers as exact fractions, or raise ``ValueError``."""
    return tuple(number(name, each) for each in _entries(name, values))


def point(name: str, values: Any, d: int) -> tuple[Fraction, ...]:
    """Return d exact weights, or raise ``ValueError``."""
    found = vector(name, values)
    if len(found) != d:
        raise ValueError(f"{name}: expected {d} weights, got {len(found)}.")
    return found


def require_precision(precision: int) -> None:
    """Raise ``ValueError`` unless a verifier can follow with so many bits."""
    if whole_number("precision", precision, at_least=53) > 16384:
        raise ValueError(f"precision: must be at most 16384 bits, got {precision}.")


def _entries(name: str, values: Any) -> Any:
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(f"{name}: expected a list, got {values!r:.60}.")
    return values


def number(name: str, value: Any) -> Fraction:
    """Return one number as an exact fraction; a float is the binary fraction it is."""
    try:
        if isinstance(value, str | float):
            return Fraction(value)
        if isinstance(value, Rational) and not isinstance(value, bool):
            return Fraction(int(value.numerator), int(value.denominator))
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ValueError(f"{name}: {value!r} is not a finite rational number.") from error
    raise ValueError(
        f"{name}: {value!r:.60} is not a rational number; use int, Fraction, 'p/q' or float."
    )
