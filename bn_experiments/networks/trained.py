"""Trained networks: how they predict one example at a time, and how far they are from W₀."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bn_experiments.networks import training
from bn_experiments.networks.insertion import fold
from bn_experiments.networks.network import Network, Parameters
from bn_solver.arrays import Array, real_array


def accuracies(
    network: Network, stack: Parameters, inputs: Any, labels: Any, reference: Any
) -> Array:
    """Return the share of examples whose largest output is that of their class.

    Parameters
    ----------
    inputs : array_like, shape (m, d)
        The inputs, predicted one at a time: they are not normalized together.
    labels : array_like of int, shape (m,)
        The number of the class of each example.
    reference : array_like, shape (r, d)
        The training inputs; batch norm takes its moments from them (`fold`).

    Returns
    -------
    ndarray, shape (n,)
        Where the outputs are not finite, no example counts as right.

    See Also
    --------
    training.train : `network` and `stack`, and what is refused.
    """
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    r = real_array("reference", reference, shape="(r, d)", last=network.widths[0])
    classes = np.asarray(labels)
    if classes.shape != (len(x),) or classes.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {len(x)} whole numbers, one for each example.")
    training.stack_size(stack)
    return np.asarray(_accuracies(network, stack, x, classes, r))


@partial(jax.jit, static_argnums=0)
def _accuracies(network: Network, stack: Parameters, x: Any, labels: Any, r: Any) -> Any:
    def one(params: Parameters) -> Any:
        plain, of_plain = fold(network, params, r)
        outputs = plain.forward(of_plain, x)
        right = (outputs.argmax(axis=1) == labels) & jnp.isfinite(outputs).all(axis=1)
        return right.astype(float).mean()  # the mean of booleans would be float32

    return jax.vmap(one)(stack)


class Travel(NamedTuple):
    """How far the weights of every network of a stack have moved, shape (n,) each."""

    distance_from_start: Array
    """‖W − W₀‖ / ‖W₀‖, all weight matrices taken as one vector, without biases, γ and β."""
    modulo_scale: Array
    """The same to the nearest W that computes the same: the incoming weights of every unit whose
    normalization scales may be multiplied by a number k > 0."""
    hidden_modulo_scale: Array
    """The same for the hidden layers alone, with that freedom for every hidden unit, normalized
    or not: what is left is how far directions have turned."""
    angle: Array
    """Between the incoming weights of a hidden unit then and now, in radians; mean over units."""


def travel(network: Network, start: Parameters, stack: Parameters) -> Travel:
    """Return how far the weights have moved, with and without the freedom of scale.

    Parameters
    ----------
    network : Network
        The network; at ε > 0 its scale invariance is an approximation.
    start, stack : list of dict
        The stack at the start, and now.

    See Also
    --------
    training.train : stacks. Those of two shapes are refused, and networks without hidden layer.
    """
    if network.depth == 1:
        raise ValueError("network: has no hidden unit whose angle could be measured; add a layer.")
    if jax.tree.map(jnp.shape, start) != jax.tree.map(jnp.shape, stack):
        raise ValueError("stack: has another shape than start; train it from there.")
    length, moved, nearest, angles, hidden = 0.0, 0.0, 0.0, [], []
    for norm, of_start, of_stack in zip(network.norms, start, stack, strict=True):
        old, new = (np.asarray(each["weights"]) for each in (of_start, of_stack))
        square, gap = (old**2).sum(axis=1), ((new - old) ** 2).sum(axis=1)
        along = (old * new).sum(axis=1) / np.sqrt((new**2).sum(axis=1))
        beside = np.maximum(square - np.maximum(along, 0.0) ** 2, 0.0)
        length, moved = length + square.sum(axis=-1), moved + gap.sum(axis=-1)
        nearest = nearest + (beside if norm and norm.scale else gap).sum(axis=-1)
        angles.append(np.arccos(np.clip(along / np.sqrt(square), -1.0, 1.0)))
        hidden.append((beside.sum(axis=-1), square.sum(axis=-1)))
    angle = np.concatenate(angles[:-1], axis=1).mean(axis=1)
    aside, of_hidden = np.sum(hidden[:-1], axis=0)
    shares = moved / length, nearest / length, aside / of_hidden
    far, near, beside = (np.sqrt(each) for each in shares)
    return Travel(far, near, beside, angle)
