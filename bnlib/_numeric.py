"""Arithmetic that neither overflows nor mistakes rounding for data."""

from __future__ import annotations

import numpy as np

from bnlib._validation import Array, representable, require_finite

EPS = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next larger float64."""

# Values that differ by no more than this fraction of the largest are equal up to rounding.
_CONSTANT = 4 * EPS


def power_of_two(size: Array) -> Array:
    """Return the largest power of two not above each size, and 1 for size 0.

    Dividing by it is exact and brings numbers to size 1.
    """
    exponent = np.frexp(size)[1] - 1
    return np.where(size > 0, np.ldexp(1.0, exponent), 1.0)


def mean(values: Array, axis: int) -> Array:
    """Return the mean over an axis, without overflow on the way."""
    unit = power_of_two(np.abs(values).max(axis=axis, keepdims=True))
    return np.asarray(np.squeeze((values / unit).mean(axis=axis, keepdims=True) * unit, axis))


def centered(values: Array, axis: int) -> Array:
    """Return values minus their mean over an axis: exactly 0 where they are constant.

    Constant means: equal up to rounding, relative to the largest value.

    Raises
    ------
    ValueError
        If a difference is too large for float64.
    """
    unit = power_of_two(np.abs(values).max(axis=axis, keepdims=True))
    scaled = values / unit
    difference = scaled - scaled.mean(axis=axis, keepdims=True)
    varies = np.ptp(scaled, axis=axis, keepdims=True) > _CONSTANT
    with np.errstate(over="ignore"):
        result = np.where(varies, difference, 0.0) * unit
    return representable("difference from the mean", result, cause="inputs, targets or weights")


def unit(vectors: Array) -> Array:
    """Return each non-zero vector over its length, whatever its scale."""
    scaled = vectors / np.abs(vectors).max(axis=-1, keepdims=True)
    return np.asarray(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True))


def angle_between(u: Array, v: Array) -> Array:
    """Return the angles between unit vectors, accurate for small angles too."""
    apart, along = np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)
    return np.asarray(2 * np.arctan2(apart, along))


def squared_norm(w: Array, start: Array | None = None) -> Array:
    """Return ‖w‖² over the last axis, refusing starts that are not finite.

    A norm is finite only if every entry is, so the norms alone are looked at; only where one
    is not, the entries are.

    Parameters
    ----------
    w : ndarray, shape (..., d)
    start : ndarray, optional
        The starts from which w was made, for the message; w itself by default.

    Raises
    ------
    ValueError
        If a start is not finite or a square is too large for float64.
    """
    with np.errstate(over="ignore"):
        squares = np.asarray(np.einsum("...i,...i->...", w, w))
    if not np.isfinite(squares).all():
        require_finite("start", w if start is None else start)
    return representable("squared norm", squares, cause="start")
