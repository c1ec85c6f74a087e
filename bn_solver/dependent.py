"""One least-squares problem whose columns are dependent, or nearly so: rank, shortest w, kernel."""

from typing import NamedTuple

import numpy as np

from bn_solver.augmented import CONTRACTION, EPS, Scaled, Systems
from bn_solver.doubled import Array, Int, Pair, exponents, independent, length, two_sum

# A kernel that is not known at least so well is refused.
_KNOWN = 1e-6


class Solved(NamedTuple):
    """w = weights · 2^exponent, its error over 2^exponent, and what else is found.

    The residual is over the power of two of the targets.
    """

    weights: Pair
    exponent: Int
    error: Array
    residual: Array
    residual_error: float
    kernel: Array
    kernel_error: float
    rank: int


def solve_dependent(
    a: Scaled, b: Scaled, data: Pair, intercept: bool, kernel: bool, where: str
) -> Solved:
    """Solve one problem whose columns are dependent, or nearly so.

    Refined: a basic solution on a basis of the columns, and the coefficients of the other columns
    in this basis.
    """
    (x, t), first, power = data, int(intercept), a.exponent[0]
    if first < len(x) < len(power):
        found = _interpolated(x, t, intercept, kernel)
        if found is not None:
            return found
    raw = np.column_stack([np.ones(len(x)), x]) if intercept else x
    basis = np.array(_basis(a.high, power, raw, forced=intercept), dtype=int)
    others = np.setdiff1d(np.arange(len(power)), basis)
    if not basis.size:
        nothing = np.zeros(len(power))
        null = np.eye(len(power))
        return Solved((nothing, nothing), power, nothing, b.high[:, 0], 0.0, null, 0.0, 0)
    systems = Systems(a.high[None, :, basis], a.low[None, :, basis])
    f = tuple(
        np.column_stack([v, w[:, others]])[None] for v, w in ((b.high, a.high), (b.low, a.low))
    )
    zero = np.zeros((1, len(basis), 1 + len(others)))
    solved, residual, bound = systems.refine((f[0], f[1]), (zero, zero))
    left_over = np.linalg.norm(residual[0][0, :, 1:], axis=0)  # 0 but for rounding
    if not np.isfinite(bound).all() or (left_over > 2 * bound[0, 0, 1:]).any():
        near = basis[systems.inflation[0] >= min(systems.inflation.max() / 1000, 1e12)]
        raise _ambiguous(sorted(int(j) - first for j in near if j >= first), intercept, where)
    left, (high, low) = (residual[0] + residual[1])[0, :, 0], (v[0, first:] for v in solved)
    left_off = float(bound[0, 0, 0])
    off, own = (systems.rows * bound)[0, first:], -power[basis[first:], None]
    exponent = b.exponent[0, 0] + own[:, 0]
    if not others.size:
        into = np.argsort(basis[first:])
        weights = high[into, 0], low[into, 0]
        null = np.zeros((len(own), 0))
        error = off[into, 0]
        return Solved(weights, exponent[into], error, left, left_off, null, 0.0, len(own))
    # Back to the metric of the data, and to one unit.
    size = high[:, 0] if high[:, 0].any() else off[:, 0]
    top = int((np.frexp(size)[1] + own[:, 0]).max(initial=-9999, where=size != 0))
    scale = np.concatenate([own - top, own + power[others]], axis=1)
    with np.errstate(over="ignore"):
        high, low, off = (np.ldexp(v, scale) for v in (high, low, off))
    least = _least_norm((high, low), off, basis[first:] - first, others - first)
    if least is None:
        raise _ambiguous(list(range(len(power) - first)), intercept, where)
    unit = np.full(len(power) - first, b.exponent[0, 0] + top)
    error = np.full(len(unit), least[1])
    return Solved(least[0], unit, error, left, left_off, *least[2:], len(own))


def _least_norm(
    coefficients: Pair, off: Array, basis: Int, others: Int
) -> tuple[Pair, float, Array, float] | None:
    """Return the w of minimum norm with (I, T) w = basic, its error, the kernel, and its error.

    `coefficients` are basic and T, known up to `off`; rows of T are for columns in `basis`, its
    columns for `others`. None if T is too large.
    """
    d, r = len(basis) + len(others), len(basis)
    if not r:
        return (np.zeros(d), np.zeros(d)), 0.0, np.eye(d), 0.0
    if not np.isfinite(off).all():
        return None
    high, low = np.zeros((2, d, r))
    high[basis, np.arange(r)] = 1.0
    high[others], low[others] = (v[:, 1:].T for v in coefficients)
    found = _shortest((high, low), (coefficients[0][:, 0], coefficients[1][:, 0]))
    if found is None:
        return None
    weights, error, kernel, kernel_error = found
    # The norm of (I, T)⁺ is at most 1.
    with np.errstate(over="ignore"):
        t_off = float(2 * length(off[:, 1:].ravel()))
        error += float(length(off[:, 0]) + t_off * length(weights[0]))
    if not kernel_error + t_off < _KNOWN:
        return None
    return weights, error, kernel, kernel_error + t_off


def _interpolated(x: Array, t: Array, intercept: bool, kernel: bool) -> Solved | None:
    """Solve X w = t, or its differences, where all rows are clearly independent; else None."""
    parts, units = [], []
    for v in (x, t):
        unit = int(exponents(v, (0, 1))[0, 0])
        v = np.ldexp(v, -unit)
        if np.abs(v).min(initial=1.0, where=v != 0) < 2.0**-900:
            return None
        parts.append(two_sum(v[1:], -v[:1]) if intercept else (v, np.zeros_like(v)))
        units.append(unit)
    (high, low), (t_high, t_low) = parts
    found = _shortest((high.T, low.T), (t_high[:, 0], t_low[:, 0]), kernel)
    if found is None:
        return None
    (high, low), error, null, null_error = found
    d = len(high)
    return Solved(
        (high, low),
        np.full(d, units[1] - units[0]),
        np.full(d, error),
        np.zeros(len(x)),
        0.0,
        null,
        null_error,
        len(t_high),
    )


def _shortest(a: Pair, g: Pair, kernel: bool = True) -> tuple[Pair, float, Array, float] | None:
    """Return the w of minimum norm with Aᵀ w = g, its error, the kernel of Aᵀ, and its error.

    None if the columns of A, shape (d, r), are not clearly independent.
    """
    power = exponents(a[0], 0)
    high, low = (np.ldexp(v, -power)[None] for v in a)
    systems = Systems(high, low)
    if not systems.contraction[0] <= CONTRACTION:
        return None
    d, r = a[0].shape
    null = np.linalg.qr(high[0], mode="complete")[0][:, r:] if kernel else np.zeros((d, 0))
    off = 8 * EPS * float(systems.inflation.sum())
    # A kernel that is right to 12 digits is not refined where that would take long.
    refined = null if off > 2.0**-40 or d * r * (d - r) < 1e6 else null[:, :0]
    f, g_high, g_low = (np.zeros((1, size, 1 + len(refined.T))) for size in (d, r, r))
    f[0, :, 1:] = refined
    g_high[0, :, 0], g_low[0, :, 0] = (np.ldexp(v, -power[0]) for v in g)
    _, (high, low), bound = systems.refine((f, np.zeros_like(f)), (g_high, g_low))
    if not np.isfinite(bound).all():
        return None
    if len(refined.T):
        # A projection: in the kernel, but no longer orthonormal.
        null = np.linalg.qr(high[0, :, 1:])[0]
        off = 2 * float(length(bound[0, 0, 1:])) + EPS * d
    return (high[0, :, 0], low[0, :, 0]), float(bound[0, 0, 0]), null, off


def _ambiguous(columns: list[int], intercept: bool, where: str) -> ValueError:
    """Return the error that names columns which rounding cannot tell from dependent ones."""
    kind = "collinear or constant" if intercept else "collinear"
    return ValueError(
        f"inputs: columns {columns}{where} are {kind} up to rounding, but not exactly, so the "
        "optimum is not determined; drop one of them, or shift or rescale them."
    )


def _basis(a: Array, power: Int, raw: Array, *, forced: bool) -> list[int]:
    """Return independent columns that span all: large ones, in the metric of the data, first.

    A column counts as clearly independent of those before it if more than 10⁻⁶ of its length is
    left after projection. Where such columns are fewer than they can be, exact arithmetic tells.
    """
    m, d = a.shape
    length = (a * a).sum(axis=0)
    left, basis, q = length.copy(), list[int](), np.zeros((m, min(m, d)))
    while len(basis) < min(m, d):
        clear = left > 2.0**-40 * length
        if not clear.any():
            order = [*basis, *sorted(set(range(d)) - {*basis}, key=lambda j: -power[j])]
            return independent(raw, order)
        size = np.where(clear, power + np.log2(np.where(clear, left, 1.0)) / 2, -np.inf)
        j = 0 if forced and not basis else int(size.argmax())
        done, v = q[:, : len(basis)], a[:, j]
        for _ in range(2):
            v = v - done @ (done.T @ v)
        q[:, len(basis)] = v = v / np.linalg.norm(v)
        left -= (v @ a) ** 2
        left[j] = 0.0
        basis.append(j)
    return basis
