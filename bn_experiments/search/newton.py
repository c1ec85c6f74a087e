"""The quadratic model of a loss around a point: where its Newton step leads, and what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bnlib._arrays import Array


class QuadraticModel(NamedTuple):
    """What gradient and Hessian say about a point.

    A direction is *flat* if its eigenvalue of the Hessian is zero up to rounding.
    """

    step: Array
    """Newton's step −H⁻¹∇L to the stationary point of the model, flat directions left out."""
    length: float
    """Its length: the distance to a stationary point of the loss, to first order."""
    kind: str
    """``"minimum"``, ``"saddle"``, ``"maximum"`` by the signs of the eigenvalues in the directions
    that are not flat; ``"flat"`` where all are."""
    smallest: float
    """Smallest eigenvalue relative to the largest absolute one."""
    flat: int
    """Number of flat directions."""


def quadratic_model(gradient: Array, hessian: Array, *, flat: float) -> QuadraticModel:
    """Return the model for ∇L, shape (d,), and ∇²L, of which the lower triangle is read.

    A direction is flat if its eigenvalue is at most the share `flat` of the largest.
    """
    values, vectors = np.linalg.eigh(hessian)
    largest = float(np.abs(values).max())
    steep = np.abs(values) > flat * largest
    along = (vectors.T @ gradient)[steep] / values[steep]
    rising = int(np.sum(values[steep] > 0))
    names = {0: "maximum", int(steep.sum()): "minimum"} if steep.any() else {0: "flat"}
    return QuadraticModel(
        step=-vectors[:, steep] @ along,
        length=float(np.linalg.norm(along)),
        kind=names.get(rising, "saddle"),
        smallest=float(values[0]) / (largest or 1.0),
        flat=int(np.sum(~steep)),
    )


def polish(
    gradient: Callable[[Array], Array],
    hessian: Callable[[Array], Array],
    at: Array,
    *,
    method: str,
    **options: float,
) -> Array:
    """Return where SciPy's root finder for ∇L = 0 ends, from a point next to a zero.

    Near a minimum differences of the loss drown in rounding; the gradient has more digits. The
    `method` is ``"hybr"`` or ``"lm"`` of `scipy.optimize.root`, with its `options`. Where it
    leaves the range of float64 the point is returned as it is.
    """
    from scipy import optimize  # on first use: SciPy is half of the import time

    root: Any = optimize.root
    try:
        return np.asarray(root(gradient, at, jac=hessian, method=method, options=options).x)
    except ValueError:  # a singular Hessian has thrown it out of the range of float64
        return at
