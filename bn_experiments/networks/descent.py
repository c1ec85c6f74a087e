"""Train many networks side by side, in one compiled call, with an optimizer of Optax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bn_experiments.networks.network import Network, Parameters
from bnlib._validation import whole_number


class Descent(NamedTuple):
    """What `train_many` returns: n networks after training, and the way there.

    Attributes
    ----------
    params : list of dict
        The parameters, with a first axis of length n in every array.
    losses : Array, shape (n, steps + 1)
        The loss before each step and after the last. Infinite or NaN from the step on at which
        a training diverged: that is a result here, not an error.
    """

    params: Parameters
    losses: jax.Array


def initialize_many(network: Network, seed: int, n: int, scale: float = 1.0) -> Parameters:
    """Return the random parameters of n networks, stacked.

    Parameters
    ----------
    network : Network
        The architecture.
    seed : int
        One seed for all.
    n : int
        How many.
    scale : float
        Factor of the weights, see `Network.initialize`.

    Returns
    -------
    list of dict
        Every array has a first axis of length n. Network i does not depend on n's successors:
        its key is derived from the seed and i alone.

    Raises
    ------
    ValueError
        If the seed is negative or n is not positive.
    """
    key = jax.random.key(whole_number("seed", seed, at_least=0))
    keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(whole_number("n", n, at_least=1)))
    return list(jax.vmap(lambda each: network.initialize(each, scale))(keys))


def select(params: Parameters, index: int) -> Parameters:
    """Return the parameters of one of many networks.

    Parameters
    ----------
    params : list of dict
        Stacked, as `initialize_many` and `train_many` return them.
    index : int
        Which one.

    Returns
    -------
    list of dict
    """
    # In NumPy: JAX would compile a slice for every index.
    return list(jax.tree.map(lambda each: jnp.asarray(np.asarray(each)[index]), params))


def train_many(
    network: Network,
    params: Parameters,
    inputs: Any,
    targets: Any,
    *,
    learning_rates: Any,
    steps: int,
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd,
) -> Descent:
    """Train n networks by full-batch steps, each from its own start with its own step size.

    Parameters
    ----------
    network : Network
        The architecture, the same for all.
    params : list of dict
        The starts, with a first axis of length n in every array.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.
    learning_rates : float or array_like, shape (n,)
        The step sizes.
    steps : int
        Number of steps.
    optimizer : callable
        Makes an Optax optimizer from a learning rate: `optax.sgd`, `optax.adam`, …

    Returns
    -------
    Descent

    Raises
    ------
    ValueError
        If a shape does not fit or the number of steps is not positive.

    Notes
    -----
    Compiled once for each network, optimizer, number of steps and shape of the data. With the
    full batch plain ``optax.sgd`` is gradient descent.
    """
    whole_number("steps", steps, at_least=1)
    n = len(params[0]["weights"])
    rates = jnp.asarray(learning_rates, dtype=float)
    if rates.shape not in ((), (n,)):
        raise ValueError(f"learning_rates: expected one or {n}, got shape {rates.shape}.")
    x, t = jnp.asarray(inputs, dtype=float), jnp.asarray(targets, dtype=float)
    return Descent(*_train(network, optimizer, steps, params, jnp.broadcast_to(rates, (n,)), x, t))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _train(
    network: Network, optimizer: Any, steps: int, params: Any, rates: Any, x: Any, t: Any
) -> Any:
    def one(start: Parameters, rate: Any) -> Any:
        rule = optimizer(rate)
        slope = jax.value_and_grad(lambda p: network.loss(p, x, t))

        def step(state: Any, _: None) -> Any:
            params, memory = state
            loss, gradient = slope(params)
            updates, memory = rule.update(gradient, memory, params)
            return (optax.apply_updates(params, updates), memory), loss

        (end, _), losses = jax.lax.scan(step, (start, rule.init(start)), None, length=steps)
        return end, jnp.append(losses, network.loss(end, x, t))

    return jax.vmap(one)(params, rates)
