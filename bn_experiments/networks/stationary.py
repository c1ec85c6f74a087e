"""Train a network to a stationary point of its loss, as exactly as float64 allows."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy import optimize

from bn_experiments.networks.curvature import VectorLoss
from bn_experiments.networks.network import Network, Parameters
from bn_experiments.search.newton import QuadraticModel, polish, quadratic_model
from bn_solver.arrays import Array, whole_number

# Converged: the gradient has fallen to the first share, and Newton's step is shorter than the
# second share of the parameters. Flat: an eigenvalue below the third share of the largest.
_GRADIENT, _STEP, _FLAT = 1e-10, 1e-6, 1e-10


@dataclass(frozen=True)
class StationaryPoint:
    """Where a training ended, and how stationary that point is."""

    params: Parameters
    loss: float
    reference: float
    """The gradient norm to compare with."""
    relative_gradient: float
    """‖∇L‖ over all parameters, over `reference`."""
    model: QuadraticModel
    """Newton's step, and the kind of point by the Hessian's eigenvalues; flat up to 1e-10."""
    converged: bool
    """The relative gradient is at most 1e-10, Newton's step at most 1e-6 of the parameters."""
    isolated: bool
    """It is converged and a minimum, with no flat direction but the `symmetries` of the network.
    With more the minima form a larger set, as in interpolation, or the weights go to infinity."""
    iterations: int
    """Iterations of the minimisation."""


def stationary_point(
    network: Network,
    params: Parameters,
    inputs: Any,
    targets: Any,
    *,
    iterations: int = 1000,
    reference: float | None = None,
) -> StationaryPoint:
    """Minimise the loss from given parameters to a stationary point.

    Trust-region Newton steps with the exact Hessian (SciPy's ``trust-exact``) lead near a local
    minimum. There differences of the loss drown in rounding, so Levenberg–Marquardt steps
    (``scipy.optimize.root``) on the equation ∇L = 0 finish.

    Parameters
    ----------
    network, iterations : Network, int
        Any of at most a few hundred parameters: the matrices are dense. Most iterations.
    reference : float, optional
        The gradient norm to compare with; by default that at the start.

    Returns
    -------
    StationaryPoint
        Also where the search did not converge: look at ``converged``.

    See Also
    --------
    Network.loss : `params`, where to start, `inputs`, `targets`, and what is refused.
    """
    whole_number("iterations", iterations, at_least=1)
    loss = VectorLoss(network, params, inputs, targets)

    def gradient(v: Array) -> Array:
        return loss.value_and_gradient(v)[1]

    first = float(np.linalg.norm(gradient(loss.start)))
    if not np.isfinite([loss.value_and_gradient(loss.start)[0], first]).all():
        raise ValueError("params: loss or gradient is not finite there; start elsewhere.")
    reference = first if reference is None else reference
    limits = {"gtol": 1e-3 * _GRADIENT * reference, "maxiter": iterations}
    derivatives: Any = {"jac": True, "hess": loss.hessian, "method": "trust-exact"}
    found = optimize.minimize(loss.value_and_gradient, loss.start, **derivatives, options=limits)
    limits = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 0.0, "maxiter": 50}
    polished = polish(gradient, loss.hessian, found.x, method="lm", **limits)
    better = np.linalg.norm(gradient(polished)) < np.linalg.norm(gradient(found.x))
    at: Any = polished if better else found.x
    model = quadratic_model(gradient(at), loss.hessian(at), flat=_FLAT)
    relative = float(np.linalg.norm(gradient(at))) / reference if reference else 0.0
    step = model.length / (float(np.linalg.norm(at)) or 1.0)
    converged = relative <= _GRADIENT and step <= _STEP
    isolated = converged and model.flat == symmetries(network) and model.smallest > -_FLAT
    return StationaryPoint(
        params=loss.unravel(jnp.asarray(at)),
        loss=loss.value_and_gradient(at)[0],
        reference=reference,
        relative_gradient=relative,
        model=model,
        converged=converged,
        isolated=isolated,
        iterations=int(found.nit),
    )


def symmetries(network: Network) -> int:
    """Return in how many directions the loss is constant for every choice of the data.

    One for each unit that is normalized by its scale with ε = 0, whose incoming weights may be
    multiplied; and, for cross-entropy, those that add the same number to all outputs of an
    example. Activations that are linear in parts, as identity and ReLU, have more.
    """
    count = sum(
        width
        for width, norm in zip(network.widths[1:], network.norms, strict=True)
        if norm and norm.scale and norm.epsilon == 0.0
    )
    if network.objective == "cross-entropy":
        norm = network.norms[-1]
        if norm is None or not norm.scale:
            count += network.widths[-2]  # a number for each incoming weight
        count += network.biases[-1] if norm is None else norm.center
    return count
