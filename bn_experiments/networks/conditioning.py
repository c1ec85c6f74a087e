"""How well the loss of a network can be descended: its Hessian, and what a step meets."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigsh

from bn_experiments.networks.network import Network, Parameters
from bnlib._validation import Array, real_array, require_finite, whole_number


def spectrum(
    network: Network, params: Parameters, inputs: npt.ArrayLike, targets: npt.ArrayLike
) -> Array:
    """Return all eigenvalues of the Hessian of the loss, in increasing order.

    Parameters
    ----------
    network : Network
        The network.
    params : list of dict
        The parameters; the Hessian is with respect to all of them, γ and β included.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.

    Returns
    -------
    ndarray
        One for each parameter.

    Raises
    ------
    ValueError
        If something does not fit, or the Hessian is not finite there.

    Notes
    -----
    The Hessian is dense: meant for networks of at most a thousand parameters or so.
    """
    vector, unravel, x, t = _at(network, params, inputs, targets)
    hessian = np.asarray(_hessian(network, unravel, vector, x, t))
    require_finite("params", hessian)
    return np.asarray(np.linalg.eigvalsh((hessian + hessian.T) / 2))


def largest_eigenvalues(
    network: Network,
    params: Parameters,
    inputs: npt.ArrayLike,
    targets: npt.ArrayLike,
    count: int = 1,
) -> Array:
    """Return the largest eigenvalues of the Hessian of the loss, without forming it.

    Products of the Hessian with vectors, by automatic differentiation, are the input of SciPy's
    ``eigsh`` (Lanczos).

    Parameters
    ----------
    network : Network
        The network.
    params : list of dict
        The parameters.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    count : int
        How many; less than there are parameters.

    Returns
    -------
    ndarray, shape (count,)
        In decreasing order. The largest, not the largest in absolute value.

    Raises
    ------
    ValueError
        If something does not fit, or the Hessian is not finite there.
    """
    vector, unravel, x, t = _at(network, params, inputs, targets)
    whole_number("count", count, at_least=1)
    if count >= vector.size:
        raise ValueError(f"count: {count} of {vector.size} parameters; ask for fewer.")

    def product(v: Array) -> Array:
        return np.asarray(_product(network, unravel, vector, x, t, v))

    first = np.ones(vector.size)  # a fixed start: the same digits on every run
    require_finite("params", product(first))
    operator = LinearOperator((vector.size, vector.size), matvec=product, dtype=np.float64)
    values = eigsh(operator, k=count, which="LA", v0=first, tol=1e-9, return_eigenvectors=False)
    return np.sort(values)[::-1]


class AlongGradient(NamedTuple):
    """What steps of several sizes along the negative gradient meet.

    Attributes
    ----------
    losses : Array, shape (s,)
        L after each step.
    gradient_changes : Array, shape (s,)
        Length of ∇L(W) − ∇L(W − η∇L(W)): small where the gradient predicts well.
    gradient_norm : Array, shape ()
        Length of ∇L(W).
    smoothness : Array, shape ()
        The largest change of the gradient over the distance travelled, "effective smoothness".
    """

    losses: jax.Array
    gradient_changes: jax.Array
    gradient_norm: jax.Array
    smoothness: jax.Array


def along_gradient(
    network: Network, params: Parameters, inputs: Any, targets: Any, steps: npt.ArrayLike
) -> AlongGradient:
    r"""Take steps of several sizes along the negative gradient and compare losses and gradients.

    .. math::

        L(W - \eta g), \qquad \lVert g - \nabla L(W - \eta g) \rVert, \qquad
        \max_\eta \frac{\lVert g - \nabla L(W - \eta g) \rVert}{\eta \lVert g \rVert},
        \qquad g = \nabla L(W).

    Parameters
    ----------
    network : Network
        The network.
    params : list of dict
        W, all parameters. May be traced: ``jax.vmap`` over many networks.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    steps : array_like, shape (s,)
        The η, positive.

    Returns
    -------
    AlongGradient

    Raises
    ------
    ValueError
        If something does not fit, or a step is not positive.

    References
    ----------
    The three measures of Figure 4 in Santurkar et al., "How does batch normalization help
    optimization?", NeurIPS 2018, arXiv:1805.11604.
    """
    eta = real_array("steps", steps, shape="(s,)")
    if eta.size == 0 or (eta <= 0).any():
        raise ValueError("steps: need at least one, all positive; give learning rates.")
    vector, unravel = ravel_pytree(params)

    def slope(v: Any) -> Any:
        return jax.value_and_grad(lambda u: network.loss(unravel(u), inputs, targets))(v)

    gradient = slope(vector)[1]
    values, gradients = jax.vmap(lambda each: slope(vector - each * gradient))(jnp.asarray(eta))
    changes = jnp.linalg.norm(gradients - gradient, axis=1)
    norm = jnp.linalg.norm(gradient)
    return AlongGradient(values, changes, norm, jnp.max(changes / (eta * norm)))


def _at(
    network: Network, params: Parameters, inputs: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[Any, Any, Array, Array]:
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    t = real_array("targets", targets, shape="(m, k)", last=network.widths[-1])
    network.loss(params, x, t)  # refuses what does not fit, or is not finite
    vector, unravel = ravel_pytree(params)
    return vector, unravel, x, t


@partial(jax.jit, static_argnums=(0, 1))
def _hessian(network: Network, unravel: Any, v: Any, x: Any, t: Any) -> Any:
    return jax.hessian(lambda u: network.loss(unravel(u), x, t))(v)


@partial(jax.jit, static_argnums=(0, 1))
def _product(network: Network, unravel: Any, v: Any, x: Any, t: Any, direction: Any) -> Any:
    def gradient(u: Any) -> Any:
        return jax.grad(lambda w: network.loss(unravel(w), x, t))(u)

    return jax.jvp(gradient, (v,), (direction,))[1]
