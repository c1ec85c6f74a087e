"""The quadratic model of a loss around a point: where its Newton step leads, and what is there."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bn_solver.arrays import Array

_RUNGS = 2.0 ** np.arange(1, 14)  # sizes of boxes that are tried, over the least conceivable
_SMALLEST = 2.0**-60  # half a side of a box around an exact zero at 0


class QuadraticModel(NamedTuple):
    """What gradient and Hessian say about a point.

    A direction is *flat* if its eigenvalue of the Hessian is zero up to rounding.
    """

    step: Array
    """Newton's step −H⁻¹∇L to the stationary point of the model, flat directions left out."""
    length: float
    kind: str
    """``"minimum"``, ``"saddle"``, ``"maximum"`` by what is not flat; ``"flat"``."""
    smallest: float
    """Smallest eigenvalue relative to the largest absolute one."""
    flat: int
    """Number of flat directions."""


def quadratic_model(gradient: Array, hessian: Array, *, flat: float) -> QuadraticModel:
    """Return the model; a direction is flat up to the share `flat` of the largest eigenvalue."""
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
    """Return where `scipy.optimize.root` for ∇L = 0 ends, from a point next to a zero.

    Near a minimum differences of the loss drown in rounding; the gradient has more digits.
    """
    from scipy import optimize  # on first use: SciPy is half of the import time

    root: Any = optimize.root
    try:
        return np.asarray(root(gradient, at, jac=hessian, method=method, options=options).x)
    except ValueError:  # a singular Hessian has thrown it out of the range of float64
        return at


def distance_to_zero(
    slopes: Callable[[Array], Array],
    rounding: Callable[[Array], Array],
    at: Array,
    basis: Array,
    curvatures: Array,
) -> float:
    r"""Return a bound of the distance to the zero of a gradient next to a point, or infinity.

    Miranda's theorem: there is a zero in a box if on opposite faces the component across them
    has opposite signs. The box is the smallest of a few around `at` with half sides
    :math:`r_k b_k`, :math:`r_k` a multiple of

    .. math:: \frac{|\langle b_k, \nabla L\rangle| + \delta_k}{\lambda_k},

    on whose faces the signs are opposite whatever rounding δ does. A face is judged by its centre
    and by what the component changes from `at` to the centres of the faces around it, so second
    differences over the box, beside which δ is large, are neglected.

    `slopes` gives ⟨bₖ, ∇L⟩ and `rounding` a bound of its error, both from shape (..., d) to
    (..., d). Along the columns bₖ of the basis the Hessian is close to the diagonal of curvatures.
    """
    here, doubt = slopes(at), rounding(at)
    radius = np.maximum((np.abs(here) + doubt) / curvatures, _SMALLEST)
    steps = _RUNGS[:, None, None] * (radius * basis).T
    points = at + np.stack([steps, -steps], axis=1)  # rung, sign, k, entry
    there, noise = slopes(points), rounding(points)
    change = (np.abs(there - here) + noise + doubt).max(axis=1)
    across = np.stack([there[:, 0] - noise[:, 0], -there[:, 1] - noise[:, 1]]).min(axis=0)
    own = np.eye(len(at), dtype=bool)
    others = np.where(own, 0.0, change).sum(axis=1)
    enclosed = (np.diagonal(across, axis1=1, axis2=2) > others).all(axis=1)
    if not enclosed.any():
        return np.inf
    size = float(np.linalg.norm(basis, axis=0) @ radius)
    return float(_RUNGS[np.argmax(enclosed)]) * size
