"""Evaluation with running averages: mean and variance are constants, and one point is optimal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bnlib import BatchNorm, LearningSet, Neuron
from bnlib._arrays import Array, real_array
from bnlib.optima import Optimum


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


def evaluated_optima(
    data: LearningSet, at: npt.ArrayLike, norm: BatchNorm | None = None, *, factor: float = 1.0
) -> list[Optimum]:
    r"""Return the optimum of a linear neuron with batch norm in evaluation.

    .. math:: z_i = \gamma\,\frac{\langle x_i, w\rangle - \mu_r}{s_r} + \beta, \qquad
       s_r = \sqrt{\omega^2 \sigma^2 + \varepsilon},

    with mean :math:`\mu_r` and variance σ² of the pre-activations at *other* weights: that of
    the standard neuron for the targets :math:`\mu_r + s_r (t_i - \beta) / \gamma`.

    Parameters
    ----------
    data : LearningSet
        Examples and targets.
    at : array_like, shape (d,)
        The weights at which the averages are taken.
    norm : BatchNorm, optional
        It centres and scales with γ ≠ 0; ``BatchNorm()`` if None.
    factor : float
        ω > 0; with ω² = m / (m − 1) the averaged variance is the unbiased one.

    Returns
    -------
    list of Point

    Raises
    ------
    ValueError
        If `at` or `norm` is not such, s_r is 0, or a least-squares fit is not unique.
    """
    norm = norm or BatchNorm()
    y = data.inputs @ real_array("at", at, shape="(d,)", last=data.d)
    spread = np.sqrt((factor * y.std()) ** 2 + norm.epsilon)
    if not (norm.center and norm.scale and norm.gamma and spread > 0):
        raise ValueError("norm: needs centring, scaling, gamma != 0, and at `at` a spread > 0.")
    targets = y.mean() + spread / norm.gamma * (data.targets - norm.beta)
    return Neuron().optima(data.with_targets(targets))
