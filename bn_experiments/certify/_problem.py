"""The exact data of one certificate: a learning set and a BN neuron in rational numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

from flint import fmpq, fmpq_mat

from bn_experiments.certify._balls import JETS, NotProvedError
from bn_experiments.certify.certificate import Certificate, decimal
from bn_solver.arrays import choice, flag, whole_number

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
    choice("activation", activation, JETS)
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
