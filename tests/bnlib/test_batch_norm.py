"""Batch normalization: the formula, its first and its second derivative."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnlib import BatchNorm, Neuron
from tests import oracles

VARIANTS = {
    "full": BatchNorm(),
    "affine": BatchNorm(gamma=-1.5, beta=0.4),
    "scale": BatchNorm(center=False, gamma=2.0),
    "centre": BatchNorm(scale=False, gamma=2.0, beta=1.0),
    "epsilon": BatchNorm(gamma=0.5, epsilon=0.3),
    "scale-epsilon": BatchNorm(center=False, epsilon=2.0),
    "nothing": BatchNorm(center=False, scale=False),
}
every_variant = oracles.each(VARIANTS)


def written_out(norm, y):
    """Return z with the formula of the paper, for one row of pre-activations."""
    mu = sum(y) / len(y) if norm.center else 0.0
    variance = sum((each - mu) ** 2 for each in y) / len(y)
    root = (variance + norm.epsilon) ** 0.5 if norm.scale else 1.0
    return np.array([norm.gamma * (each - mu) / root + norm.beta for each in y])


@every_variant
def test_it_is_the_printed_formula_row_by_row_with_the_derivatives_of_jax(norm):
    y = np.random.default_rng(1).normal(1.0, 2.0, (2, 3, 5))
    z = norm.forward(y)
    assert z.shape == y.shape
    for index in np.ndindex(2, 3):
        oracles.agree("z", z[index], written_out(norm, y[index]), 1e-14)
    oracles.compare_batch_norm_with_jax(norm, seed=3)


@every_variant
def test_leading_axes_broadcast(norm):
    rng = np.random.default_rng(4)
    y, v = rng.normal(size=(3, 1, 5)), rng.normal(size=(4, 5))
    product, bent = norm.derivative(y, v), norm.second_derivative(y, v, v, y)
    assert (product.shape, bent.shape) == ((3, 4, 5), (3, 4))
    for k in range(4):
        each = [*[y[0, 0]] * k, y, *[y[0, 0]] * (3 - k)]
        assert norm.second_derivative(*each).shape == (3, 1)
    for i, j in np.ndindex(3, 4):
        oracles.agree("J v", product[i, j], norm.derivative(y[i, 0], v[j]), 1e-13)
        one = norm.second_derivative(y[i, 0], v[j], v[j], y[i, 0])
        oracles.agree("D²z", bent[i, j], one, 1e-12, float(np.abs(v[j] ** 2).sum()))


@given(st.integers(0, 10**6), st.sampled_from([1e-150, 1e-30, 1e30, 1e150]))
def test_units_cancel_where_epsilon_is_zero(seed, size):
    y = np.random.default_rng(seed).normal(size=5)
    for norm in (BatchNorm(), BatchNorm(center=False), BatchNorm(gamma=-2.0, beta=0.5)):
        for row in norm.forward([size * y, y, y / size]):
            oracles.agree("z", row, norm.forward(y), 1e-12)
        oracles.agree("flip", norm.forward(-y) - norm.beta, norm.beta - norm.forward(y), 1e-13)


@given(st.integers(0, 10**6), st.floats(-1e6, 1e6))
def test_centring_removes_every_shift(seed, shift):
    y = np.random.default_rng(seed).normal(size=5)
    for norm in (BatchNorm(), BatchNorm(epsilon=0.1), BatchNorm(scale=False)):
        oracles.agree("z", norm.forward(y + shift), norm.forward(y), 1e-8)


def test_epsilon_is_inside_the_root():
    # y = ±2: σ² = 4; with ε = 5 the divisor is √9.
    oracles.agree("z", BatchNorm(epsilon=5.0).forward([-2, 2]), [-2 / 3, 2 / 3], 1e-15)
    assert not BatchNorm(epsilon=1e-300).forward([3.0, 3.0, 3.0]).any()


@given(st.integers(2, 30), st.floats(-1e150, 1e150))
def test_constant_preactivations_are_refused_whatever_their_value(m, value):
    oracles.refused("constant over the examples", lambda: BatchNorm().forward(np.full(m, value)))


def test_it_is_a_value():
    norm = BatchNorm(gamma=np.float32(0.5), center=np.bool_(True))
    assert norm == BatchNorm(gamma=0.5)
    assert repr(Neuron("tanh", norm)) == f"Neuron(activation='tanh', normalization={norm})"
    assert repr(norm) == "BatchNorm(gamma=0.5)"
    assert Neuron(bias=np.bool_(True)).bias is True
    assert hash(norm) == hash(BatchNorm(gamma=0.5))
    assert pickle.loads(pickle.dumps(norm)) == norm
    assert (type(norm.gamma), type(norm.center)) == (float, bool)
    with pytest.raises(AttributeError):
        norm.gamma = 2.0
