"""Evaluation with running averages: mean and variance are constants, and one point is optimal."""

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import EPS, Array, real_array, real_number
from bn_solver.doubled import length
from bn_solver.limits import within_range
from bnlib import BatchNorm, LearningSet, Neuron, Point
from bnlib.batch_norm import require_normalization
from bnlib.learning_set import require_learning_set


@within_range("data")
def trained_parameters(data: LearningSet) -> tuple[Array, BatchNorm]:
    r"""Return the slope û and batch norm with the trained γ = σ(û) and β = t̄, at ε = 0.

    With the weights û it answers as least squares with intercept, whose slope û is.

    See Also
    --------
    evaluated_optima : data and errors.
    """
    (fit,) = Neuron(bias=True).optima(data)
    slope = fit.nearest(np.zeros(fit.d))[:-1]  # of a point: the point
    return slope, BatchNorm(gamma=float(np.std(data.inputs @ slope)), beta=data.mean_target)


@within_range("data, at")
def evaluated_optima(
    data: LearningSet, at: npt.ArrayLike, norm: BatchNorm | None = None, *, factor: float = 1.0
) -> list[Point]:
    r"""Return the optimum of a linear neuron with batch norm in evaluation.

    .. math:: z_i = \gamma\,\frac{\langle x_i, w\rangle - \mu_r}{s_r} + \beta, \qquad
       s_r = \sqrt{\omega^2 \sigma^2 + \varepsilon},

    with mean :math:`\mu_r` and variance σ² of the pre-activations at *other* weights: that of
    the standard neuron for the targets :math:`\mu_r + s_r (t_i - \beta) / \gamma`.

    Parameters
    ----------
    data, at : LearningSet, array_like of shape (d,)
        Examples and targets, and the weights at which the averages are taken.
    norm : BatchNorm, optional
        It centres and scales with γ ≠ 0; ``BatchNorm()`` if None.
    factor : float
        ω > 0; with ω² = m / (m − 1) the averaged variance is the unbiased one.

    Returns
    -------
    list of Point
        With a bound of the error, which includes that of the averages.

    Raises
    ------
    ValueError
        If `at` or `norm` is not such, s_r is 0, or a least-squares fit is not unique.
    """
    require_learning_set(data)
    require_normalization(norm, bias=False)
    norm, factor = norm or BatchNorm(), real_number("factor", factor)
    w = real_array("at", at, shape="(d,)", last=data.d)
    y = data.inputs @ w
    spread = np.sqrt((factor * y.std()) ** 2 + norm.epsilon)
    if not (norm.center and norm.scale and norm.gamma and spread > 0):
        raise ValueError("norm: needs centring, scaling, gamma != 0, and at `at` a spread > 0.")
    targets = y.mean() + spread / norm.gamma * (data.targets - norm.beta)
    lost = _rounding(data, w, norm, factor)
    fits = Neuron().optima(data.with_targets(targets))
    return [_known_less(fit, data, lost) for fit in fits if isinstance(fit, Point)]


def _rounding(data: LearningSet, at: Array, norm: BatchNorm, factor: float) -> Array:
    """Return a bound of the rounding errors of the targets for which the optimum is sought."""
    y = data.inputs @ at
    off = (data.d / 2 + 2) * EPS * (np.abs(data.inputs) @ np.abs(at))
    summed = (data.m / 2 + 2) * EPS * np.abs(y).mean()
    off_mean = float(off.mean() + summed)
    spread = np.sqrt((factor * y.std()) ** 2 + norm.epsilon)
    # A standard deviation moves by the root mean square of what the deviations move by.
    moved = factor * np.sqrt(np.mean((off + off_mean + EPS * np.abs(y)) ** 2))
    off_spread = moved + (data.m / 2 + 8) * EPS * spread
    scaled = np.abs(data.targets - norm.beta)
    parts = off_spread * scaled + spread * EPS * (4 * scaled + np.abs(norm.beta))
    size = abs(y.mean()) + spread / abs(norm.gamma) * scaled
    return np.asarray(off_mean + parts / abs(norm.gamma) + EPS * size)


def _known_less(fit: Point, data: LearningSet, lost: Array) -> Point:
    """Return a least-squares fit to targets with these errors; it solves no other problem."""
    size = length(data.inputs.T)
    size = np.where(size > 0, size, 1.0)
    inverse = length(np.asarray(np.linalg.pinv(data.inputs / size))) / size
    error = fit.error + 2 * float(length(inverse)) * float(length(lost))
    return Point(fit.weights, error, fit.along, along_error=fit.along_error)
