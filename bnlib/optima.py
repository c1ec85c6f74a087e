"""Sets of optimal weights: a point, or the ray that scale invariance makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnlib._arrays import (
    Array,
    angle_between,
    frozen,
    real_array,
    representable,
    squared_norm,
    unit,
)

# A ray's distance loses digits to cancellation below this fraction of the squared norm.
_CANCELLATION = 1e-2


class _Value:
    """A set of optima as an immutable value: it is what its one vector is."""

    @property
    def vector(self) -> Array:
        """The weights of a point, the direction of a ray."""
        (vector,) = vars(self).values()
        return np.asarray(vector)

    @property
    def d(self) -> int:
        """Number of weights."""
        return len(self.vector)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return np.array_equal(self.vector, other.vector)

    def __hash__(self) -> int:
        return hash((type(self).__name__, tuple(self.vector)))

    def __setstate__(self, state: dict[str, Array]) -> None:
        # Not through the constructor: normalizing again could change the last bit.
        for name, array in state.items():
            object.__setattr__(self, name, frozen(array))

    def __repr__(self) -> str:
        short = np.array2string(self.vector, precision=6, separator=", ", threshold=8)
        return f"{type(self).__name__}({short})"


@dataclass(frozen=True, eq=False, repr=False)
class Point(_Value):
    """A single optimum.

    Parameters
    ----------
    weights : array_like, shape (d,)
        The optimal weights.
    """

    weights: Array

    def __init__(self, weights: npt.ArrayLike) -> None:
        w = real_array("weights", weights, shape="(d,)")
        object.__setattr__(self, "weights", frozen(w))

    def nearest(self, start: npt.ArrayLike) -> Array:
        """Return the element closest to each start, shape (..., d): the point itself.

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
        return np.broadcast_to(self.weights, w.shape).copy()

    def squared_distance(self, start: npt.ArrayLike) -> Array:
        """Return the squared Euclidean distance ‖W₀ − W‖² from each start, shape (...).

        See Also
        --------
        Point.nearest : parameters and errors.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d, finite=False)
        with np.errstate(over="ignore"):
            return squared_norm(w - self.weights, w)


@dataclass(frozen=True, eq=False, repr=False)
class Ray(_Value):
    """The open half-line {k u : k > 0} of optima that a scale-invariant loss has.

    Parameters
    ----------
    direction : array_like, shape (d,)
        Any positive multiple of u, not zero; stored as a unit vector.
    """

    direction: Array

    def __init__(self, direction: npt.ArrayLike) -> None:
        u = unit_vector("direction", direction)
        object.__setattr__(self, "direction", frozen(u))

    def nearest(self, start: npt.ArrayLike) -> Array:
        """Return the element closest to each start, shape (..., d): ⟨u, W₀⟩₊ u.

        Where ⟨u, W₀⟩ ≤ 0 this is the origin: the infimum of the distance, which no element of
        the open ray attains.

        See Also
        --------
        Point.nearest : parameters and errors.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d)
        with np.errstate(over="ignore", invalid="ignore"):
            along = np.maximum(w @ self.direction, 0.0)
        return representable("projection", along, cause="start")[..., None] * self.direction

    def squared_distance(self, start: npt.ArrayLike) -> Array:
        """Return the squared distance ‖W₀‖² − ⟨u, W₀⟩₊² from each start, shape (...).

        Its root is accurate to a few units of rounding of ‖W₀‖, also near the ray.

        See Also
        --------
        Point.nearest : parameters and errors.
        """
        w = real_array("start", start, shape="(..., d)", last=self.d, finite=False)
        total = squared_norm(w)  # refuses starts whose projection would overflow
        return residual(w, total, self.direction, np.maximum(w @ self.direction, 0.0))


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
    u, v = unit_vector("first", first), unit_vector("second", second)
    if u.shape != v.shape:
        raise ValueError(f"second: has {len(v)} entries, but first has {len(u)}.")
    return float(angle_between(u, v))


def unit_vector(name: str, value: npt.ArrayLike) -> Array:
    """Return value / ‖value‖, for lengths from the smallest to the largest float64."""
    v = real_array(name, value, shape="(d,)")
    if not v.any():
        raise ValueError(f"{name}: is zero, so it has no direction; give a non-zero vector.")
    return unit(v)


def residual(w: Array, total: Array, unit: Array, along: Array) -> Array:
    """Return ‖w − along · unit‖² for along = ⟨unit, w⟩ or its positive part.

    Pythagoras costs no pass over the weights but subtracts numbers of size ‖w‖²; the few
    rows in which that cancels are done again from the difference vector. Shapes (..., d) of w,
    (...) of total = ‖w‖² and along, (d,) of the unit vector.
    """
    distance = np.atleast_1d(total - along**2)
    close = distance < _CANCELLATION * np.atleast_1d(total)
    if close.any():
        rows = w.reshape(-1, w.shape[-1])[close.ravel()]
        lengths = np.atleast_1d(along)[close]
        distance[close] = squared_norm(rows - lengths[:, None] * unit)
    return distance.reshape(total.shape)
