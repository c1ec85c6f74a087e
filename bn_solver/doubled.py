"""Arithmetic in twice the working precision: a number is a pair high + low."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Int = npt.NDArray[np.int_]
Pair = tuple[Array, Array]
SLICES = 4


def exponents(values: Array, axis: int | tuple[int, ...]) -> Int:
    """Return the least e, axis kept, with all |values| < 2^e; 0 where all are 0."""
    return np.asarray(np.frexp(np.abs(values).max(axis=axis, keepdims=True, initial=0.0))[1])


def length(vectors: Array) -> Array:
    """Return the Euclidean length over the last axis, without overflow or underflow on the way."""
    exponent = exponents(vectors, -1)
    scaled = np.ldexp(vectors, -exponent)
    with np.errstate(over="ignore"):
        root = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))
        return np.asarray(np.ldexp(root, exponent[..., 0]))


def two_sum(a: Array, b: Array) -> Pair:
    """Return a + b exactly: the rounded sum, and what its rounding lost (Knuth)."""
    total = a + b
    shifted = total - a
    return total, (a - (total - shifted)) + (b - shifted)


def two_product(a: Array, b: Array) -> Pair:
    """Return a · b exactly, for numbers of moderate size (Veltkamp and Dekker)."""
    a1, b1 = (134217729.0 * v - (134217729.0 * v - v) for v in (a, b))
    a2, b2, product = a - a1, b - b1, a * b
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def total(values: Array) -> Pair:
    """Return the sum over the first axis as a pair, adding by halves."""
    low = np.zeros_like(values[:1])
    while len(values) > 1:
        half = len(values) // 2
        added, lost = two_sum(values[:half], values[half : 2 * half])
        if len(low) > 1:
            lost += low[:half] + low[half : 2 * half]
        if len(values) % 2:
            last = low[-1:] if len(low) > 1 else np.zeros_like(values[:1])
            added, lost = np.concatenate([added, values[-1:]]), np.concatenate([lost, last])
        values, low = added, lost
    return two_sum(values[0], low[0])


def mean_pair(values: Array, axis: int) -> Pair:
    """Return the mean of numbers up to 1 as a pair, axis kept."""
    last = axis in (-1, values.ndim - 1)
    rows = values if last else np.moveaxis(values, axis, -1)
    count = rows.shape[-1]
    parts = slices(rows, 0.0, 0, 52 - (count - 1).bit_length(), 3)  # sums of two are exact
    ones = np.ones((count, 1))
    sums = [part @ ones for part in parts]
    high, lost = two_sum(sums[0], sums[1])
    high, low = two_sum(high, lost + sums[2])
    quotient = high / count
    product, lost = two_product(quotient, np.asarray(float(count)))
    pair = two_sum(quotient, ((high - product) - lost + low) / count)
    return pair if last else (np.moveaxis(pair[0], -1, axis), np.moveaxis(pair[1], -1, axis))


def slices(
    high: Array, low: Array | float, exponent: Int | int, bits: int, count: int = SLICES
) -> list[Array]:
    """Split |high| ≤ 2^exponent into slices of `bits` bits; the last is the rest, low included.

    A sum of n products of two slices, but the last, is exact in any order if
    1.25 n ≤ 2^(53 − 2 bits) (Ozaki).
    """
    parts, rest = [], high
    for i in range(1, count):
        big = np.ldexp(1.5, 52 - i * bits + np.asarray(exponent))
        part = rest + big
        part -= big
        rest = rest - part
        parts.append(part)
    return [*parts, rest + low]


def cancelled(terms: list[Array], low: Array) -> Array:
    """Return the sum of terms that cancel, and of a small one, summed in doubled precision."""
    high = terms[0]
    for term in terms[1:]:
        high, lost = two_sum(high, term)
        low = low + lost
    return high + low


_PRIMES = 2147483587, 2147483629


def modulo(values: Array, prime: int) -> Int:
    """Return floats, integers times powers of two, as integers modulo a prime."""
    fraction, exponent = np.frexp(values)
    low = int(exponent.min(initial=0))
    powers = [pow(2, e - 53, prime) for e in range(low, int(exponent.max(initial=0)) + 1)]
    whole = np.ldexp(fraction, 53).astype(np.int64) % prime
    return np.asarray(whole * np.array(powers)[exponent - low] % prime)


def independent(columns: Array, order: list[int]) -> list[int]:
    """Return those columns that do not depend, exactly, on the columns before them in `order`.

    The rank modulo a prime is exact arithmetic, and (but for one matrix in 10⁹) the rank itself.
    It is never larger.
    """
    prime, chosen = _PRIMES[0], []
    rows = modulo(columns, prime)
    for j in order:
        (i, *_) = *np.flatnonzero(rows[:, j]), -1
        if i >= 0:
            chosen.append(j)
            factor = rows[:, j] * pow(int(rows[i, j]), -1, prime) % prime
            rows = (rows - factor[:, None] * rows[i] % prime) % prime  # row i becomes 0
    return chosen


def orthogonal(rows: Array, vector: Array) -> npt.NDArray[np.bool_]:
    """Return which rows are exactly orthogonal to a vector, modulo two primes."""
    products = [modulo(rows, each) * modulo(vector, each) % each for each in _PRIMES]
    sums = [each.sum(axis=1) % prime for each, prime in zip(products, _PRIMES, strict=True)]
    return np.asarray(np.logical_not(np.any(sums, axis=0)))


def solves_exactly(x: Array, t: Pair, w: Array, *, intercept: bool) -> bool:
    """Return whether Xᵀ(t − X w) = 0 exactly, both centred if with intercept, modulo two primes."""
    for prime in _PRIMES:
        columns, weights = modulo(x, prime), modulo(w, prime)
        left = modulo(t[0], prime) + modulo(t[1], prime)
        for column, weight in zip(columns.T, weights, strict=True):
            left = (left - column * weight) % prime
        if intercept:
            left = (len(left) * left - left.sum()) % prime
        if (np.sum(columns * left[:, None] % prime, axis=0) % prime).any():
            return False
    return True
