"""Many networks trained side by side, against one by one; the check of one inserted layer.

Both sides run the same compiled descent: what is compared is the batching. Where PyTorch is
installed, the same descent is also written with it, one network after the other.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from benchmarks.measure import Array, Case, Row, agree, alternate
from bn_experiments.networks.descent import initialize_many, train_many
from bn_experiments.networks.insertion import check_insertion
from bn_experiments.networks.network import Network, Parameters
from bnlib import BatchNorm

_RATE = 0.05


def rows(n: int, steps: int, repetitions: int) -> list[Row]:
    """Compare for n networks with one hidden layer of 8 units, and for one insertion."""
    network = Network((4, 8, 1), "tanh")
    x, t = _data()
    what = f"`train_many`, {n} networks, {steps} steps"
    side, loop = alternate(what, _one_by_one(network, n, steps, x, t), repetitions)
    found = [Row(what, "compiled, one by one", side, loop, faster=True)]
    if importlib.util.find_spec("torch") is not None:
        side, loop = alternate(what, _with_torch(network, n, steps, x, t), repetitions)
        found.append(Row(what, "PyTorch, one by one", side, loop, faster=True))
    what = "`check_insertion`, one layer"
    check, slope = alternate(what, _insertion(network, x, t), repetitions)
    found.append(Row(what, "`jax.grad` alone", check, slope))
    return found


def _data() -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    x = rng.normal(0.5, 1.0, (100, 4))
    return x, np.sin(x.sum(axis=1))


def _train(
    network: Network, params: Parameters, x: Array, t: Array, steps: int, size: int
) -> list[Array]:
    """Return the losses of all networks, trained `size` at a time."""
    n, losses = len(params[0]["weights"]), []
    for begin in range(0, n, size):
        part: Any = jax.tree.map(lambda each, at=begin: each[at : at + size], params)
        run = train_many(network, part, x, t, learning_rates=_RATE, steps=steps)
        losses.append(np.asarray(run.losses))
    return losses


def _one_by_one(network: Network, n: int, steps: int, x: Array, t: Array) -> Iterator[Case]:
    params = initialize_many(network, 0, n)

    def check() -> None:
        together = _train(network, params, x, t, steps, n)[0]
        agree("losses", together, np.concatenate(_train(network, params, x, t, steps, 1)), 1e-8, 1)

    yield Case(
        lambda: _train(network, params, x, t, steps, n),
        lambda: _train(network, params, x, t, steps, 1),
        check,
    )


def _with_torch(network: Network, n: int, steps: int, x: Array, t: Array) -> Iterator[Case]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    params = initialize_many(network, 0, n)
    inputs, targets = torch.tensor(x), torch.tensor(t)[:, None]

    def loop() -> Array:
        ends = []
        for i in range(n):
            layers = [
                {
                    key: torch.tensor(np.asarray(each[i]), requires_grad=True)
                    for key, each in of_layer.items()
                }
                for of_layer in params
            ]
            every = [each for of_layer in layers for each in of_layer.values()]
            rule = torch.optim.SGD(every, lr=_RATE)
            for _ in range(steps + 1):
                hidden = torch.tanh(inputs @ layers[0]["weights"] + layers[0]["bias"])
                outputs = hidden @ layers[1]["weights"] + layers[1]["bias"]
                loss = ((outputs - targets) ** 2).mean()
                rule.zero_grad()
                loss.backward()
                rule.step()
            ends.append(loss.item())
        return np.array(ends)

    def check() -> None:
        agree("losses", _train(network, params, x, t, steps, n)[0][:, -1], loop(), 1e-8, 1)

    yield Case(lambda: _train(network, params, x, t, steps, n), loop, check)


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
