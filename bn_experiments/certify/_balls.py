"""Ball arithmetic for `certify`: activations with derivatives, and exact conversions.

A ball of python-flint (Arb) contains the true value of what it was computed from; comparisons
are true only if they hold for every point of the balls. NaN compares as false, so every test
in this package asks for what it wants, never for the opposite of what it fears.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from flint import arb, fmpq

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
