"""Gradient descent of many networks side by side.

A stack of networks is the parameters of one, each array with a leading axis of length n. What
is here maps over that axis in one compiled call; steps are taken by `optax.sgd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from bn_experiments.networks.network import Network, Parameters
from bnlib._validation import real_array, whole_number


def starts(network: Network, seeds: Sequence[int], scales: npt.ArrayLike = 1.0) -> Parameters:
    """Return a stack of initial parameters.

    The weights depend on the seed, the widths and the scale alone: networks that differ only
    in their normalization start from the same W₀.

    Parameters
    ----------
    network : Network
        The network.
    seeds : sequence of int
        One for each network of the stack, of length n.
    scales : array_like, shape (n,) or ()
        Factor of all weights, as in `Network.initialize`.

    Returns
    -------
    list of dict
        Each array with a leading axis of length n.

    Raises
    ------
    ValueError
        If a seed or the number of scales is wrong.
    """
    seeds = [whole_number("seeds", each, at_least=0) for each in seeds]
    factors = _one_each("scales", scales, len(seeds))
    keys = jnp.stack([jax.random.key(each) for each in seeds])
    return _starts(network, keys, factors)  # type: ignore[no-any-return]


@partial(jax.jit, static_argnums=0)
def _starts(network: Network, keys: Any, scales: Any) -> Any:
    return jax.vmap(network.initialize)(keys, scales)


def batch_order(m: int, size: int, steps: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which examples each step of mini-batch training uses.

    Parameters
    ----------
    m : int
        Number of examples.
    size : int
        Examples in a batch; must divide m, so that every epoch uses each example once.
    steps : int
        Number of steps.
    seed : int
        Of the order, which is new in every epoch.

    Returns
    -------
    ndarray of int, shape (steps, size)

    Raises
    ------
    ValueError
        If a number is wrong or the size does not divide m.
    """
    for name, value in (("m", m), ("size", size), ("steps", steps)):
        whole_number(name, value, at_least=1)
    if m % size:
        raise ValueError(f"size: {size} does not divide the {m} examples; choose a divisor.")
    rng = np.random.default_rng(whole_number("seed", seed, at_least=0))
    epochs = [rng.permutation(m).reshape(-1, size) for _ in range(-(-steps * size // m))]
    return np.concatenate(epochs)[:steps]


def descend(
    network: Network,
    stack: Parameters,
    inputs: npt.ArrayLike,
    targets: npt.ArrayLike,
    rates: npt.ArrayLike,
    *,
    steps: int,
    batches: npt.ArrayLike | None = None,
) -> Parameters:
    r"""Train every network of a stack by gradient descent with a constant learning rate.

    .. math:: W \leftarrow W - \eta\, \nabla L(W)

    for all parameters: weights, biases, γ and β.

    Parameters
    ----------
    network : Network
        The network.
    stack : list of dict
        Where to start, as `starts` makes it.
    inputs : array_like, shape (m, d)
        The inputs, the same for every network.
    targets : array_like, shape (m, k)
        The targets.
    rates : array_like, shape (n,) or ()
        η, one for each network.
    steps : int
        Number of steps.
    batches : array_like of int, shape (steps, size), optional
        The examples each step uses, over which it also normalizes; by default all.

    Returns
    -------
    list of dict
        The stack after the last step. Numbers may be infinite or NaN: that is what diverged
        training gives, and `losses` says so.

    Raises
    ------
    ValueError
        If a shape or a number is wrong.
    """
    whole_number("steps", steps, at_least=1)
    x, t = _examples(network, inputs, targets)
    eta = _one_each("rates", rates, stack_size(stack))
    if batches is None:
        return _descend(network, steps, stack, x, t, eta, None)  # type: ignore[no-any-return]
    order = np.asarray(batches)
    if order.dtype.kind not in "iu" or order.ndim != 2 or len(order) != steps:
        raise ValueError(
            f"batches: expected whole numbers of shape ({steps}, size), got {order.shape} "
            f"of {order.dtype}; use batch_order."
        )
    if order.min() < 0 or order.max() >= len(x):
        raise ValueError(f"batches: the {len(x)} examples count from 0; use batch_order.")
    return _descend(network, steps, stack, x, t, eta, order)  # type: ignore[no-any-return]


@partial(jax.jit, static_argnums=(0, 1))
def _descend(
    network: Network, steps: int, stack: Parameters, x: Any, t: Any, rates: Any, order: Any
) -> Any:
    def one(params: Parameters, rate: Any) -> Any:
        optimizer = optax.sgd(rate)

        def step(carry: Any, batch: Any) -> Any:
            now, state = carry
            inputs, targets = (x, t) if batch is None else (x[batch], t[batch])
            gradient = jax.grad(network.loss)(now, inputs, targets)
            update, state = optimizer.update(gradient, state, now)
            return (optax.apply_updates(now, update), state), None

        carry = (params, optimizer.init(params))
        return jax.lax.scan(step, carry, order, length=steps)[0][0]

    return jax.vmap(one)(stack, rates)


def losses(
    network: Network, stack: Parameters, inputs: npt.ArrayLike, targets: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the loss of every network of a stack, over all examples.

    Parameters
    ----------
    network : Network
        The network; it normalizes over these examples.
    stack : list of dict
        The parameters.
    inputs : array_like, shape (m, d)
        The inputs.
    targets : array_like, shape (m, k)
        The targets.

    Returns
    -------
    ndarray, shape (n,)
        Infinite or NaN where the training diverged that far.

    Raises
    ------
    ValueError
        If a shape is wrong.
    """
    x, t = _examples(network, inputs, targets)
    stack_size(stack)
    return np.asarray(_losses(network, stack, x, t))


@partial(jax.jit, static_argnums=0)
def _losses(network: Network, stack: Parameters, x: Any, t: Any) -> Any:
    return jax.vmap(lambda params: network.loss(params, x, t))(stack)


def stack_size(stack: Parameters) -> int:
    """Return the number of networks in a stack."""
    weights = [jnp.shape(each["weights"]) for each in stack]
    if any(len(shape) != 3 or shape[0] != weights[0][0] for shape in weights):
        raise ValueError(f"stack: weights of shapes {weights}; use starts to make a stack.")
    return int(weights[0][0])


def _one_each(name: str, values: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    given = real_array(name, values, shape="(...)")
    if given.shape not in ((), (n,)):
        raise ValueError(f"{name}: expected one number or {n}, got shape {given.shape}.")
    if (given <= 0).any():
        raise ValueError(f"{name}: must be positive, got {given.min():g}.")
    return np.broadcast_to(given, (n,))


def _examples(
    network: Network, inputs: npt.ArrayLike, targets: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    t = real_array("targets", targets, shape="(m, k)", last=network.widths[-1])
    if len(x) != len(t):
        raise ValueError(f"targets: {len(t)} for {len(x)} inputs; give one for each.")
    return x, t
