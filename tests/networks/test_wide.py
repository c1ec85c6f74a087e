"""Linear networks with as many hidden units as inputs: every start is an optimum."""

import jax
import numpy as np
import pytest

from bn_experiments.networks import Network
from bnlib import BatchNorm

NORMS = {"plain": None, "batch norm": BatchNorm()}


def best(norm, d, h, seed):
    """Return loss, largest derivative and data: hidden weights random, the outer ones the best."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(0.7, 1.0, (12, d)), rng.normal(1.0, 1.0, 12)
    weights = rng.normal(size=(d, h))
    hidden = x @ weights if norm is None else norm.forward((x @ weights).T).T
    outer = np.linalg.lstsq(hidden, t, rcond=None)[0]
    net = Network((d, h, 1), "identity", False, normalization=(norm, None))
    params = net.initialize(seed)  # γ = 1, β = 0

    def loss(both):
        layers = [{**params[0], "weights": both[0]}, {**params[1], "weights": both[1]}]
        return net.loss(layers, x, t)

    value, gradient = jax.value_and_grad(loss)([weights, outer[:, None]])
    return float(value), max(float(abs(each).max()) for each in gradient), x, t


def smallest(norm, x, t):
    """Return the smallest loss of any linear function of what the hidden layer sees."""
    seen = x if norm is None else x - x.mean(axis=0)
    return float(((seen @ np.linalg.lstsq(seen, t, rcond=None)[0] - t) ** 2).mean())


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(("d", "h"), [(2, 2), (2, 3), (3, 3), (4, 6)])
def test_any_hidden_weights_that_span_are_those_of_a_minimum(name, d, h):
    for seed in range(3):
        value, derivative, x, t = best(NORMS[name], d, h, seed)
        assert value == pytest.approx(smallest(NORMS[name], x, t), rel=1e-9)
        assert derivative < 1e-9


@pytest.mark.parametrize("name", NORMS)
def test_fewer_units_are_not_enough(name):
    for seed in range(3):
        value, derivative, x, t = best(NORMS[name], 3, 2, seed)
        assert value > 1.01 * smallest(NORMS[name], x, t)
        assert derivative > 1e-3
