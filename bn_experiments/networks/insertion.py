"""Batch normalization inserted into a trained network without changing what it computes.

At a stationary point of the plain network the gradient after the insertion has a closed form;
this module holds that form, and JAX's derivative beside it. Batch norm with trained γ and β is a
bias in other coordinates: `fold` changes from those to the plain ones, and `unfold` back.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bn_experiments.networks.network import Network, Parameters
from bn_solver.arrays import EPS, whole_number
from bnlib.batch_norm import BatchNorm, refuse_constant


def insert(
    network: Network, params: Parameters, inputs: Any, layer: int, norm: BatchNorm
) -> tuple[Network, Parameters]:
    r"""Put batch normalization into one layer so that every output stays as it is.

    .. math:: \gamma = \sqrt{\sigma^2 + \epsilon}, \qquad \beta = \mu,

    with the moments of Y = A W + b over the inputs. Without centring, σ² is the mean square
    of Y and there is no β; without scaling there is no γ.

    Parameters
    ----------
    network, layer : Network, int
        Without normalization in this layer; 0 is the one the inputs enter.
    norm : BatchNorm
        Full, or one half; its own γ and β are not used.

    Returns
    -------
    Network, list of dict
        With normalization. A bias of the layer is dropped if this centres: β has absorbed it.

    Raises
    ------
    ValueError
        If the layer is normalized already, or a unit of it is constant and ε = 0.

    See Also
    --------
    Network.loss : `params` and `inputs`.
    """
    whole_number("layer", layer, at_least=0)
    if layer >= network.depth or network.norms[layer] is not None:
        raise ValueError(
            f"layer: {layer} is not a layer without normalization; the network has "
            f"{network.depth} layers, counted from 0."
        )
    norms, inserted = list(network.norms), list(params)
    norms[layer] = replace(norm, gamma=1.0, beta=0.0)
    y = np.asarray(network.run(params, inputs).preactivations[layer])
    of_layer = inserted[layer] = dict(params[layer])
    if norm.center:
        of_layer.pop("bias", None)
        of_layer["beta"] = jnp.asarray(y.mean(axis=0))
    if norm.scale:
        of_layer["gamma"] = _divisor(y, norm)
    return replace(network, normalization=tuple(norms)), inserted


def fold(network: Network, params: Parameters, reference: Any) -> tuple[Network, Parameters]:
    r"""Return the plain network that normalizes by the moments of a reference set.

    .. math:: W' = \frac{\gamma}{\sqrt{\sigma^2+\epsilon}}\,W, \qquad
              b' = \frac{\gamma}{\sqrt{\sigma^2+\epsilon}}\,(b - \mu) + \beta .

    Scaling alone has μ = 0 and the mean square of Y as σ², centring alone does not divide. This
    takes back what `insert` did, and is how batch norm predicts one example at a time.

    Parameters
    ----------
    reference : array_like, shape (m, d)
        The inputs that the moments come from; on them it computes the same.

    Returns
    -------
    Network, list of dict
        With a bias in every layer that was normalized.

    See Also
    --------
    insert : `network`. Units that are constant are refused, unless `params` are traced.
    Network.loss : `params`.
    """
    folded: Parameters = []
    passed = network.run(params, reference)
    for of_layer, norm, y in zip(params, network.norms, passed.preactivations, strict=True):
        if norm is None:
            folded.append(of_layer)
            continue
        factor = of_layer.get("gamma", norm.gamma) / (_divisor(y, norm) if norm.scale else 1.0)
        bias = of_layer.get("bias", 0.0) - (y.mean(axis=0) if norm.center else 0.0)
        bias = jnp.broadcast_to(bias * factor + of_layer.get("beta", norm.beta), y.shape[1:])
        folded.append({"weights": of_layer["weights"] * factor, "bias": bias})
    biases = tuple("bias" in of_layer for of_layer in folded)
    return replace(network, normalization=None, bias=biases), folded


def unfold(network: Network, params: Parameters, plain: Parameters, inputs: Any) -> Parameters:
    r"""Return the parameters next to given ones that compute what a plain network computes.

    .. math:: \tilde w = \frac{s}{\gamma}\,w', \qquad \tilde\gamma = \frac{\gamma}{s}\,\tilde s,
              \qquad \tilde\beta = b' + \bar a^\top w',

    for each normalized unit, with γ and s = √(σ² + ε) of the given parameters, and s̃ of w̃. So
    `fold` gives the plain network back; what depends on nothing but continuous activations stays
    near what is given, if the plain network is near its fold, and is equal to it there.

    Parameters
    ----------
    network, params, plain : Network, list of dict, list of dict
        The normalized network and its parameters; every γ is trained and not 0. Those of the plain
        network, with a bias in every layer that is normalized.
    inputs : array_like, shape (m, d)
        The reference set.

    Raises
    ------
    ValueError
        If a γ is 0 or frozen, a β is frozen, or a bias is there that scaling alone cannot give.

    See Also
    --------
    fold : what it takes back.
    """
    passed = network.run(params, inputs)
    biases = tuple("bias" in of_layer for of_layer in plain)
    incoming = replace(network, normalization=None, bias=biases).run(plain, inputs).incoming
    found: Parameters = []
    for layer, norm in enumerate(network.norms):
        old, new = params[layer], plain[layer]
        if norm is None:
            found.append(new)
            continue
        wanted = {"gamma"} if norm.scale else set()
        wanted |= {"beta"} if norm.center else set()
        if not wanted <= old.keys() or not np.all(old.get("gamma", 1.0)):
            raise ValueError(f"params: layer {layer} needs γ ≠ 0 and β that are trained.")
        factor = old["gamma"] / _divisor(passed.preactivations[layer], norm) if norm.scale else 1.0
        of_layer = {"weights": new["weights"] / factor}
        y = incoming[layer] @ of_layer["weights"]
        shift = new["bias"] - (0.0 if norm.center else norm.beta)
        if norm.center:
            of_layer["beta"] = shift + factor * y.mean(axis=0)
        elif "bias" in old:
            of_layer["bias"] = shift / factor
            y = y + of_layer["bias"]
        elif np.any(shift):
            raise ValueError(f"plain: layer {layer} has a bias, and scaling alone gives none.")
        if norm.scale:
            of_layer["gamma"] = factor * _divisor(y, norm)
        found.append(of_layer)
    return found


def inserted_gradient(
    network: Network, params: Parameters, inputs: Any, targets: Any, layer: int, norm: BatchNorm
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
    params : list of dict
        A stationary point of the loss. Elsewhere the formula does not apply.

    See Also
    --------
    insert, Network.loss : the others, what is refused, and the shapes of what is returned.
    """
    _, inserted = insert(network, params, inputs, layer, norm)
    gradient: Parameters = jax.tree.map(lambda each: jnp.asarray(np.zeros(each.shape)), inserted)
    if not norm.center:
        return gradient
    incoming, pull_back = jax.vjp(lambda p: network.run(p, inputs).incoming[layer], params)
    a = np.asarray(incoming)
    w, mean = np.asarray(params[layer]["weights"]), a.mean(axis=0)
    y = a @ w  # a bias would change neither the covariance nor, being trained, the rest
    delta = np.asarray(network.signals(params, inputs, targets)[layer]).sum(axis=0)
    along, deviation, m = mean @ w, y - y.mean(axis=0), len(a)
    of_weights, of_signal = np.outer(mean, np.ones_like(along)), np.ones_like(y)
    if norm.scale:
        divisor = np.asarray(_divisor(y, norm))
        covariance = (a - mean).T @ (a - mean) / m
        of_weights -= covariance @ w * (along / divisor**2)
        of_signal -= deviation * (along / divisor**2)
        gradient[layer]["gamma"] = jnp.asarray(-delta * along / divisor)
    gradient[layer]["weights"] = jnp.asarray(-delta * of_weights)
    gradient[layer]["beta"] = jnp.asarray(delta)
    gradient[:layer] = pull_back(jnp.asarray(-(delta / m * of_signal) @ w.T))[0][:layer]
    return gradient


class InsertionCheck(NamedTuple):
    """The gradient after an insertion, by automatic differentiation and by the formula.

    The largest change of an output, relative to the largest output; the norm of the gradient by
    JAX, and of the part of it that belongs to the weights of the layer; the norm of its difference
    to `inserted_gradient`, over its own, infinite where that is 0.
    """

    output_change: float
    gradient_norm: float
    weights_norm: float
    relative_error: float


def check_insertion(
    network: Network, params: Parameters, inputs: Any, targets: Any, layer: int, norm: BatchNorm
) -> InsertionCheck:
    """Insert batch normalization and compare its gradient with the formula.

    See Also
    --------
    insert, inserted_gradient, Network.loss : what it takes and refuses.
    """
    normalized, inserted = insert(network, params, inputs, layer, norm)
    before = np.asarray(network.forward(params, inputs))
    after = np.asarray(normalized.forward(inserted, inputs))
    gradient = jax.grad(normalized.loss)(inserted, inputs, targets)
    formula = inserted_gradient(network, params, inputs, targets, layer, norm)
    by_jax, stated = (np.asarray(ravel_pytree(each)[0]) for each in (gradient, formula))
    length, difference = float(np.linalg.norm(by_jax)), float(np.linalg.norm(by_jax - stated))
    return InsertionCheck(
        float(np.abs(after - before).max() / (np.abs(before).max() or 1.0)),
        length,
        float(np.linalg.norm(gradient[layer]["weights"])),
        difference / length if length else float("inf"),
    )


def _divisor(y: Any, norm: BatchNorm) -> Any:
    """Return √(σ² + ε) of each unit, shape (k,), refusing units that are constant."""
    deviation = y - y.mean(axis=0) if norm.center else y
    if norm.epsilon == 0.0 and not isinstance(y, jax.core.Tracer):
        largest, noise = np.abs(deviation).max(axis=0), 8 * EPS * np.abs(y).max(axis=0)
        refuse_constant("params", largest <= noise, center=norm.center)
    return jnp.sqrt((deviation**2).mean(axis=0) + norm.epsilon)
