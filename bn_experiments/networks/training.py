"""Train many networks side by side with Optax; how they predict, how far they are from W₀.

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

from bn_experiments.networks.insertion import fold
from bn_experiments.networks.network import Network, Parameters
from bn_solver.arrays import Array, real_array, whole_number


class Training(NamedTuple):
    """What `train` returns: n networks after training, and the way there.

    The losses, shape (n, steps + 1), are that of what each step uses, before it, and of all
    examples after the last.
    """

    params: Parameters
    losses: jax.Array | None


def starts(network: Network, seeds: Sequence[int], scales: npt.ArrayLike = 1.0) -> Parameters:
    """Return a stack of initial parameters, by `Network.initialize`.

    Parameters
    ----------
    seeds, scales : sequence of n ints, array_like of shape (n,) or ()
        Of each network of the stack, the seed and the factor of all weights.

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
    arrays = jax.tree.map(np.asarray, stack)  # JAX would compile a slice for every index
    n = stack_size(stack)
    return [jax.tree.map(lambda each, i=i: jnp.asarray(each[i]), arrays) for i in range(n)]


def batch_order(m: int, size: int, steps: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which examples each step of mini-batch training uses, shape (steps, size).

    Parameters
    ----------
    m, size, steps, seed : int
        Numbers of examples, of examples in a batch, and of steps. The size must divide m, so
        that every epoch uses each example once, in a new order.

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
    network, stack : Network, list of dict
        The architecture, which normalizes over the examples that are passed, or over each batch;
        the n networks, as `starts` makes them.
    rates, steps : array_like of shape (n,) or (), int
        η, one for each network, and the number of steps.
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
    return _of_each(Network.loss, network, stack, *_examples(network, inputs, targets))


def _of_each(function: Any, network: Network, stack: Parameters, *shared: Any) -> Array:
    stack_size(stack)
    return np.asarray(_mapped(function, network, stack, *shared))


@partial(jax.jit, static_argnums=(0, 1))
def _mapped(function: Any, network: Network, stack: Parameters, *shared: Any) -> Any:
    return jax.vmap(lambda params: function(network, params, *shared))(stack)


def accuracies(
    network: Network, stack: Parameters, inputs: Any, labels: Any, reference: Any
) -> Array:
    """Return the share of examples whose largest output is that of their class.

    Parameters
    ----------
    inputs, labels : array_like of shape (m, d), array_like of int of shape (m,)
        Inputs, predicted one at a time and not normalized together, and their classes.
    reference : array_like, shape (r, d)
        The training inputs; batch norm takes its moments from them (`fold`).

    Returns
    -------
    ndarray, shape (n,)
        Where the outputs are not finite, no example counts as right.

    See Also
    --------
    train : `network` and `stack`, and what is refused.
    """
    x = real_array("inputs", inputs, shape="(m, d)", last=network.widths[0])
    r = real_array("reference", reference, shape="(r, d)", last=network.widths[0])
    classes = np.asarray(labels)
    if classes.shape != (len(x),) or classes.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {len(x)} whole numbers, one for each example.")
    return _of_each(_accuracy, network, stack, x, classes, r)


def _accuracy(network: Network, params: Parameters, x: Any, labels: Any, r: Any) -> Any:
    plain, of_plain = fold(network, params, r)
    outputs = plain.forward(of_plain, x)
    right = (outputs.argmax(axis=1) == labels) & jnp.isfinite(outputs).all(axis=1)
    return right.astype(float).mean()  # the mean of booleans would be float32


class Travel(NamedTuple):
    """How far the weights of every network of a stack have moved, shape (n,) each."""

    distance_from_start: Array
    """‖W − W₀‖ / ‖W₀‖, all weight matrices taken as one vector, without biases, γ and β."""
    modulo_scale: Array
    """To the nearest W with the same outputs: weights into units whose norm scales, times k > 0."""
    hidden_modulo_scale: Array
    """For the hidden layers alone, with that freedom for every unit: how far directions turned."""
    angle: Array
    """Between the incoming weights of a hidden unit then and now, in radians; mean over units."""


def travel(network: Network, start: Parameters, stack: Parameters) -> Travel:
    """Return how far the weights have moved, with and without the freedom of scale.

    At ε > 0 the freedom is an approximation.

    Parameters
    ----------
    start, stack : list of dict
        The stack at the start, and now.

    See Also
    --------
    train : stacks. Those of two shapes are refused, and networks without hidden layer.
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
