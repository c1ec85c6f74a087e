"""Batch normalization inserted into a trained network without changing what it computes.

At a stationary point of the plain network the gradient after the insertion has a closed form;
this module holds that form, and JAX's derivative beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bn_experiments.networks.network import Network, Parameters
from bnlib._numeric import EPS
from bnlib._validation import Array, whole_number
from bnlib.batch_norm import BatchNorm, refuse_constant


def insert(
    network: Network, params: Parameters, inputs: Any, layer: int, normalization: BatchNorm
) -> tuple[Network, Parameters]:
    r"""Put batch normalization into one layer so that every output stays as it is.

    .. math::

        \gamma = \sqrt{\sigma^2 + \epsilon}, \qquad \beta = \mu,

    with the moments of Y = A W + b over the inputs. Without centring, σ² is the mean square
    of Y and there is no β; without scaling there is no γ.

    Parameters
    ----------
    network : Network
        A network without normalization in this layer.
    params : list of dict
        Its parameters.
    inputs : array_like, shape (m, d)
        The inputs over which is normalized.
    layer : int
        Index of the layer; 0 is the layer the inputs enter.
    normalization : BatchNorm
        Full, or one half; its own γ and β are not used.

    Returns
    -------
    Network, list of dict
        The network with normalization, and its parameters. A bias b of the layer is dropped if
        the normalization centres (β has absorbed it), and kept if not.

    Raises
    ------
    ValueError
        If the layer is normalized already, or a unit of it is constant and ε = 0.
    """
    whole_number("layer", layer, at_least=0)
    if layer >= network.depth or network.norm(layer) is not None:
        raise ValueError(
            f"layer: {layer} is not a layer without normalization; the network has "
            f"{network.depth} layers, counted from 0."
        )
    norms = [network.norm(each) for each in range(network.depth)]
    norms[layer] = replace(normalization, gamma=1.0, beta=0.0)
    y = np.asarray(network.run(params, inputs).preactivations[layer])
    of_layer = dict(params[layer])
    if normalization.center:
        of_layer.pop("bias", None)
        of_layer["beta"] = jnp.asarray(y.mean(axis=0))
    if normalization.scale:
        of_layer["gamma"] = jnp.asarray(_divisor(y, normalization))
    inserted = [*params[:layer], of_layer, *params[layer + 1 :]]
    return replace(network, normalization=tuple(norms)), inserted


def absorb(
    network: Network, params: Parameters, inputs: Any, layer: int
) -> tuple[Network, Parameters]:
    r"""Take centring batch normalization out of one layer again: `insert` backwards.

    .. math::

        w' = \frac{\gamma}{s}\,w, \qquad b = \beta - \frac{\gamma}{s}\,\bar a^\top w,
        \qquad s = \sqrt{\sigma^2 + \epsilon} .

    Parameters
    ----------
    network : Network
        A network with a centring normalization in this layer.
    params : list of dict
        Its parameters.
    inputs : array_like, shape (m, d)
        The inputs over which is normalized.
    layer : int
        Index of the layer.

    Returns
    -------
    Network, list of dict
        A network with weights w' and a bias b in this layer instead of the normalization. On
        these inputs every output is the same.

    Raises
    ------
    ValueError
        If the layer has no centring normalization, or a unit of it is constant and ε = 0.
    """
    norm = network.norm(layer) if 0 <= layer < network.depth else None
    if norm is None or not norm.center:
        raise ValueError(f"layer: layer {layer} has no centring normalization to take out.")
    y = np.asarray(network.run(params, inputs).preactivations[layer])
    old = {key: np.asarray(each) for key, each in params[layer].items()}
    factor = old.get("gamma", norm.gamma) / (_divisor(y, norm) if norm.scale else 1.0)
    bias = old.get("beta", norm.beta) - factor * y.mean(axis=0)
    of_layer = {"weights": jnp.asarray(old["weights"] * factor), "bias": jnp.asarray(bias)}
    norms = [network.norm(each) for each in range(network.depth)]
    biases = [network.has_bias(each) for each in range(network.depth)]
    norms[layer], biases[layer] = None, True
    plain = replace(network, normalization=tuple(norms), bias=tuple(biases))
    return plain, [*params[:layer], of_layer, *params[layer + 1 :]]


def inserted_gradient(
    network: Network,
    params: Parameters,
    inputs: Any,
    targets: Any,
    layer: int,
    normalization: BatchNorm,
) -> Parameters:
    r"""Return the gradient after `insert`, in closed form, at a stationary point.

    For one unit, with the incoming activations A (mean ā, covariance Σ), the weights w, the
    back-propagated signal g = ∂L/∂y and its sum δ, the derivative of the plain loss with
    respect to a bias of the unit,

    .. math::

        \nabla_w \hat L = -\delta\Bigl(\bar a
          - \frac{\bar a^\top w}{\sigma^2 + \epsilon}\,\Sigma w\Bigr), \qquad
        \frac{\partial \hat L}{\partial \gamma}
          = -\frac{\delta\,\bar a^\top w}{\sqrt{\sigma^2 + \epsilon}}, \qquad
        \frac{\partial \hat L}{\partial \beta} = \delta .

    The signal that leaves the layer towards the inputs changes by
    :math:`-\frac{\delta}{m}(1 - \bar a^\top w\, (y - \mu) / (\sigma^2 + \epsilon))` per unit;
    pulled back through the plain layers below it gives their gradient. The layers above have
    gradient 0. Centring alone: the same without the second term of each. Scaling alone: 0.

    Parameters
    ----------
    network : Network
        The network without normalization in this layer.
    params : list of dict
        A stationary point of its loss. Elsewhere the formula does not apply.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    layer : int
        Index of the layer.
    normalization : BatchNorm
        What is inserted.

    Returns
    -------
    list of dict
        Shaped like the parameters that `insert` returns.

    Raises
    ------
    ValueError
        As for `insert`.

    References
    ----------
    Derived in the chapter "Any network" of the book.
    """
    _, inserted = insert(network, params, inputs, layer, normalization)
    gradient: Parameters = jax.tree.map(lambda each: jnp.asarray(np.zeros(each.shape)), inserted)
    if not normalization.center:
        return gradient
    incoming, pull_back = jax.vjp(lambda p: network.run(p, inputs).incoming[layer], params)
    a = np.asarray(incoming)
    w, mean = np.asarray(params[layer]["weights"]), a.mean(axis=0)
    y = a @ w  # a bias would change neither the covariance nor, being trained, the rest
    delta = np.asarray(network.signals(params, inputs, targets)[layer]).sum(axis=0)
    along, deviation, m = mean @ w, y - y.mean(axis=0), len(a)
    of_weights, of_signal = np.outer(mean, np.ones_like(along)), np.ones_like(y)
    if normalization.scale:
        divisor = _divisor(y, normalization)
        covariance = (a - mean).T @ (a - mean) / m
        of_weights -= covariance @ w * (along / divisor**2)
        of_signal -= deviation * (along / divisor**2)
        gradient[layer]["gamma"] = jnp.asarray(-delta * along / divisor)
    gradient[layer]["weights"] = jnp.asarray(-delta * of_weights)
    gradient[layer]["beta"] = jnp.asarray(delta)
    below = pull_back(jnp.asarray(-(delta / m * of_signal) @ w.T))[0]
    gradient[:layer] = below[:layer]
    return gradient


@dataclass(frozen=True)
class InsertionCheck:
    """The gradient after an insertion, by automatic differentiation and by the formula.

    Attributes
    ----------
    output_change : float
        Largest change of an output, relative to the largest output. Rounding, if all is well.
    gradient_norm : float
        Norm of the gradient of the normalized network by JAX, over all its parameters.
    formula_norm : float
        The same by `inserted_gradient`.
    difference : float
        Norm of the difference of the two gradients.
    weights_norm : float
        Norm of the part of JAX's gradient that belongs to the weights of the layer.
    """

    output_change: float
    gradient_norm: float
    formula_norm: float
    difference: float
    weights_norm: float

    @property
    def relative_error(self) -> float:
        """Difference over gradient norm; of use where that is not 0."""
        return self.difference / self.gradient_norm if self.gradient_norm else float("inf")


def check_insertion(
    network: Network,
    params: Parameters,
    inputs: Any,
    targets: Any,
    layer: int,
    normalization: BatchNorm,
) -> InsertionCheck:
    """Insert batch normalization and compare its gradient with the formula.

    Parameters
    ----------
    network : Network
        The network without normalization in this layer.
    params : list of dict
        A stationary point of its loss.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    layer : int
        Index of the layer.
    normalization : BatchNorm
        What is inserted.

    Returns
    -------
    InsertionCheck

    Raises
    ------
    ValueError
        As for `insert`.
    """
    normalized, inserted = insert(network, params, inputs, layer, normalization)
    before = np.asarray(network.forward(params, inputs))
    after = np.asarray(normalized.forward(inserted, inputs))
    gradient = jax.grad(normalized.loss)(inserted, inputs, targets)
    formula = inserted_gradient(network, params, inputs, targets, layer, normalization)
    by_jax, stated = _flat(gradient), _flat(formula)
    return InsertionCheck(
        float(np.abs(after - before).max() / np.abs(before).max()),
        float(np.linalg.norm(by_jax)),
        float(np.linalg.norm(stated)),
        float(np.linalg.norm(by_jax - stated)),
        float(np.linalg.norm(gradient[layer]["weights"])),
    )


def _flat(params: Parameters) -> Array:
    return np.concatenate([np.asarray(each).ravel() for each in jax.tree.leaves(params)])


def _divisor(y: Array, norm: BatchNorm) -> Array:
    """Return √(σ² + ε) of each unit, shape (k,), refusing units that are constant."""
    deviation = y - y.mean(axis=0) if norm.center else y
    if norm.epsilon == 0.0:
        largest, noise = np.abs(deviation).max(axis=0), 8 * EPS * np.abs(y).max(axis=0)
        refuse_constant("params", largest <= noise, center=norm.center)
    return np.asarray(np.sqrt((deviation**2).mean(axis=0) + norm.epsilon))
