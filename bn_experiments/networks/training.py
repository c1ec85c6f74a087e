"""Train many networks side by side, in one compiled call, with an optimizer of Optax.

A stack of networks is the parameters of one, each array with a leading axis of length n.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax

from bn_experiments.networks.network import Network, Parameters
from bn_solver.arrays import Array, real_array, whole_number


class Training(NamedTuple):
    """What `train` returns: n networks after training, and the way there."""

    params: Parameters
    losses: jax.Array | None
    """The loss of what each step uses, before it, and of all examples after the last: shape
    (n, steps + 1)."""


def starts(network: Network, seeds: Sequence[int], scales: npt.ArrayLike = 1.0) -> Parameters:
    """Return a stack of initial parameters, by `Network.initialize`.

    Parameters
    ----------
    seeds : sequence of int, length n
        One for each network of the stack.
    scales : array_like, shape (n,) or ()
        Factors of all weights.

    See Also
    --------
    train : `network`, and what is refused.
    """
    seeds = [whole_number("seeds", each, at_least=0) for each in seeds]
    factors = _one_each("scales", scales, len(seeds))
    keys = jnp.stack([jax.random.key(each) for each in seeds])
    return _starts(network, keys, factors)  # type: ignore[no-any-return]


@partial(jax.jit, static_argnums=0)
def _starts(network: Network, keys: Any, scales: Any) -> Any:
    return jax.vmap(network.initialize)(keys, scales)


def unstacked(stack: Parameters) -> list[Parameters]:
    """Return the parameters of the networks of a stack one by one.

    See Also
    --------
    train : what a stack is.
    """

    def one(i: int) -> Parameters:  # in NumPy: JAX would compile a slice for every index
        return list(jax.tree.map(lambda each: jnp.asarray(np.asarray(each)[i]), stack))

    return [one(i) for i in range(stack_size(stack))]


def batch_order(m: int, size: int, steps: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which examples each step of mini-batch training uses, shape (steps, size).

    Parameters
    ----------
    m, size, steps : int
        Numbers of examples, of examples in a batch, and of steps. The size must divide m, so
        that every epoch uses each example once.
    seed : int
        Of the order, which is new in every epoch.

    See Also
    --------
    train : what is refused.
    """
    for name, value in (("m", m), ("size", size), ("steps", steps)):
        whole_number(name, value, at_least=1)
    if m % size:
        raise ValueError(f"size: {size} does not divide the {m} examples; choose a divisor.")
    rng = np.random.default_rng(whole_number("seed", seed, at_least=0))
    epochs = [rng.permutation(m).reshape(-1, size) for _ in range(-(-steps * size // m))]
    return np.concatenate(epochs)[:steps]


def train(
    network: Network,
    stack: Parameters,
    inputs: Any,
    targets: Any,
    rates: npt.ArrayLike,
    *,
    steps: int,
    batches: npt.ArrayLike | None = None,
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd,
    watch: bool = False,
) -> Training:
    """Train every network of a stack: weights, biases, γ and β.

    With `optax.sgd` by gradient descent, W ← W − η ∇L(W). Compiled once for each network,
    optimizer, number of steps and shape of the data.

    Parameters
    ----------
    network : Network
        The architecture; it normalizes over the examples that are passed, or over each batch.
    stack : list of dict
        The n networks, as `starts` makes them.
    rates : array_like, shape (n,) or ()
        η, one for each network.
    steps : int
        Number of steps.
    batches : array_like of int, shape (steps, size), optional
        The examples each step uses; by default all.
    optimizer : callable
        Makes an Optax optimizer from a learning rate: `optax.sgd`, `optax.adam`, …
    watch : bool
        Whether to return the losses on the way. The arithmetic is then compiled otherwise, and
        last digits may differ.

    Returns
    -------
    Training
        Infinite or NaN where a training diverged: a result here, not an error.

    Raises
    ------
    ValueError
        If a shape or a number is wrong.

    See Also
    --------
    Network.loss : `inputs` and `targets`, the same for every network.
    """
    whole_number("steps", steps, at_least=1)
    x, t = _examples(network, inputs, targets)
    eta = _one_each("rates", rates, stack_size(stack))
    order = None if batches is None else np.asarray(batches)
    if order is not None and (order.dtype.kind not in "iu" or order.shape[:-1] != (steps,)):
        raise ValueError(
            f"batches: expected whole numbers of shape ({steps}, size), got {order.shape} "
            f"of {order.dtype}; use batch_order."
        )
    if order is not None and (order.min() < 0 or order.max() >= len(x)):
        raise ValueError(f"batches: the {len(x)} examples count from 0; use batch_order.")
    return Training(*_train(network, optimizer, steps, watch, stack, x, t, eta, order))


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _train(network: Network, optimizer: Any, steps: int, watch: bool, *given: Any) -> Any:
    stack, x, t, rates, order = given

    def one(start: Parameters, rate: Any) -> Any:
        rule = optimizer(rate)

        def step(carry: Any, batch: Any) -> Any:
            now, state = carry
            inputs, targets = (x, t) if batch is None else (x[batch], t[batch])
            loss, gradient = jax.value_and_grad(network.loss)(now, inputs, targets)
            update, state = rule.update(gradient, state, now)
            return (optax.apply_updates(now, update), state), loss if watch else None

        (end, _), losses = jax.lax.scan(step, (start, rule.init(start)), order, length=steps)
        return end, jnp.append(losses, network.loss(end, x, t)) if watch else None

    return jax.vmap(one)(stack, rates)


def losses(network: Network, stack: Parameters, inputs: Any, targets: Any) -> Array:
    """Return the loss of every network of a stack, over all examples, shape (n,).

    See Also
    --------
    train : `network` and `stack`, and what is refused.
    Network.loss : `inputs` and `targets`.
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


def _one_each(name: str, values: npt.ArrayLike, n: int) -> Array:
    given = real_array(name, values, shape="(...)")
    if given.shape not in ((), (n,)):
        raise ValueError(f"{name}: expected one number or {n}, got shape {given.shape}.")
    if (given <= 0).any():
        raise ValueError(f"{name}: must be positive, got {given.min():g}.")
    return np.broadcast_to(given, (n,))


def _examples(network: Network, inputs: Any, targets: Any) -> tuple[Array, Array]:
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    t = real_array("targets", targets, shape="(m, ...)")
    if len(x) != len(t):
        raise ValueError(f"targets: {len(t)} for {len(x)} inputs; give one for each.")
    return x, t
