"""Arithmetic in twice the working precision, and modulo primes, against exact numbers."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bn_solver import doubled
from tests import oracles
from tests.oracles import rational

RNG = np.random.default_rng
LARGE = 10.0 ** RNG(2).integers(-8, 8, size=(2, 100))
A, B = RNG(1).normal(size=(2, 100)) * LARGE


def exact(pair):
    """Return high + low."""
    high, low = (np.ravel(v).tolist() for v in pair)
    return [Fraction(v) + Fraction(w) for v, w in zip(high, low, strict=True)]


def rationals(values):
    return [Fraction(v) for v in values.ravel().tolist()]


def test_sums_and_products_lose_nothing_and_terms_may_cancel():
    pairs = list(zip(rationals(A), rationals(B), strict=True))
    assert exact(doubled.two_sum(A, B)) == [v + w for v, w in pairs]
    assert exact(doubled.two_sum(B, A)) == [v + w for v, w in pairs]
    assert exact(doubled.two_product(A, B)) == [v * w for v, w in pairs]
    rest = 1e-20 * np.abs(A)
    terms = [A, B, -A, 3 * A, -B, -3 * A]
    found = doubled.cancelled(terms, rest)
    assert (np.abs(found - rest) <= 2.0**-100 * (np.abs(A) + np.abs(B))).all()


@oracles.each(range(1, 12))
def test_totals_of_any_length(n):
    values = np.column_stack([A[:n], B[:n], 1e16 * (-1.0) ** np.arange(n) + A[:n]])
    for column, found in zip(values.T, exact(doubled.total(values)), strict=True):
        size = sum(map(abs, rationals(column)))
        assert abs(found - sum(rationals(column))) <= size / 2**100


@oracles.each([1, 2, 3, 7, 64, 1000])
def test_means_are_right_to_doubled_precision(n):
    values = RNG(n).uniform(-1, 1, size=(n, 4)) + [0.0, 1e-9, 0.0, 0.0]
    values[:, 1] /= 2
    values[:, 2] = 0.1  # equal numbers
    values[:, 3] **= 9  # large and small ones
    found = exact(doubled.mean_pair(values, 0))
    for column, mean in zip(values.T, found, strict=True):
        assert abs(mean - sum(rationals(column)) / n) <= Fraction(1, 2**95)


@oracles.each([12, 21, 24])
def test_slices_are_short_and_add_up(bits):
    low = 1e-18 * B / np.abs(B).max()
    high = A / 2 ** float(doubled.exponents(A, 0)[0])
    parts = doubled.slices(high, low, 0, bits)
    assert len(parts) == doubled.SLICES
    *short, rest = map(rationals, parts)
    unrounded = map(sum, zip(*short, strict=True))
    gaps = [v - w for v, w in zip(rationals(high), unrounded, strict=True)]
    assert [float(g + w) for g, w in zip(gaps, rationals(low), strict=True)] == parts[-1].tolist()
    for i, part in enumerate(short, start=1):
        assert all((v * 2 ** (i * bits)).denominator == 1 for v in part)
    assert all(abs(v) <= Fraction(1, 2 ** (3 * bits + 1)) + Fraction(1, 2**59) for v in rest)


def test_exponents_are_the_least_above():
    values = np.array([[1.0, 0.0, 5e-324, -3.0, 1.7e308], [0.5, 0.0, 0.0, 1.0, 0.0]])
    assert doubled.exponents(values, 0).tolist() == [[1, 0, -1073, 2, 1024]]
    assert doubled.exponents(values, (0, 1)).tolist() == [[1024]]


@oracles.each([1e-320, 1e-200, 1.0, 1e200, 1e307])
def test_lengths_neither_overflow_nor_underflow(size):
    found = doubled.length(size * np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -5.0]]))
    np.testing.assert_allclose(found, np.array([5 * size, 0, 5 * size]), rtol=4e-16, atol=5e-324)


def test_a_length_beyond_float64_is_infinite():
    assert doubled.length(np.full(4, 1.7e308)) == np.inf


@oracles.each(doubled._PRIMES)
def test_numbers_modulo_a_prime(prime):
    assert pow(2, prime - 1, prime) == 1
    values = np.array([0.0, 1.0, -1.0, 0.1, -1e300, 5e-324, 2.0**53 - 1, 1.7e308])
    for v, found in zip(rationals(values), doubled.modulo(values, prime).tolist(), strict=True):
        assert found == v.numerator * pow(v.denominator, -1, prime) % prime


@st.composite
def integers(draw):
    m, d = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    rng, rank = RNG(draw(st.integers(0, 10**6))), draw(st.integers(1, 6))
    whole = rng.integers(-9, 9, size=(m, rank)) @ rng.integers(-2, 3, size=(rank, d))
    return np.asarray(whole * 2.0 ** rng.integers(-80, 80, size=d))


@given(integers())
def test_independent_columns(columns):
    order = list(range(columns.shape[1]))[::-1]
    chosen = doubled.independent(columns, order)
    assert chosen == [
        j
        for n, j in enumerate(order)
        if rational.matrix(columns[:, order[: n + 1]]).rank()
        > (rational.matrix(columns[:, order[:n]]).rank() if n else 0)
    ]


def test_nearly_dependent_is_not_dependent():
    x = np.array([[1 + oracles.EPS, 1], [1, 1 - oracles.EPS]])
    assert doubled.independent(x, [0, 1]) == [0, 1]


def test_orthogonal_rows():
    rows = np.array([[1.0, 1.0, 0.1], [1e-300, 1e-300, 0.0], [1.0, 1.0, 1e-300], [0.0, 0.0, 0.0]])
    assert doubled.orthogonal(rows, np.array([1.0, -1.0, 0.0])).tolist() == [True] * 4
    almost = np.array([1.0, -1.0, 1e-300])
    assert doubled.orthogonal(rows, almost).tolist() == [False, True, False, True]
    assert doubled.orthogonal(rows[:1], np.array([1.0, np.nextafter(-1, 0), 0.0])).tolist() == [
        False
    ]


def test_what_solves_exactly_and_with_a_residual():
    x = RNG(5).integers(-9, 9, size=(7, 3)) / 8.0
    w, zero = np.array([0.5, -2.0, 3.0]), np.zeros(7)
    t = x @ w
    for intercept in (False, True):
        assert doubled.solves_exactly(x, (t, zero), w, intercept=intercept)
        for wrong in (np.nextafter(w, 9), w + [0, 0, 2.0**-51], 0 * w):
            assert not doubled.solves_exactly(x, (t, zero), wrong, intercept=intercept)
        assert not doubled.solves_exactly(x, (t, 1e-30 * t**2), w, intercept=intercept)
    assert doubled.solves_exactly(x, (t + 4, zero), w, intercept=True)
    assert not doubled.solves_exactly(x, (t + 4, zero), w, intercept=False)
    assert doubled.solves_exactly(x, (t, zero + 1e-30), w, intercept=True)
    assert not doubled.solves_exactly(x, (t, zero + 1e-30), w, intercept=False)
    x, t = np.array([[1.0, 0], [0, 1], [1, 1]]), np.array([2.0, 0, 5])
    assert doubled.solves_exactly(x, (t, 0 * t), np.array([3.0, 1.0]), intercept=False)
    assert not doubled.solves_exactly(x, (t, 0 * t), np.array([5.0, 3.0]), intercept=False)
    assert doubled.solves_exactly(x, (t, 0 * t), np.array([5.0, 3.0]), intercept=True)


def test_a_prime_that_lies_is_outvoted(monkeypatch):
    """Both primes must say 0; one small prime would call 3 nothing."""
    assert not (lie := np.array([3.0])) @ lie % 3
    honest = doubled._PRIMES[1]
    for primes in ((3, honest), (honest, 3)):
        monkeypatch.setattr(doubled, "_PRIMES", primes)
        assert not doubled.orthogonal(lie[None], lie)[0]
        assert not doubled.solves_exactly(lie[:, None], (lie, 0 * lie), 0 * lie, intercept=False)
    monkeypatch.setattr(doubled, "_PRIMES", (3, 3))
    assert doubled.orthogonal(lie[None], lie)[0]
    assert doubled.solves_exactly(lie[:, None], (lie, 0 * lie), 0 * lie, intercept=False)
    assert doubled.independent(np.array([[1.0, 1.0], [1.0, 4.0]]), [0, 1]) == [0]  # determinant 3
