"""Stacked augmented systems r + A x = f, Aᵀ r = g, solved to twice the working precision.

g = 0: x is the least-squares solution of A x = f, r its residual. f = 0: r is the solution of
minimum norm of Aᵀ r = g. f alone also projects: r is the part of f in the kernel of Aᵀ.
"""

from typing import NamedTuple, Self

import numpy as np

from bn_solver.doubled import (
    SLICES,
    Array,
    Int,
    Pair,
    cancelled,
    exponents,
    mean_pair,
    slices,
    total,
    two_sum,
)

EPS = float(np.finfo(np.float64).eps)
# A step of refinement that leaves more of the error than this is not trusted.
CONTRACTION = 0.25
_STEPS = 40
# AᵀA is factorized instead of A if its contraction is at most this.
_NORMAL = 2.0**-20


class Scaled(NamedTuple):
    """(high + low) · 2^exponent, entries up to 1: data, less a mean (high + low) · 2^unit."""

    high: Array
    low: Array
    exponent: Int
    mean: Array
    mean_low: Array
    unit: Int

    @classmethod
    def of(cls, values: Array, intercept: bool) -> Self:
        """Scale each column; with intercept, first subtract its rounded mean, without an error."""
        values = _t(np.ascontiguousarray(_t(values)))  # whole columns, so that loops are long
        unit = exponents(values, 1)
        high, zero = np.ldexp(values, -unit), np.zeros(unit.shape)
        if not intercept:
            return cls(high, np.zeros_like(high), unit, zero, zero, unit)
        mean = mean_pair(high, 1)
        high, low = two_sum(high, -mean[0])
        more = exponents(high, 1)
        return cls(np.ldexp(high, -more), np.ldexp(low, -more), unit + more, *mean, unit)


class Systems:
    """n systems with m × d matrices A = high + low = q r (to working precision), entries up to 1.

    Attributes
    ----------
    rows : ndarray, shape (n, d, 1)
        The norms of the rows of R⁻¹: an error δ of (R x, r) changes x by at most δ times these.
    inflation : ndarray, shape (n, d)
        The length of each column over what is left of it after projection on the others.
    """

    q: Array
    inverse: Array
    rows: Array
    inflation: Array
    contraction: Array

    def __init__(self, high: Array, low: Array) -> None:
        _, self.m, self.d = high.shape
        self.block = min(self.m, max(64, self.d))
        self.bits = (53 - int(np.ceil(np.log2(1.25 * max(self.block, self.d))))) // 2
        self.slices = self._blocks(slices(high, low, 0, self.bits))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not trusted
            if not self._cholesky(high):
                self._factorized(*np.linalg.qr(high))
                self.contraction = 8 * EPS * self.inflation.sum(axis=1)

    def _cholesky(self, high: Array) -> bool:
        """Factorize by way of AᵀA, which is faster, if every matrix is well conditioned."""
        try:
            lower = np.asarray(np.linalg.cholesky(_t(high) @ high), dtype=np.float64)
        except np.linalg.LinAlgError:
            return False
        self._factorized(high, np.ascontiguousarray(_t(lower)))
        self.contraction = 8 * EPS * self.inflation.sum(axis=1) ** 2
        self.q = high @ self.inverse
        return bool((self.contraction <= _NORMAL).all())

    def _factorized(self, q: Array, r: Array) -> None:
        zero = np.diagonal(r, axis1=1, axis2=2) == 0
        self.q = q
        self.inverse = np.linalg.inv(np.where(zero[:, None] & np.eye(self.d, dtype=bool), 1.0, r))
        self.rows = np.linalg.norm(self.inverse, axis=2)[..., None]
        self.inflation = np.where(zero, np.inf, np.linalg.norm(r, axis=1) * self.rows[..., 0])

    @np.errstate(over="ignore", invalid="ignore")  # what overflows is not trusted
    def refine(self, f: Pair, g: Pair, *, first: int | None = None) -> tuple[Pair, Pair, Array]:
        """Return x, r as pairs, and a bound of the norm of the error of (R x, r).

        Parameters
        ----------
        f, g : pair of ndarray, shape (n, m, k) and (n, d, k)
            k right sides of size 1.
        first : int, optional
            Stop as soon as x from this row on, rounded, is right; by default, refine down to the
            noise of doubled precision.

        Returns
        -------
        x, r : pair of ndarray
        bound : ndarray, shape (n, 1, k)
            ρ/(1 − ρ) times the last correction, ρ the contraction, and the noise of the residuals;
            infinite where ρ is too large to be trusted.
        """
        x, r, size = self._correction(f[0], g[0])
        state = [x, np.zeros_like(x), r, np.zeros_like(r)]
        bound = np.full(size.shape, np.inf)
        rho = self.contraction[:, None, None] + np.zeros_like(size)
        live, here = np.flatnonzero(self.contraction <= CONTRACTION), self
        for _ in range(_STEPS):
            if not live.size:
                break
            here = self._take(live) if len(live) < len(here.q) else here
            some: slice | Int = slice(None) if here is self else live
            now = [v[some] for v in (*f, *g, *state)]
            pairs = [(now[i], now[i + 1]) for i in (0, 2, 4, 6)]
            dx, dr, new = here._correction(*here._residuals(*pairs))
            noise = here._noise(*pairs) / (1 - CONTRACTION)
            ratio = np.divide(new, size[some], out=np.zeros_like(new), where=new > noise)
            rho[some] = factor = np.maximum(rho[some], ratio)
            size[some] = new
            for i, change in ((0, dx), (2, dr)):
                added, lost = two_sum(now[4 + i], change)
                state[i][some], state[i + 1][some] = two_sum(added, lost + now[5 + i])
            left = new * factor / (1 - np.minimum(factor, CONTRACTION))
            enough = left <= noise
            if first is not None:
                fine = here.rows * left <= 2.0**-58 * np.abs(state[0][some])
                enough |= fine[:, first:].all(axis=1, keepdims=True)
            failed = factor > CONTRACTION
            done = (enough | failed).all(axis=(1, 2))
            bound[live[done]] = np.where(failed, np.inf, left + noise)[done]
            live = live[~done]
        return (state[0], state[1]), (state[2], state[3]), bound

    def _blocks(self, parts: list[Array]) -> Array:
        """Cut (n, m, k), filled with zeros, to blocks: (n, parts, blocks, block, k)."""
        n, m, k = parts[0].shape
        rows = np.zeros((n, len(parts), k, m + -m % self.block))
        for i, part in enumerate(parts):
            rows[:, i, :, :m] = _t(part)
        return np.moveaxis(rows.reshape(n, len(parts), k, -1, self.block), 2, -1)

    def _take(self, which: Int) -> Self:
        """Return some of the systems."""
        some = object.__new__(type(self))
        for name, value in vars(self).items():
            setattr(some, name, value[which] if isinstance(value, np.ndarray) else value)
        return some

    def _correction(self, f: Array, g: Array) -> tuple[Array, Array, Array]:
        """Return x, r to working precision, and the norm of (R x, r) for each right side."""
        along = _t(self.q) @ f - _t(self.inverse) @ g
        r = f - self.q @ along
        size = np.sqrt((along * along).sum(axis=1) + (r * r).sum(axis=1))
        return self.inverse @ along, r, size[:, None]

    def _residuals(self, f: Pair, g: Pair, x: Pair, r: Pair) -> Pair:
        """Return f − r − A x and g − Aᵀ r, from sums in doubled precision."""
        n, k = len(f[0]), f[0].shape[2]
        right = self._levels(slices(*x, exponents(x[0], 1), self.bits))
        image = np.asarray(sum(self.slices[:, i] @ right[:, i] for i in range(SLICES)))
        image = np.moveaxis(image.reshape(n, -1, SLICES, k)[:, : self.m], 2, 0)
        over = cancelled([f[0], -r[0], *-image[:-1]], f[1] - r[1] - image[-1])
        parts = np.moveaxis(self._blocks(slices(*r, exponents(r[0], 1), self.bits)), 1, -2)
        image = _t(self.slices) @ parts.reshape(n, 1, -1, self.block, SLICES * k)
        image = np.moveaxis(image.reshape(n, SLICES, -1, self.d, SLICES, k), (1, 4), (0, 1))
        sums = [image[0, 0], image[0, 1] + image[1, 0], image[0, 2] + image[1, 1] + image[2, 0]]
        high, low = total(np.concatenate([np.moveaxis(each, 1, 0) for each in sums]))
        rest = sum(image[i, SLICES - 1 - i :].sum(axis=0) for i in range(SLICES))
        return over, cancelled([g[0], -high], g[1] - low - rest.sum(axis=1))

    def _levels(self, parts: list[Array]) -> Array:
        """Return the matrix that makes products by size, from slices of A, of these slices."""
        (n, d, k), last = parts[0].shape, SLICES - 1
        right = np.zeros((n, SLICES, d, SLICES, k))
        for i in range(SLICES):
            for level in range(i, last):
                right[:, i, :, level] = parts[level - i]
            right[:, i, :, last] = sum(parts[last - i :][::-1])
        return right.reshape(n, SLICES, 1, d, SLICES * k)

    def _noise(self, f: Pair, g: Pair, x: Pair, r: Pair) -> Array:
        """Return what rounding in `_residuals` can do to (R x, r)."""
        top = [np.abs(each[0]).max(axis=1, keepdims=True) for each in (f, g, x, r)]
        over = np.sqrt(self.m) * (4 * self.d * top[2] + 4 * (top[3] + top[0]))
        down = self.rows.sum(axis=1, keepdims=True) * (4 * self.m * top[3] + 4 * top[1])
        return np.asarray((over + down) * 2.0**-105)


def _t(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)
