"""The loss as a function of one vector: its Hessian, and what a step along the gradient meets."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigsh

from bn_experiments.networks.network import Network, Parameters
from bn_solver.arrays import Array, real_array, require_finite


class VectorLoss:
    """The loss of a network as SciPy wants it: a function of one vector, with derivatives."""

    def __init__(self, network: Network, params: Parameters, inputs: Any, targets: Any) -> None:
        start, self.unravel = ravel_pytree(params)
        self.start = np.asarray(start)
        data = jnp.asarray(inputs, dtype=float), jnp.asarray(targets, dtype=float)
        self._given = network, self.unravel, *data

    def value_and_gradient(self, v: Array) -> tuple[float, Array]:
        """Return L and ∇L, whether they are finite or not."""
        loss, gradient = _derive(jax.value_and_grad, *self._given, v)
        return float(loss), np.asarray(gradient)

    def hessian(self, v: Array) -> Array:
        """Return ∇²L."""
        return _finite(_derive(jax.hessian, *self._given, v))

    def hessian_product(self, v: Array, along: Array) -> Array:
        """Return ∇²L times a vector, without forming ∇²L."""
        return _finite(_derive(_product, *self._given, v, along))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _derive(how: Any, network: Network, unravel: Any, x: Any, t: Any, *given: Any) -> Any:
    return how(lambda v: network.loss(unravel(v), x, t))(*given)


def _product(function: Any) -> Any:
    return lambda v, along: jax.jvp(jax.grad(function), (v,), (along,))[1]


def _finite(found: Any) -> Array:
    require_finite("params", np.asarray(found))
    return np.asarray(found)


def spectrum(network: Network, params: Parameters, inputs: Any, targets: Any) -> Array:
    """Return all eigenvalues of the Hessian of the loss, in increasing order.

    Parameters
    ----------
    network : Network
        One of a thousand parameters or so: the Hessian is dense.

    Returns
    -------
    ndarray

    See Also
    --------
    Network.loss : the others; refused is also a Hessian that is not finite.
    """
    loss = VectorLoss(network, params, inputs, targets)
    hessian = loss.hessian(loss.start)
    return np.asarray(np.linalg.eigvalsh((hessian + hessian.T) / 2))


def largest_eigenvalue(network: Network, params: Parameters, inputs: Any, targets: Any) -> float:
    """Return the largest (not in absolute value) eigenvalue of the Hessian, without forming it.

    By SciPy's ``eigsh`` (Lanczos), from products of the Hessian with vectors.

    See Also
    --------
    spectrum, Network.loss : what it takes and refuses.
    """
    loss = VectorLoss(network, params, inputs, targets)
    shape, first = 2 * loss.start.shape, np.ones_like(loss.start)  # the same digits on every run
    operator = LinearOperator(shape, lambda v: loss.hessian_product(loss.start, v), dtype=float)
    (value,) = eigsh(operator, k=1, which="LA", v0=first, tol=1e-9, return_eigenvectors=False)
    return float(value)


class AlongGradient(NamedTuple):
    """What steps of s sizes η along the negative gradient g = ∇L(W) meet."""

    losses: jax.Array
    """L(W − ηg) after each step, shape (s,)."""
    gradient_changes: jax.Array
    """‖g − ∇L(W − ηg)‖, shape (s,): small where the gradient predicts well."""
    gradient_norm: jax.Array
    """‖g‖."""
    smoothness: jax.Array
    """The largest change over the distance η‖g‖, "effective smoothness"."""


def along_gradient(
    network: Network, params: Parameters, inputs: Any, targets: Any, steps: npt.ArrayLike
) -> AlongGradient:
    """Take steps of several sizes along the negative gradient and compare losses and gradients.

    The measures of Figure 4 in Santurkar et al. (2018), arXiv:1805.11604.

    Parameters
    ----------
    steps : array_like, shape (s,)
        The η, positive.

    Returns
    -------
    AlongGradient

    See Also
    --------
    spectrum, Network.loss : the others (`params` is W), and what is refused.
    """
    eta = real_array("steps", steps, shape="(s,)")
    if eta.size == 0 or (eta <= 0).any():
        raise ValueError("steps: need at least one, all positive; give learning rates.")
    vector, unravel = ravel_pytree(params)
    derive = jax.value_and_grad(lambda v: network.loss(unravel(v), inputs, targets))
    gradient = derive(vector)[1]
    values, gradients = jax.vmap(lambda each: derive(vector - each * gradient))(jnp.asarray(eta))
    changes = jnp.linalg.norm(gradients - gradient, axis=1)
    norm = jnp.linalg.norm(gradient)
    return AlongGradient(values, changes, norm, jnp.max(changes / (eta * norm)))
