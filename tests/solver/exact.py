"""The solver against exact rational arithmetic: right to its bounds, or refused; never wrong."""

from fractions import Fraction

import numpy as np

from bn_solver import least_squares
from tests.oracles import Disagreement, rational

WHOLE = {
    "powers": np.arange(21.0)[:, None] ** np.arange(1, 6),
    "year and its square": np.arange(1990.0, 2021)[:, None] ** [1, 2],
}
# What a refusal says.
REFUSED = "columns", "too large"


def conditioned(x, digits):
    """Return x with singular values from 1 down to 10^−digits."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return np.asarray(u * np.geomspace(1, 10.0**-digits, len(s)) @ v)


def fractions(values):
    """Return a column of flint as fractions."""
    return [Fraction(int(v.p), int(v.q)) for v in values.entries()]


def bounded(what, found, bounds, truth):
    """Raise `Disagreement` if an entry is farther from the truth than its bound."""
    bounds = np.broadcast_to(bounds, np.shape(found)).ravel()
    for v, bound, exact in zip(np.ravel(found), bounds, fractions(truth), strict=True):
        if abs(Fraction(float(v)) - exact) > Fraction(float(bound)):
            raise Disagreement(f"{what}: {v!r} ± {bound:.1e}, but {float(exact)!r}")


def compare(x, t, intercept, solve=least_squares):
    """Return a result that is right to its bounds, None if it is refused, or raise."""
    x, t = np.asarray(x, dtype=float), np.asarray(t, dtype=float)
    try:
        found = solve(x, t, intercept=intercept)
    except ValueError as error:
        if not any(each in str(error) for each in REFUSED):
            raise
        return None
    a, b = rational.matrix(x), rational.column(t)
    exact = rational.solutions(a, b, intercept=intercept)
    if found.rank != exact.rank:
        raise Disagreement(f"rank: {found.rank}, but {exact.rank}")
    bounded("solution", found.solution, found.error, exact.w)
    left = b - a * exact.w
    if intercept:
        mean = sum(left.entries()) / len(t)
        bounded("intercept", found.intercept, found.intercept_error, rational.column([1]) * mean)
        left = rational.centred(left)
    bounded("residual", found.residual, found.residual_error, left)
    if found.residual_error > 1e-15 * np.abs(t).max() + 1e-300:
        raise Disagreement(f"residual: its bound is {found.residual_error:.1e}")
    compare_kernel(found.kernel, float(found.kernel_error), exact)
    return found


def compare_kernel(kernel, bound, exact):
    """Raise unless the columns are orthonormal and, to their bound, span the kernel."""
    d, size = kernel.shape
    if size != d - exact.rank:
        raise Disagreement(f"kernel: {size} columns of {d}, but the rank is {exact.rank}")
    if np.abs(kernel.T @ kernel - np.eye(size)).max(initial=0.0) > bound + 4e-15:
        raise Disagreement("kernel: not orthonormal")
    for each in kernel.T:
        v = rational.column(each)
        off = v - exact.along(v)
        if rational.dot(off, off) > rational.column([bound])[0, 0] ** 2:
            raise Disagreement(f"kernel: farther off than {bound:.1e}")
