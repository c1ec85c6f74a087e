"""All minima of a neuron with piecewise linear activation and two weights, by enumeration."""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bn_solver import least_squares
from bn_solver.arrays import EPS, Array
from bn_solver.doubled import length
from bnlib import Point

_SAME_LINE = 64 * EPS  # lines through the origin closer than this, in radians, are one
_LEVEL = 1e-12  # a derivative below this fraction of its terms is zero up to rounding


class FlatSector(NamedTuple):
    """A sector of the plane of weights in which the loss has minima, but no isolated one.

    Attributes
    ----------
    begin, end : float
        Its bounding directions, in radians, counter-clockwise from begin to end; equal for a
        single direction.
    kind : str
        ``"plateau"``: the loss is constant in the sector. ``"valley"``: it is constant along a
        straight segment or half-line of minima that crosses the sector.
    loss : float
        The loss there.
    """

    begin: float
    end: float
    kind: str
    loss: float


@dataclass(frozen=True, eq=False)
class Landscape:
    """The local minima of a loss.

    Attributes
    ----------
    minima : list of Point
        The strict local minima, by increasing loss, each with a bound of its error.
    kinds : list of str
        For each ``"minimum"`` where the loss is smooth, ``"kink"`` where the activation has a
        kink: on the border of two pieces of the loss, the origin included.
    flat : list of FlatSector
        Where local minima are not isolated, if they have been enumerated.
    outcomes : dict of str to int
        Number of starts by what became of them, as `search_weights` lists it; without starts
        the number of minima, kinks and flat sectors.
    """

    minima: list[Point]
    kinds: list[str]
    flat: list[FlatSector]
    outcomes: dict[str, int]


def piecewise_minima(rows: Array, targets: Array, slopes: tuple[float, float]) -> Landscape:
    r"""Return all local minima for inputs xᵢ, shape (m, 2), targets and the slopes (a, b).

    With :math:`\varphi(z) = a z` for z < 0 and :math:`b z` for z > 0, the lines
    :math:`\langle x_i, w\rangle = 0` cut the plane of weights into sectors. In each sector the
    outputs are linear, :math:`\varphi(\langle x_i, w\rangle) = s_i \langle x_i, w\rangle` with
    sᵢ either *a* or *b*, so the loss is a quadratic:

    .. math:: L(w) = w^\top A w - 2 c^\top w + \tfrac1m \|t\|^2, \qquad
       A = \tfrac1m \sum_i s_i^2\, x_i x_i^\top, \quad c = \tfrac1m \sum_i s_i t_i\, x_i .

    The list is complete up to rounding, and each point has a bound of its error. A strict minimum
    lies inside a sector, on the ray between two, or at the origin. Inside a sector it is the
    stationary point of the quadratic, and A is positive definite. On a ray it is the minimum of
    the quadratic along the ray, and the loss does not fall to either side: its one-sided
    derivatives across the ray are positive, or zero with A positive definite on that side. At the
    origin it is strict if and only if the loss rises along every ray, and since
    :math:`L(r u) = \tfrac1m\|t\|^2 - 2 r\langle c, u\rangle + r^2 u^\top A u` with the first
    term in *r* linear in each sector, the rays between the sectors decide.

    Raises ``ValueError`` if all inputs lie on one line through the origin.
    """
    return _Pieces(rows, targets, slopes).landscape()


class _Minimum(NamedTuple):
    loss: float
    weights: Array
    kind: str
    error: float


class _Pieces:
    """The sectors and, for each, its quadratic; ray k is where sector k begins."""

    def __init__(self, rows: Array, targets: Array, slopes: tuple[float, float]) -> None:
        self.rows, self.targets = rows, targets
        self.constant = float(np.mean(targets**2))
        lines = rows[rows.any(axis=1)]
        angles = np.arctan2(lines[:, 0], -lines[:, 1]) % np.pi if len(lines) else np.zeros(0)
        every = angles = np.sort(angles)
        angles = angles[np.diff(angles, prepend=-1.0) > _SAME_LINE]
        if len(angles) > 1 and angles[-1] - angles[0] > np.pi - _SAME_LINE:
            angles = angles[:-1]  # the same line once more, from the other end of [0, π)
        if len(angles) < 2:
            raise ValueError(
                "inputs: all lie on one line through the origin, so no minimum is isolated; "
                "add inputs in other directions."
            )
        self.angles = np.concatenate([angles, angles + np.pi])
        # How far a ray may be from the line of an example that is taken for its own.
        apart = np.abs(every[:, None] - np.append(angles, angles[0] + np.pi)).min(axis=1)
        self.blur = 8 * EPS + 2 * float(apart.max())
        self.ends = np.append(self.angles[1:], self.angles[0] + 2 * np.pi)
        self.rays = _at(self.angles)
        self.across = np.stack([-self.rays[:, 1], self.rays[:, 0]], axis=1)
        inside = _at((self.angles + self.ends) / 2) @ rows.T
        self.active = np.where(inside > 0, slopes[1], slopes[0])
        # On a ray the examples whose line it is have φ = 0, whatever rounding says.
        along = self.rays @ rows.T
        along[np.abs(along) <= 2 * _SAME_LINE * np.linalg.norm(rows, axis=1)] = 0.0
        self.on_rays = np.where(along > 0, slopes[1], slopes[0]) * along
        scaled = self.active[:, :, None] * rows
        u, singular, v = np.linalg.svd(scaled, full_matrices=False)
        self.kept = singular > max(scaled.shape[1:]) * EPS * np.linalg.norm(rows, 2)
        inverse = np.where(self.kept, 1.0, 0.0) / np.where(self.kept, singular, 1.0)
        self.solutions = np.einsum("kji,kj,knj,n->ki", v, inverse, u, targets)
        self.kernels = v[:, -1]

    def landscape(self) -> Landscape:
        sectors = range(len(self.angles))
        found = [self._at_ray(k) for k in sectors]
        if self._origin_is_strict():
            found.append(_Minimum(self.constant, np.zeros(2), "kink", self._origin_error()))
        found += [self._in_sector(k) for k in sectors]
        distinct: list[_Minimum] = []
        for each in found:  # a minimum on a ray may be found again beside it, through rounding
            if isinstance(each, _Minimum) and all(
                length(each.weights - other.weights) > each.error + other.error
                for other in distinct
            ):
                distinct.append(each)
        distinct.sort(key=lambda each: each.loss)
        kinds = [each.kind for each in distinct]
        flat = [each for each in found if isinstance(each, FlatSector)]
        outcomes = dict(Counter(kinds) + Counter(flat=len(flat)))
        return Landscape(
            [Point(each.weights, each.error) for each in distinct], kinds, flat, outcomes
        )

    def _in_sector(self, k: int) -> _Minimum | FlatSector | None:
        """Return what is optimal inside a sector."""
        after = (k + 1) % len(self.rays)
        w, begin, end = self.solutions[k], self.rays[k], self.rays[after]
        rank, loss = int(self.kept[k].sum()), self._loss(self.active[k] * (self.rows @ w))
        if rank == 2:
            gaps = _cross(begin, w), _cross(w, end)
            if min(gaps) <= 0:
                return None
            error = self._error(k)
            beyond = (k - 1, -self.across[k]), (after, self.across[after])
            near = error + self.blur * length(w)
            for gap, (other, turn) in zip(gaps, beyond, strict=True):
                if gap <= near and self._leads_on(other, w, turn):
                    return None
            return _Minimum(loss, w, "minimum", error)
        if rank == 1:
            # w + s v lies in the sector for the s that two linear inequalities allow.
            v = self.kernels[k]
            low, high = -np.inf, np.inf
            for constant, slope in (
                (_cross(begin, w), _cross(begin, v)),
                (_cross(w, end), _cross(v, end)),
            ):
                if abs(slope) <= 2 * _SAME_LINE:  # parallel to the ray, up to rounding
                    if constant <= 2 * _SAME_LINE * np.linalg.norm(w):
                        return None
                elif slope > 0:
                    low = max(low, -constant / slope)
                else:
                    high = min(high, -constant / slope)
            if not low < high:
                return None
        kind = "valley" if rank else "plateau"
        return FlatSector(float(self.angles[k]), float(self.ends[k]), kind, loss)

    def _at_ray(self, k: int) -> _Minimum | FlatSector | None:
        """Return what is optimal on the ray where a sector begins."""
        output = self.on_rays[k]
        square, product = output @ output, output @ self.targets
        if not square:
            # All outputs vanish along the ray: a plateau, or lower than both sides.
            if all(self._rise(side, np.zeros(2), turn) > 0 for side, turn in self._sides(k)):
                angle = float(self.angles[k])
                return FlatSector(angle, angle, "plateau", self.constant)
            return None
        if product <= _LEVEL * np.linalg.norm(output) * np.linalg.norm(self.targets):
            return None
        w = product / square * self.rays[k]
        # Examples on the ray, or close to it, have outputs up to `blur`.
        lost = self.blur * np.abs(self.active[[k, k - 1]]).max(axis=0) * length(self.rows)
        lost += (len(output) + 8) * EPS * np.abs(output)
        far = length(w)
        turned = lost @ (np.abs(self.targets) + 2 * far * np.abs(output) + far * lost) / square
        error = float(turned + self.blur * far)
        for side, turn in self._sides(k):
            if self._leads_on(side, w, turn):
                return None
            if self._rise(side, w, turn) == 0:  # the minimum may be inside
                error = max(error, float(length(w - self.solutions[side])) + self._error(side))
        return _Minimum(self._loss(product / square * output), w, "kink", error)

    def _error(self, k: int) -> float:
        """Return how far the solution of a sector is from that of its least-squares problem."""
        w, slope = self.solutions[k], self.active[k][:, None]
        inputs = slope * self.rows
        fit = least_squares(inputs, self.targets)
        off = np.abs(w - fit.solution) + fit.error
        rounded = EPS * np.abs(np.where(np.isin(np.frexp(slope)[0], (0.0, 0.5)), 0.0, inputs))
        if rounded.any():  # products with a slope: to first order, and twice that
            size = length(inputs.T)
            inverse = np.linalg.pinv(inputs / size) / size[:, None]
            fitted = np.abs(inverse) @ (rounded @ np.abs(w))
            off += 2 * (fitted + np.abs(inverse @ inverse.T) @ (rounded.T @ np.abs(fit.residual)))
        return float(length(off))

    def _sides(self, k: int) -> tuple[tuple[int, Array], tuple[int, Array]]:
        """Return the sectors on both sides of ray k, and the directions into them."""
        return (k, self.across[k]), (k - 1, -self.across[k])

    def _rise(self, sector: int, w: Array, direction: Array) -> float:
        """Return the one-sided derivative at a point of a sector's border; 0 up to rounding."""
        slope = self.active[sector]
        turn = slope * (self.rows @ direction)
        terms = np.stack([slope * (self.rows @ w), -self.targets]) * turn
        total = float(terms.sum())
        return total if abs(total) > _LEVEL * np.abs(terms).sum() else 0.0

    def _leads_on(self, sector: int, w: Array, direction: Array) -> bool:
        """Return whether the loss falls, or is constant, from a point of a sector's border."""
        rise = self._rise(sector, w, direction)
        return rise < 0 or (rise == 0 and not self.kept[sector].all())

    def _origin_is_strict(self) -> bool:
        products = self.on_rays @ self.targets
        level = _LEVEL * np.linalg.norm(self.on_rays, axis=1) * np.linalg.norm(self.targets)
        rises = (products < -level) | ((np.abs(products) <= level) & self.on_rays.any(axis=1))
        return bool(rises.all())

    def _origin_error(self) -> float:
        """Return how far out the minimum may be on rays along which the loss hardly changes."""
        products = self.on_rays @ self.targets
        square = (self.on_rays**2).sum(axis=1)
        sizes = np.abs(self.on_rays) @ np.abs(self.targets)
        doubt = products + (self.blur + len(self.targets) * EPS) * sizes
        return float(np.max(doubt / np.where(square > 0, square, np.inf), initial=0.0))

    def _loss(self, output: Array) -> float:
        return float(np.mean((output - self.targets) ** 2))


def _at(angles: Array) -> Array:
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def _cross(first: Array, second: Array) -> float:
    return float(first[0] * second[1] - first[1] * second[0])
