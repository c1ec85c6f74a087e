"""Trained networks: how they predict one example at a time, and how far they are from W₀."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from bn_experiments.networks.network import Network, Parameters
from bn_experiments.networks.training import stack_size
from bnlib._validation import real_array


def folded(
    network: Network, params: Parameters, reference: npt.ArrayLike
) -> tuple[Network, Parameters]:
    r"""Return the plain network that normalizes by the moments of a reference set.

    .. math:: W' = W \frac{\gamma}{\sqrt{\sigma^2+\epsilon}}, \qquad
              b' = (b - \mu) \frac{\gamma}{\sqrt{\sigma^2+\epsilon}} + \beta

    with the moments of Y over the reference set; scaling alone has μ = 0 and the mean square
    as σ², centring alone has no division. This is how batch norm predicts one example at a
    time once training is over.

    Parameters
    ----------
    network : Network
        A network with normalization in some layers, or in none.
    params : list of dict
        Its parameters.
    reference : array_like, shape (m, d)
        The inputs that the moments come from; as a rule, the training set.

    Returns
    -------
    Network, list of dict
        On the reference set its outputs are those of the network given.

    Raises
    ------
    ValueError
        If something does not fit.
    """
    plain = replace(network, normalization=None, bias=True)
    result = []
    for layer, y in enumerate(network.run(params, reference).preactivations):
        of_layer, norm = params[layer], network.norm(layer)
        factor, bias = jnp.ones(y.shape[1]), of_layer.get("bias", 0.0)
        if norm is not None:
            mean = y.mean(axis=0) if norm.center else 0.0
            if norm.scale:
                factor /= jnp.sqrt(((y - mean) ** 2).mean(axis=0) + norm.epsilon)
            factor = factor * of_layer.get("gamma", norm.gamma)
            bias = (bias - mean) * factor + of_layer.get("beta", norm.beta)
        bias = jnp.broadcast_to(bias, factor.shape)
        result.append({"weights": of_layer["weights"] * factor, "bias": bias})
    return plain, result


def accuracies(
    network: Network,
    stack: Parameters,
    inputs: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference: npt.ArrayLike,
) -> npt.NDArray[np.float64]:
    """Return the share of examples whose largest output is that of their class.

    Parameters
    ----------
    network : Network
        The network.
    stack : list of dict
        The parameters.
    inputs : array_like, shape (m, d)
        The inputs, which are predicted one at a time: they are not normalized together.
    labels : array_like of int, shape (m,)
        The number of the class of each example.
    reference : array_like, shape (r, d)
        The training inputs; batch norm takes its moments from them (`folded`).

    Returns
    -------
    ndarray, shape (n,)
        Where the outputs are not finite, no example counts as right.

    Raises
    ------
    ValueError
        If a shape is wrong.
    """
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    r = real_array("reference", reference, shape="(r, d)", last=network.widths[0])
    classes = np.asarray(labels)
    if classes.shape != (len(x),) or classes.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {len(x)} whole numbers, one for each example.")
    stack_size(stack)
    return np.asarray(_accuracies(network, stack, x, classes, r))


@partial(jax.jit, static_argnums=0)
def _accuracies(network: Network, stack: Parameters, x: Any, labels: Any, r: Any) -> Any:
    def one(params: Parameters) -> Any:
        plain, of_plain = folded(network, params, r)
        outputs = plain.forward(of_plain, x)
        right = (outputs.argmax(axis=1) == labels) & jnp.isfinite(outputs).all(axis=1)
        return right.astype(float).mean()  # the mean of booleans would be float32

    return jax.vmap(one)(stack)


class Travel(NamedTuple):
    """How far the weights of every network of a stack have moved.

    Attributes
    ----------
    distance : ndarray, shape (n,)
        Length of W − W₀ over the length of W₀, all weight matrices taken as one vector;
        biases, γ and β are left out.
    modulo_scale : ndarray, shape (n,)
        The same to the nearest W that computes the same: the incoming weights of every unit
        whose normalization scales may be multiplied by a number k > 0.
    angle : ndarray, shape (n,)
        Mean over the hidden units of the angle, in radians, between its incoming weights at
        the start and now.
    """

    distance: npt.NDArray[np.float64]
    modulo_scale: npt.NDArray[np.float64]
    angle: npt.NDArray[np.float64]


def travel(network: Network, start: Parameters, stack: Parameters) -> Travel:
    """Measure how far the weights have moved, with and without the freedom of scale.

    Parameters
    ----------
    network : Network
        The network; at ε > 0 its scale invariance is an approximation.
    start : list of dict
        The stack at the start.
    stack : list of dict
        The stack now.

    Returns
    -------
    Travel

    Raises
    ------
    ValueError
        If the two stacks do not have the same shape.
    """
    if jax.tree.map(jnp.shape, start) != jax.tree.map(jnp.shape, stack):
        raise ValueError("stack: has another shape than start; train it from there.")
    length, moved, nearest, angles = 0.0, 0.0, 0.0, []
    for layer, (of_start, of_stack) in enumerate(zip(start, stack, strict=True)):
        old, new = (np.asarray(each["weights"]) for each in (of_start, of_stack))
        square, gap = (old**2).sum(axis=1), ((new - old) ** 2).sum(axis=1)
        along = (old * new).sum(axis=1) / np.sqrt((new**2).sum(axis=1))
        norm = network.norm(layer)
        free = norm is not None and norm.scale
        length, moved = length + square.sum(axis=-1), moved + gap.sum(axis=-1)
        beside = np.maximum(square - np.maximum(along, 0.0) ** 2, 0.0)
        nearest = nearest + (beside if free else gap).sum(axis=-1)
        if layer < network.depth - 1:
            angles.append(np.arccos(np.clip(along / np.sqrt(square), -1.0, 1.0)))
    angle = np.concatenate(angles, axis=1).mean(axis=1) if angles else np.zeros(stack_size(stack))
    return Travel(np.sqrt(moved / length), np.sqrt(nearest / length), angle)
