"""Least squares, with and without intercept, for one learning set or a stack of them."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from bnlib._arrays import EPS, Array, centered, power_of_two, representable


class LeastSquares:
    r"""The unique least-squares fits of X w to t for a stack of learning sets.

    Columns and targets are scaled by powers of two, which is exact: the rank does not depend on
    units, and neither 1e-150 nor 1e150 leaves the range of float64. One stacked QR
    decomposition solves all sets.

    Parameters
    ----------
    inputs, targets : ndarray, shape (..., m, d) and (..., m)
        X and t.
    intercept : bool
        Fit an intercept too, by centring X and t over the examples; the solution is the slope.

    Attributes
    ----------
    solution, vanishes : ndarray, shape (..., d) and (...)
        The solution in scaled units, exactly 0 where the fitted values are only rounding.
    root_mean_square : ndarray, shape (...)
        Of the fitted values (with intercept, of their deviation from the mean).

    Raises
    ------
    ValueError
        If a solution is not unique; the message names the first such set.
    """

    def __init__(self, inputs: Array, targets: Array, *, intercept: bool) -> None:
        m = inputs.shape[-2]
        x, t = inputs, targets
        if intercept:
            x, t = centered(x, axis=-2), centered(t, axis=-1)
        self.intercept = intercept
        self.columns = power_of_two(np.abs(x).max(axis=-2))
        self.size = power_of_two(np.abs(targets).max(axis=-1))[..., None]
        # What centring cancels leaves rounding of the size of the data before it.
        largest = (np.abs(inputs).max(axis=-2) / self.columns).max(axis=-1)
        noise = EPS * np.maximum(1.0, largest)
        q, r = np.linalg.qr(x / self.columns[..., None, :])
        inverse = self._inverse(r, noise, m)
        along = (np.swapaxes(q, -1, -2) @ (t / self.size)[..., None])[..., 0]
        fitted = np.linalg.norm(along, axis=-1)
        # Fitted values that are rounding next to the targets are no fit at all.
        self.vanishes = fitted <= 16 * m * noise
        along = np.where(self.vanishes[..., None], 0.0, along)
        self.solution = (inverse @ along[..., None])[..., 0]
        self.root_mean_square = fitted / np.sqrt(m) * self.size[..., 0]

    def weights(self, cause: str, factor: float = 1.0, divisor: float = 1.0) -> Array:
        """Return the solutions in the units of the data, times a factor, over a divisor."""
        with np.errstate(over="ignore", invalid="ignore"):
            weights = self.solution * (self.size / self.columns) * factor / divisor
        return representable("optimum", weights, cause=cause)

    def direction(self) -> Array:
        """Return a positive multiple of a single solution, or raise where it vanishes."""
        if self.vanishes:
            relation = "uncorrelated with" if self.intercept else "orthogonal to"
            raise ValueError(
                f"targets: {relation} every input, so the normalized loss is the same in "
                "all directions and has no ray of optima; use other targets or inputs."
            )
        return np.asarray(self.solution * (self.columns.min() / self.columns))

    def _inverse(self, r: Array, noise: Array, m: int) -> Array:
        """Return R⁻¹, or raise if a set's R is singular up to rounding.

        The Frobenius norm of R⁻¹ is the reciprocal of the smallest singular value of R, up to √d.
        """
        d = r.shape[-1]
        if r.shape[-2] < d:
            self._refuse(min(m, d), d, ())
        singular = (np.diagonal(r, axis1=-2, axis2=-1) == 0).any(axis=-1)
        inverse = np.linalg.inv(np.where(singular[..., None, None], np.eye(d), r))
        with np.errstate(over="ignore"):
            size = np.linalg.norm(r, axis=(-2, -1)) * np.linalg.norm(inverse, axis=(-2, -1))
        singular |= size * max(m, d) * noise >= 1
        if singular.any():
            where = tuple(int(i) for i in np.argwhere(singular)[0])
            rank = np.linalg.matrix_rank(r[where], rtol=max(m, d) * noise[where])
            self._refuse(min(int(rank), d - 1), d, where)
        return np.asarray(inverse)

    def _refuse(self, rank: int, d: int, where: tuple[int, ...]) -> NoReturn:
        raise ValueError(
            f"inputs: {'centred ' if self.intercept else ''}rank {rank} with {d} weights"
            f"{f' in learning set {where}' if where else ''}, so the optimum is not unique; "
            "drop constant or collinear columns, or add examples."
        )
