"""One solver for least squares, with or without intercept, right to the last digit.

QR of columns scaled by powers of two, then iterative refinement of solution *and* residual
(Björck's augmented system), with residuals in doubled precision. Every result comes with a bound
of its error; what working precision cannot decide is refused.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import real_array
from bn_solver.augmented import EPS, Scaled, Systems
from bn_solver.dependent import solve_dependent
from bn_solver.doubled import Array, Int, Pair, total, two_product

# As many numbers are worked on at once: temporaries stay in cache.
_CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The solutions of min ‖X w (+ a) − t‖: those of minimum norm, and how far they are known.

    Attributes
    ----------
    solution, error : ndarray, shape (..., d)
        w, and a bound of the error of each entry, its rounding included.
    intercept, intercept_error : ndarray, shape (...)
        a = t̄ − x̄ᵀw, and its bound; 0 without intercept.
    rank : ndarray of int, shape (...)
        The number of independent (with intercept: centred) columns.
    kernel, kernel_error : ndarray, shape (..., d, k) and (...)
        Orthonormal columns that span all v with X v = 0 (with intercept: X v constant), filled up
        with zero columns where a problem has fewer; a bound of the error of each column. No columns
        if it was not asked for.
    residual, residual_error : ndarray, shape (..., m) and (...)
        t − X w (− a), and a bound of the error of each entry.
    """

    solution: Array
    error: Array
    intercept: Array
    intercept_error: Array
    rank: Int
    kernel: Array
    kernel_error: Array
    residual: Array
    residual_error: Array


def least_squares(
    x: npt.ArrayLike, t: npt.ArrayLike, *, intercept: bool = False, kernel: bool = True
) -> LeastSquares:
    """Solve min ‖X w − t‖, or min ‖X w + a − t‖, for each problem of a stack.

    Parameters
    ----------
    x : array_like, shape (..., m, d)
        Finite numbers.
    t : array_like, shape (..., m)
        Finite numbers.
    intercept : bool
        Append a column of ones; w is then the slope.
    kernel : bool
        Find the kernel too; of a wide problem it costs more than the solution.

    Raises
    ------
    ValueError
        If columns are neither exactly dependent nor clearly independent, a result is too large, or
        an argument does not fit.
    """
    x = real_array("inputs", x, shape="(..., m, d)")
    t = real_array("targets", t, shape="(..., m)")
    if x.shape[:-1] != t.shape or 0 in x.shape[-2:]:
        raise ValueError(
            f"targets: shape {t.shape} does not fit inputs of shape {x.shape}; "
            "they need (..., m) and (..., m, d)."
        )
    *batch, m, d = x.shape
    n = int(np.prod(batch, dtype=int))
    x, t = x.reshape(n, m, d), t.reshape(n, m, 1)
    ends: list[tuple[int, ...]] = [(d,), (d,), (), (), (m,), ()]
    found = [np.zeros((n, *end)) for end in ends]
    kernels: dict[int, tuple[Array, float, int]] = {}
    step = max(1, _CHUNK // (m * (d + 1)))
    for start in range(0, n, step):
        part = slice(start, start + step)
        values, special = _chunk(x[part], t[part], intercept, kernel, (start, tuple(batch)))
        for into, value in zip(found, values, strict=True):
            into[part] = value
        kernels |= {start + i: each for i, each in special.items()}
    if not all(np.isfinite(each).all() for each in found):
        raise ValueError(
            "inputs, targets: the optimum is too large for float64; rescale the inputs or targets."
        )
    widest = max((each.shape[1] for each, *_ in kernels.values() if kernel), default=0)
    null, off, rank = np.zeros((n, d, widest)), np.zeros(n), np.full(n, d)
    for i, (each, bound, rank[i]) in kernels.items():
        if kernel:
            null[i, :, : each.shape[1]], off[i] = each, bound
    results = (*found[:4], rank, null, off, *found[4:])
    return LeastSquares(*(each.reshape((*batch, *each.shape[1:])) for each in results))


def _chunk(
    x: Array, t: Array, intercept: bool, kernel: bool, place: tuple[int, tuple[int, ...]]
) -> tuple[list[Array], dict[int, tuple[Array, float, int]]]:
    """Solve problems of shape (n, m, d); return what is collected, and kernels with ranks."""
    a, b = Scaled.of(x, intercept), Scaled.of(t, intercept)
    if intercept:
        ones = np.ones_like(t)
        a = a._replace(
            high=np.concatenate([ones, a.high], axis=2),
            low=np.concatenate([0 * ones, a.low], axis=2),
            exponent=np.concatenate([0 * b.exponent, a.exponent], axis=2),
        )
    n, m, d = a.high.shape
    good, first = np.zeros(n, dtype=bool), int(intercept)
    high, low, error = np.zeros((3, n, d, 1))
    residual, off = np.zeros((n, m, 1)), np.zeros(n)
    exponent = b.exponent - np.swapaxes(a.exponent, 1, 2)
    if m >= d:
        systems = Systems(a.high, a.low)
        zero = np.zeros((n, d, 1))
        (high, low), r, bound = systems.refine((b.high, b.low), (zero, zero), first=first)
        error, residual, off = systems.rows * bound, r[0] + r[1], bound[:, 0, 0]
        good = np.isfinite(off)
    high, low, error = (v[:, first:, 0] for v in (high, low, error))
    exponent = exponent[:, first:, 0]
    kernels: dict[int, tuple[Array, float, int]] = {}
    for i in np.flatnonzero(~good):
        one = Scaled(*(v[i] for v in a)), Scaled(*(v[i] for v in b))
        index = tuple(int(j) for j in np.unravel_index(place[0] + i, place[1])) if place[1] else ()
        where = f" of learning set {index}" if index else ""
        each = solve_dependent(*one, (x[i], t[i]), intercept, kernel, where)
        (high[i], low[i]), exponent[i], error[i], residual[i, :, 0], off[i] = each[:5]
        kernels[int(i)] = each[5:]
    with np.errstate(over="ignore", invalid="ignore"):
        solution = np.ldexp(high + low, exponent)
        known = np.ldexp(error, exponent) + np.spacing(np.abs(solution)) / 2
        off += EPS / 2 * np.abs(residual[:, :, 0]).max(axis=1)
        rest = [
            np.ldexp(residual, b.exponent)[:, :, 0],
            np.ldexp(off, b.exponent[:, 0, 0]) + 5e-324,
        ]
        values = [solution, known, np.zeros(n), np.zeros(n), *rest]
        if intercept:
            values[2:4] = _intercept(a, b, (high, low), error, exponent)
    return values, kernels


def _intercept(
    a: Scaled, b: Scaled, weights: Pair, error: Array, exponent: Int
) -> tuple[Array, Array]:
    """Return t̄ − x̄ᵀw from pairs, and a bound of its error."""
    mean, mean_low = a.mean[:, 0], a.mean_low[:, 0]
    product, lost = two_product(mean, weights[0])
    lost = lost + mean * weights[1] + mean_low * weights[0]
    power = np.concatenate([b.unit[:, 0], a.unit[:, 0] + exponent], axis=1)
    high = np.concatenate([b.mean[:, 0], -product], axis=1)
    low = np.concatenate([b.mean_low[:, 0], -lost], axis=1)
    top = np.where(high != 0, power + np.frexp(high)[1], np.iinfo(np.int32).min // 2)
    # Where all terms are 0 their errors decide what is representable.
    top = np.where(high.any(axis=1, keepdims=True), top, power).max(axis=1, keepdims=True)
    terms = np.ldexp(np.concatenate([high, low], axis=1), np.tile(power - top, 2))
    spread = np.abs(mean) * error + 2.0**-98 * np.abs(product)
    bound = np.ldexp(spread, power[:, 1:] - top).sum(axis=1) + 2.0**-98
    value = np.ldexp(np.add(*total(terms.T)), top[:, 0])
    return value, np.ldexp(bound, top[:, 0]) + np.spacing(np.abs(value)) / 2
