"""One linear fit: exact where its weights are short numbers, else with a bound of its error."""

import math
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from bn_solver.arrays import EPS, centered, representable
from bn_solver.doubled import Array, exponents, length, solves_exactly, two_sum
from bn_solver.least_squares import LeastSquares, least_squares


class LinearFit(NamedTuple):
    """A least-squares fit of t − β, how far it is known, and the size of its fitted values."""

    solution: Array
    error: float
    kernel: Array
    kernel_error: float
    level: float
    level_error: float
    origin: bytes


def linear_fit(x: Array, t: Array, *, intercept: bool, bias: bool, beta: float = 0.0) -> LinearFit:
    """Return the fit of t − β by X w, + a, or with the bias a as the last of the weights."""
    low = np.zeros_like(t)
    if not intercept:  # with intercept a shift of the targets does not matter
        with np.errstate(over="ignore", invalid="ignore"):
            t, low = two_sum(t, np.full_like(t, -beta))
        representable("difference", t, cause="targets, beta")
    found, columns = _solved(x, t, intercept, bias)
    solution, error = found.solution, np.maximum(found.error, 5e-324)
    if low.any():  # the fit is linear in the targets
        rest, _ = _solved(x, low, intercept, bias)
        solution = solution + rest.solution
        error = error + rest.error + EPS * np.abs(solution)
    shifted = centered(t, axis=0) if intercept else t
    with np.errstate(over="ignore", invalid="ignore"):
        fitted = representable("fit", shifted - found.residual, cause="targets, beta")
    level = float(length(fitted) / np.sqrt(len(t)))
    off = float(found.residual_error + 2 * EPS * np.abs(shifted).max() + 64 * EPS * level)
    # What solves the normal equations exactly is a short number: only such are tried.
    exact = np.where(np.abs(solution) <= error, 0.0, solution)
    short = np.ldexp(np.frexp(exact)[0], 24) % 1 == 0
    unique = not (found.kernel.size and exact.any())
    if short.all() and unique and solves_exactly(columns, (t, low), exact, intercept=intercept):
        solution, error = exact, np.zeros_like(exact)
        level, off = (level, off) if exact.any() else (0.0, 0.0)
    # Of inputs whose means are exactly 0 the fits with and without intercept have one slope.
    shifts = (intercept or bias) and not all(map(_adds_up_to_zero, x.T))
    digest = blake2b(repr((x.shape, shifts)).encode(), digest_size=16)
    for each in (x, t, low):
        digest.update(each.tobytes())
    size = float(length(error))
    return LinearFit(
        solution, size, found.kernel, float(found.kernel_error), level, off, digest.digest()
    )


def magnified_fit(
    fit: LinearFit, x: Array, t: Array, *, intercept: bool, bias: bool, beta: float
) -> LinearFit:
    """Return the fit of 2^k times the targets where the weights themselves would underflow."""
    size = np.abs(fit.solution).max()
    if size > 1e-280 or not (fit.error or size):
        return fit
    given = np.append(t, 0.0 if intercept else beta)
    up = 1000 - int(exponents(given, 0)[0])
    up = min(up, -int(np.frexp(size)[1])) if size else up
    larger, shift = np.ldexp(t, up), float(np.ldexp(given[-1], up))
    return linear_fit(x, larger, intercept=intercept, bias=bias, beta=shift)._replace(
        origin=fit.origin
    )


def _adds_up_to_zero(column: Array) -> bool:
    """Return whether the exact sum is 0; False also where it is too large to be told."""
    try:
        return math.fsum(column) == 0.0
    except OverflowError:
        return False


def _solved(x: Array, t: Array, intercept: bool, bias: bool) -> tuple[LeastSquares, Array]:
    """Return the solution, with the bias as the last weight, and the columns it belongs to."""
    if not bias:
        return least_squares(x, t, intercept=intercept), x
    columns = np.column_stack([x, np.ones(len(x))])
    found = least_squares(x, t, intercept=True)
    if found.kernel.size:
        return least_squares(columns, t), columns
    solution = np.append(found.solution, found.intercept)
    error = np.append(found.error, found.intercept_error)
    kernel = np.zeros((len(solution), 0))
    return replace(found, solution=solution, error=error, kernel=kernel), columns
