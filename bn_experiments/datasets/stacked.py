"""The optima of linear neurons on many learning sets at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bn_solver import least_squares
from bn_solver.arrays import Array, angle_between, real_array, unit
from bn_solver.doubled import length, solves_exactly
from bnlib.closed_form import KNOWN


@dataclass(frozen=True, eq=False)
class StackedOptima:
    """The optima of many linear neurons.

    Attributes
    ----------
    stars, slopes : ndarray, shape (..., d)
        W* and û: least squares without intercept, the optimum of the standard neuron, and the
        slope of least squares with intercept, the direction of the BN ray.
    intercepts : ndarray, shape (...)
        a = t̄ − x̄ᵀû.
    determined : ndarray of bool, shape (...)
        Neither W* nor û is 0, and both have a direction that working precision can tell.
    """

    stars: Array
    slopes: Array
    intercepts: Array
    determined: npt.NDArray[np.bool_]

    @property
    def angles(self) -> Array:
        """θ, shape (...): the angle between W* and the BN ray, in radians.

        Raises ``ValueError`` where they are not `determined`.
        """
        if not self.determined.all():
            where = tuple(int(i) for i in np.argwhere(~self.determined)[0])
            raise ValueError(
                f"learning set {where}: W* or û is zero, the targets being orthogonal to or "
                "uncorrelated with every input, so there is no angle; leave that set out."
            )
        return angle_between(unit(self.stars), unit(self.slopes))


def stacked_optima(inputs: npt.ArrayLike, targets: npt.ArrayLike) -> StackedOptima:
    r"""Return the optima of the standard and of the BN neuron for many learning sets.

    .. math:: W^* = \arg\min_w \|X w - t\|^2, \qquad
       \hat u = \arg\min_w \|(X - \mathbf 1\bar x^\top) w - (t - \bar t \mathbf 1)\|^2 .

    Parameters
    ----------
    inputs, targets : array_like, shapes (..., m, d) and (..., m)
        X and t of each learning set.

    Returns
    -------
    StackedOptima

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is not finite, an optimum is too large for float64, or
        it is not unique, or not for certain; the message names the first such set.
    """
    x = real_array("inputs", inputs, shape="(..., m, d)")
    t = real_array("targets", targets, shape="(..., m)")
    stars, _, known = _solved(x, t, intercept=False)
    slopes, intercepts, directed = _solved(x, t, intercept=True)
    return StackedOptima(stars, slopes, intercepts, known & directed)


def _solved(x: Array, t: Array, *, intercept: bool) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return solutions, intercepts, and whether each solution has a direction."""
    fit = least_squares(x, t, intercept=intercept, kernel=False)
    if (fit.rank < x.shape[-1]).any():
        where = tuple(int(i) for i in np.argwhere(fit.rank < x.shape[-1])[0])
        raise ValueError(
            f"inputs: {'centred ' if intercept else ''}rank {int(fit.rank[where])} with "
            f"{x.shape[-1]} weights{f' in learning set {where}' if where else ''}, so the optimum "
            "is not unique; drop constant or collinear columns, or add examples."
        )
    sizes, errors = length(fit.solution), length(fit.error)
    for where in map(tuple, np.argwhere(sizes <= errors)):  # 0, exactly?
        zero = np.zeros(x.shape[-1])
        if solves_exactly(x[where], (t[where], 0 * t[where]), zero, intercept=intercept):
            fit.solution[where] = zero
    return fit.solution, fit.intercept, np.asarray(errors < KNOWN * sizes)
