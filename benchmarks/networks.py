"""Many networks trained side by side, against one by one; the check of one inserted layer.

Both sides run the same compiled training: what is compared is the batching.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from benchmarks.measure import Array, Case, Row, agree, alternate
from bn_experiments.networks import Network, check_insertion, starts, train
from bnlib import BatchNorm

_RATE = 0.05
_WHY = (
    "in what XLA makes of many networks, small stacked matrix products take most of the time, and "
    "not the hyperbolic tangents (the next row); the compiler is taken as it is, and to write the "
    "products by hand would change the last digits of the stored results"
)


def rows(n: int, steps: int, repetitions: int) -> list[Row]:
    """Compare for n networks with one hidden layer of 8 units, and for one insertion."""
    network = Network((4, 8, 1), "tanh")
    x, t = _data()
    what = f"`train`, {n} networks, {steps} steps"
    side, loop = alternate(what, _one_by_one(network, n, steps, x, t), repetitions)
    found = [Row(what, "compiled, one by one", side, loop, speedup=3.0, faster=True, why=_WHY)]
    side, floor = alternate(f"{what}, tanh", _tanh_alone(network, n, steps, x, t), repetitions)
    found.append(Row(what, "their tanh alone, compiled", side, floor))
    what = "`check_insertion`, one layer"
    check, slope = alternate(what, _insertion(network, x, t), repetitions)
    found.append(Row(what, "`jax.grad` alone", check, slope))
    return found


def _data() -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    x = rng.normal(0.5, 1.0, (100, 4))
    return x, np.sin(x.sum(axis=1))


def _one_by_one(network: Network, n: int, steps: int, x: Array, t: Array) -> Iterator[Case]:
    stack = starts(network, range(n))

    def losses(size: int) -> Array:
        """Return the losses of all networks on the way, trained `size` at a time."""
        found = []
        for begin in range(0, n, size):
            part: Any = jax.tree.map(lambda each, at=begin: each[at : at + size], stack)
            run = train(network, part, x, t, _RATE, steps=steps, watch=True)
            found.append(np.asarray(run.losses))
        return np.concatenate(found)

    yield Case(
        lambda: losses(n), lambda: losses(1), lambda: agree("losses", losses(n), losses(1), 1e-8, 1)
    )


def _tanh_alone(network: Network, n: int, steps: int, x: Array, t: Array) -> Iterator[Case]:
    """Compute as many hyperbolic tangents as the training does, n networks at a time."""
    stack = starts(network, range(n))
    numbers = np.random.default_rng(3).normal(size=(n, len(x), network.widths[1]))

    @jax.jit
    def alone(values: Any) -> Any:
        return jax.lax.fori_loop(0, steps, lambda _, y: jax.numpy.tanh(y + values), values)

    def check() -> None:
        expected = numbers
        for _ in range(steps):
            expected = np.tanh(expected + numbers)
        agree("tanh", np.asarray(alone(numbers)), expected, 1e-9, 1)

    yield Case(
        lambda: np.asarray(train(network, stack, x, t, _RATE, steps=steps).params[0]["weights"]),
        lambda: alone(numbers).block_until_ready(),
        check,
    )


def _insertion(network: Network, x: Array, t: Array) -> Iterator[Case]:
    params, norm = network.initialize(0), BatchNorm()

    def check() -> None:
        found = check_insertion(network, params, x, t, 0, norm)
        agree("outputs", found.output_change, 0.0, 1e-12, 1)

    yield Case(
        lambda: check_insertion(network, params, x, t, 0, norm),
        lambda: np.asarray(jax.grad(network.loss)(params, x, t)[0]["weights"]),
        check,
    )
