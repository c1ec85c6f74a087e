"""Sets of optimal weights: a point, or the ray that scale invariance makes of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import (
    EPS,
    Array,
    angle_between,
    frozen,
    real_array,
    representable,
    residual,
    squared_norm,
    unit_vector,
)
from bnlib._optimal_set import OptimalSet, across


@dataclass(frozen=True, eq=False, repr=False)
class Point(OptimalSet):
    """A single optimum w, or the affine set of optima w + span(along).

    Two are equal if vector and kernel are, however well these are known.

    Parameters
    ----------
    weights : array_like, shape (d,)
        The optimal weights; with a kernel, one of them.
    error : float
        A bound on the distance of `weights` from the true optimum; 0 if they are it.
    along : array_like, shape (d, k), optional
        Orthonormal columns: directions in which the loss is constant. As a rule there are none.
    along_error : float
        A bound on the distance of each of these columns from the true one.
    excluded : array_like, shape (d, j), optional
        Orthonormal columns whose span is no part of the set, but of its closure only.
    origin : bytes
        What identifies the least-squares problem that it solves: an equal origin proves equality.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, an error negative, or columns are not
        orthonormal.
    """

    weights: Array
    error: float
    along: Array
    along_error: float
    excluded: Array
    origin: bytes

    def __init__(
        self,
        weights: npt.ArrayLike,
        error: float = 0.0,
        along: npt.ArrayLike | None = None,
        *,
        along_error: float = 0.0,
        excluded: npt.ArrayLike | None = None,
        origin: bytes = b"",
    ) -> None:
        w = real_array("weights", weights, shape="(d,)")
        self.keep(
            weights=w,
            error=error,
            along=along,
            along_error=along_error,
            excluded=excluded,
            origin=origin,
        )

    def nearest(self, start: npt.ArrayLike) -> Array:
        """Return the element closest to each start, shape (..., d).

        Parameters
        ----------
        start : array_like, shape (..., d)
            W₀: one start, or any leading batch shape of them.

        Raises
        ------
        ValueError
            If a start has another number of weights, is not finite, or is too large.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d)
        with np.errstate(over="ignore", invalid="ignore"):
            nearest = self.weights + ((w - self.weights) @ self.along) @ self.along.T
        return representable("projection", nearest, cause="start")

    def squared_distance(self, start: npt.ArrayLike) -> Array:
        """Return the squared Euclidean distance from each start to the set, shape (...)."""
        w = real_array("start", start, shape="(..., d)", last=self.d, finite=False)
        with np.errstate(over="ignore", invalid="ignore"):
            gap = w - self.weights
            if self.along.size:
                gap = gap - (gap @ self.along) @ self.along.T
            return squared_norm(gap, w)

    def exists(self, start: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether an element is closest to each start, shape (...): unless excluded."""
        w = real_array("start", start, shape="(..., d)", last=self.d)
        if not self.excluded.size:
            return np.ones(w.shape[:-1], dtype=np.bool_)
        nearest = self.nearest(w)
        outside = nearest - (nearest @ self.excluded) @ self.excluded.T
        size = np.abs(nearest).max(axis=-1)
        return np.asarray(np.abs(outside).max(axis=-1) > 16 * self.d * EPS * size)


@dataclass(frozen=True, eq=False, repr=False)
class Ray(OptimalSet):
    """The optima {k u : k > 0} of a scale-invariant loss, or {k u : k > 0} + span(along).

    The half-line is open: 0 is no optimum. Where ⟨u, W₀⟩ ≤ 0 no element is closest to W₀, and
    distances are infima.

    Parameters
    ----------
    direction : array_like, shape (d,)
        Any positive multiple of u; stored as a unit vector, orthogonal to the kernel.
        ``ValueError`` if it is zero or lies in the kernel.
    error : float
        A bound on the distance of the true unit vector from that before it is rounded.

    See Also
    --------
    Point : `along`, `along_error`, `origin`, equality and errors.
    """

    direction: Array
    error: float
    along: Array
    along_error: float
    origin: bytes

    def __init__(
        self,
        direction: npt.ArrayLike,
        error: float = 0.0,
        along: npt.ArrayLike | None = None,
        *,
        along_error: float = 0.0,
        origin: bytes = b"",
    ) -> None:
        u = unit_vector("direction", direction)
        self.keep(direction=u, error=error, along=along, along_error=along_error, origin=origin)
        if self.along.size:
            u, size = across(u, self.along)
            if size <= 1e-9:
                raise ValueError("direction: lies in the kernel; pass one that does not.")
            lost = max(1 / size - 1, 0.0) * 8 * len(u) * EPS
            object.__setattr__(self, "direction", frozen(u))
            bound = representable("bound", np.asarray(self.error / size + lost), cause="error")
            object.__setattr__(self, "error", float(bound))

    def nearest(self, start: npt.ArrayLike) -> Array:
        """Return the element closest to each start, shape (..., d): ⟨u, W₀⟩₊ u without kernel.

        Where no element is closest, the limit of ever closer ones.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d)
        with np.errstate(over="ignore", invalid="ignore"):
            foot = np.maximum(w @ self.direction, 0.0)[..., None] * self.direction
            nearest = foot + (w @ self.along) @ self.along.T
        return representable("projection", nearest, cause="start")

    def squared_distance(self, start: npt.ArrayLike) -> Array:
        """Return the squared distance ‖W₀‖² − ⟨u, W₀⟩₊² from each start, shape (...).

        With a kernel, W₀ is projected across it first. The root is accurate to a few units of
        rounding of ‖W₀‖, also near the ray.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d, finite=False)
        total = squared_norm(w)
        if self.along.size:
            w = w - (w @ self.along) @ self.along.T
            total = squared_norm(w)
        return residual(w, total, self.direction, np.asarray(np.maximum(w @ self.direction, 0.0)))

    def exists(self, start: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether an element is closest to each start, shape (...): ⟨u, W₀⟩ > 0."""
        w = real_array("start", start, shape="(..., d)", last=self.d)
        with np.errstate(over="ignore", invalid="ignore"):
            toward = w @ self.direction
        return np.where(np.isfinite(toward), toward, (w * 2.0**-64) @ self.direction) > 0


Optimum = Point | Ray
"""What `Neuron.optima` lists: a `Point` or a `Ray`."""


def angle(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    r"""Return the angle between two vectors, in radians.

    .. math:: \theta = 2 \operatorname{atan2}(\|u - v\|, \|u + v\|)
       \quad\text{for unit vectors } u, v .

    Parameters
    ----------
    first, second : array_like, shape (d,)
        Two non-zero vectors.

    Returns
    -------
    float
        θ in [0, π], accurate for small angles too, where the arc cosine is not.

    Raises
    ------
    ValueError
        If a vector is zero or the lengths differ.

    Examples
    --------
    >>> round(float(np.tan(angle([3, 1], [5, 3]))), 12)  # 2/9
    0.222222222222
    """
    u = unit_vector("first", first)
    v = unit_vector("second", second)
    if u.shape != v.shape:
        raise ValueError(f"second: has {len(v)} entries, but first has {len(u)}.")
    return float(angle_between(u, v))
