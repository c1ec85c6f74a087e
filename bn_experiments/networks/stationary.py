"""Train a network to a stationary point of its loss, as exactly as float64 allows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy import optimize

from bn_experiments.networks.network import Network, Parameters
from bnlib._validation import Array, real_number, whole_number

# A Newton step longer than this share of the parameters: no stationary point is near.
_FAR = 1e-6
# Below this share of the largest eigenvalue of the Hessian, a direction counts as flat.
_FLAT = 1e-10


@dataclass(frozen=True)
class StationaryPoint:
    """Where a training ended, and how stationary that point is.

    Attributes
    ----------
    params : list of dict
        The parameters.
    loss : float
        The loss there.
    gradient_norm : float
        ‖∇L‖ over all parameters.
    relative_gradient : float
        ‖∇L‖ over `reference`.
    reference : float
        What ‖∇L‖ is divided by for it: by default ‖∇L‖ at the start.
    newton_step : float
        Length of the Newton step from here, relative to the norm of the parameters; directions
        in which the loss is flat left out. The distance to the stationary point, to first order.
    smallest_eigenvalue : float
        Smallest eigenvalue of the Hessian, relative to the largest absolute one: positive at a
        strict minimum, negative at a saddle.
    flat : int
        Number of eigenvalues below 1e-10 of the largest, in absolute value.
    converged : bool
        Whether both the relative gradient and the Newton step are small enough.
    isolated : bool
        Whether the point is converged and a minimum that is strict up to the `symmetries` of
        the network: no other direction is flat. Where more are, the minima form a larger set,
        as in interpolation, or the weights are on their way to infinity.
    iterations : int
        Iterations of the minimisation.
    """

    params: Parameters
    loss: float
    gradient_norm: float
    relative_gradient: float
    reference: float
    newton_step: float
    smallest_eigenvalue: float
    flat: int
    converged: bool
    isolated: bool
    iterations: int


def stationary_point(
    network: Network,
    params: Parameters,
    inputs: Any,
    targets: Any,
    *,
    rtol: float = 1e-10,
    iterations: int = 1000,
    reference: float | None = None,
) -> StationaryPoint:
    """Minimise the loss from given parameters to a stationary point.

    Trust-region Newton steps with the exact Hessian (SciPy's ``trust-exact``) descend to the
    neighbourhood of a local minimum. There differences of the loss drown in rounding, so
    Levenberg–Marquardt steps (``scipy.optimize.root``) on the equation ∇L = 0 finish.

    Parameters
    ----------
    network : Network
        Any network, with or without normalization.
    params : list of dict
        Where to start.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    rtol : float
        Converged means: ‖∇L‖ at most this fraction of `reference`, and a Newton step of less
        than 1e-6 of the norm of the parameters.
    iterations : int
        Largest number of iterations of the minimisation.
    reference : float, optional
        The gradient norm to compare with; by default that at the start.

    Returns
    -------
    StationaryPoint
        Also where the search did not converge: look at ``converged``.

    Raises
    ------
    ValueError
        If something does not fit, or loss or gradient is not finite at the start.

    Notes
    -----
    The matrices are dense: meant for networks of at most a few hundred parameters. One
    network and one size of the data are compiled once.
    """
    rtol = real_number("rtol", rtol, at_least=0.0)
    whole_number("iterations", iterations, at_least=1)
    x, t = jax.numpy.asarray(inputs, dtype=float), jax.numpy.asarray(targets, dtype=float)
    start, unravel = ravel_pytree(params)

    def slope(v: Array) -> tuple[float, Array]:
        loss, gradient = _slope(network, unravel, v, x, t)
        return float(loss), np.asarray(gradient)

    def curvature(v: Array) -> Array:
        return np.asarray(_curvature(network, unravel, v, x, t))

    loss, gradient = slope(np.asarray(start))
    first = float(np.linalg.norm(gradient))
    if not np.isfinite([loss, first]).all():
        raise ValueError("params: loss or gradient is not finite there; start elsewhere.")
    if reference is None:
        reference = first
    options = {"gtol": 1e-3 * rtol * reference, "maxiter": iterations}
    found = optimize.minimize(
        slope, np.asarray(start), jac=True, hess=curvature, method="trust-exact", options=options
    )
    at = _polished(found.x, slope, curvature)
    loss, gradient = slope(at)
    norm = float(np.linalg.norm(gradient))
    step, smallest, flat = _newton(gradient, curvature(at))
    step /= float(np.linalg.norm(at)) or 1.0
    relative = norm / reference if reference else 0.0
    converged = bool(relative <= rtol and step <= _FAR)
    return StationaryPoint(
        params=unravel(jax.numpy.asarray(at)),
        loss=loss,
        gradient_norm=norm,
        relative_gradient=relative,
        reference=reference,
        newton_step=step,
        smallest_eigenvalue=smallest,
        flat=flat,
        converged=converged,
        isolated=converged and flat == symmetries(network) and smallest > -_FLAT,
        iterations=int(found.nit),
    )


def symmetries(network: Network) -> int:
    """Return in how many directions the loss is constant for every choice of the data.

    Parameters
    ----------
    network : Network
        Any network whose activation is not linear in parts, as identity and ReLU are: those
        have further symmetries.

    Returns
    -------
    int
        One for each unit that is normalized by its scale with ε = 0, whose incoming weights
        may be multiplied; and, for cross-entropy, those that add the same number to all
        outputs of an example.
    """
    count = 0
    for layer, width in enumerate(network.widths[1:]):
        norm = network.norm(layer)
        count += width if norm is not None and norm.scale and norm.epsilon == 0.0 else 0
    if network.objective == "cross-entropy":
        norm, last = network.norm(network.depth - 1), network.depth - 1
        if norm is None or not norm.scale:
            count += network.widths[-2]  # a number for each incoming weight
        count += network.has_bias(last) if norm is None else norm.center
    return int(count)


def _polished(at: Array, slope: Any, curvature: Any) -> Array:
    """Return the solution of ∇L = 0 next to `at`, or `at` itself where that is no better."""
    root = optimize.root(
        lambda v: slope(v)[1],
        at,
        jac=curvature,
        method="lm",
        options={"xtol": 1e-15, "ftol": 1e-15, "gtol": 0.0, "maxiter": 50},
    )
    better = np.linalg.norm(slope(root.x)[1]) < np.linalg.norm(slope(at)[1])
    return np.asarray(root.x if better else at)


def _newton(gradient: Array, hessian: Array) -> tuple[float, float, int]:
    """Return the length of the Newton step, the smallest eigenvalue, and how many are flat."""
    values, vectors = np.linalg.eigh(hessian)
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return 0.0, 0.0, len(values)
    steep = np.abs(values) > _FLAT * largest
    step = (vectors.T @ gradient)[steep] / values[steep]
    return float(np.linalg.norm(step)), float(values[0]) / largest, int(np.sum(~steep))


@partial(jax.jit, static_argnums=(0, 1))
def _slope(network: Network, unravel: Any, v: Any, x: Any, t: Any) -> Any:
    return jax.value_and_grad(lambda u: network.loss(unravel(u), x, t))(v)


@partial(jax.jit, static_argnums=(0, 1))
def _curvature(network: Network, unravel: Any, v: Any, x: Any, t: Any) -> Any:
    return jax.hessian(lambda u: network.loss(unravel(u), x, t))(v)
