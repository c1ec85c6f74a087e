"""The optima of linear neurons in closed form: a least-squares problem each."""

import numpy as np

from bn_solver.arrays import EPS, Array, representable
from bn_solver.doubled import exponents, length
from bn_solver.linear_fit import LinearFit, linear_fit, magnified_fit
from bnlib.batch_norm import BatchNorm, require_normalization
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.optima import Optimum, Point, Ray

# A direction that is not known at least so well is refused.
KNOWN = 1e-6


def linear_optima(
    data: LearningSet, normalization: BatchNorm | None = None, *, bias: bool = False
) -> list[Optimum]:
    r"""Return the local minima, weak ones included, of the loss of a neuron without activation.

    Let w* be the shortest least-squares solution without intercept, û the shortest slope with
    intercept (``center=True``; where Σ is invertible, û = Σ⁻¹c) or without (``center=False``) for
    targets t − β. Let X_c be the inputs, less their mean if the normalization centres. Then,
    writing *r* for the root mean square of the fitted values (less their mean, too) over \|γ\|:

    ======================  ==========================================================
    normalization           local minima
    ======================  ==========================================================
    None                    the point w*, or the set w* + ker X
    ``scale=False``         the point û / γ, or the set û / γ + ker X_c
    ``scale=True``, ε = 0   the ray of sign(γ) û, or {k sign(γ) û : k > 0} + ker X_c
    the same, û = 0         every w with X_c w ≠ 0: the loss is constant
    ε > 0, r < 1            the point û √ε / (γ √(1 − r²)), or that + ker X_c
    ε > 0, r ≥ 1            none: the loss decreases along the ray without end
    ======================  ==========================================================

    Parameters
    ----------
    data : LearningSet
        Examples and targets.
    normalization : BatchNorm, optional
        The normalization; none for the standard neuron.
    bias : bool
        Append a constant input 1, whose weight, the last, is the bias.

    Returns
    -------
    list of Point or Ray
        Empty if there is no minimum. Each with a bound of its error, which is 0 where the weights
        solve the normal equations exactly, and with the kernel as ``along``. Where û = 0 it is
        ``Point(0, along=I)``, the closure of the minima, with ker X_c as ``excluded``.

    Raises
    ------
    ValueError
        If X_c = 0 and batch norm divides by zero everywhere, if γ = 0, if a bias meets a
        normalization that centres it away, if the optimum is too large for float64, or if working
        precision cannot tell: columns that are collinear or constant up to rounding, but not
        exactly (the message names them), or targets uncorrelated with every input so nearly that
        û has no direction.

    Notes
    -----
    A kernel is decided exactly, not by a tolerance: a constant, doubled or dependent column, or
    m < d. An r that cannot be told from 1 counts as 1. With a single weight and ε = 0 the
    normalized loss has two values, one on each half-line; that with the smaller one is returned.
    """
    require_learning_set(data)
    require_normalization(normalization, bias=bias)
    norm, x, t = normalization, data.inputs, data.targets
    if norm is None:
        return [_point(linear_fit(x, t, intercept=False, bias=bias))]
    if norm.gamma == 0.0:
        raise ValueError("gamma: is 0, so the loss does not depend on the weights; use gamma != 0.")
    if norm.scale and norm.epsilon == 0.0 and not bias:
        _require_spread(x, center=norm.center)
    fit = linear_fit(x, t, intercept=norm.center, bias=bias, beta=norm.beta)
    if not norm.scale:
        return [_point(fit, divisor=norm.gamma)]
    if norm.epsilon == 0.0:
        fit = magnified_fit(fit, x, t, intercept=norm.center, bias=bias, beta=norm.beta)
        return [_ray(fit, norm)]
    with np.errstate(over="ignore"):
        ratio, off = np.array([fit.level, fit.level_error]) / abs(norm.gamma)
        off += 4 * EPS * ratio
    if not ratio + off < 1.0:
        return []
    gap, doubt = (1.0 - ratio) * (1.0 + ratio), off * (2 * ratio + off)
    lost = float(doubt / (gap - doubt))
    return [_point(fit, np.sqrt(norm.epsilon), norm.gamma * np.sqrt(gap), lost)]


def _require_spread(x: Array, *, center: bool) -> None:
    if not (x != (x[0] if center else 0.0)).any():
        raise ValueError(
            f"inputs: all examples are {'equal' if center else 'zero'}, so batch norm divides by "
            "zero whatever the weights; vary them, or use epsilon > 0."
        )


def _point(fit: LinearFit, factor: float = 1.0, divisor: float = 1.0, lost: float = 0.0) -> Point:
    """Return factor / divisor times the solution, known up to a share `lost` of its length too."""
    (f, up), (g, down) = np.frexp(factor), np.frexp(divisor)
    size = float(length(fit.solution))
    error = fit.error + lost * size + (0.0 if f == g else 4 * EPS * size)
    numbers = np.append(fit.solution, error)
    top = exponents(numbers, 0)
    with np.errstate(over="ignore"):
        numbers = np.ldexp(np.ldexp(numbers, -top) * (f / g), top + up - down)
    representable("optimum", numbers, cause="inputs, targets or gamma")
    tiny = 5e-324 * len(numbers) if f != g or up != down else 0.0
    return Point(
        numbers[:-1],
        abs(numbers[-1]) + tiny,
        fit.kernel,
        along_error=fit.kernel_error,
        origin=fit.origin,
    )


def _ray(fit: LinearFit, norm: BatchNorm) -> Optimum:
    if not fit.solution.any() and not fit.error:  # the loss is constant where it is defined
        d = len(fit.solution)
        return Point(np.zeros(d), along=np.eye(d), excluded=fit.kernel)
    size = float(length(fit.solution))
    if not fit.error < KNOWN * size:
        raise ValueError(
            f"targets: {'uncorrelated with' if norm.center else 'orthogonal to'} every input up "
            "to rounding, but not exactly, so the ray has no direction; use other targets."
        )
    return Ray(
        np.sign(norm.gamma) * fit.solution,
        2 * fit.error / size,
        fit.kernel,
        along_error=fit.kernel_error,
        origin=fit.origin,
    )
