"""Curvature and steps along the gradient, against closed forms, NumPy and finite differences."""

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from bn_experiments.networks import Network, curvature
from bnlib import BatchNorm
from tests.oracles import refused

RNG = np.random.default_rng(8)
X = RNG.normal(0.3, 1.0, (15, 4))
T = RNG.normal(size=(15, 2))
LINEAR = Network((4, 2), "identity", objective="squared")
NORMS = {"none": None, "full": BatchNorm(), "centre": BatchNorm(scale=False)}


def deep(norm):
    return Network((4, 3, 3, 2), "tanh", objective="squared", normalization=NORMS[norm])


def quadratic():
    """Return the Hessian of the linear network, and its gradient, for the columns of (W; b)."""
    extended = np.column_stack([X, np.ones(len(X))])
    params = LINEAR.initialize(3)
    w = np.vstack([params[0]["weights"], params[0]["bias"]])
    return 2 * extended.T @ extended / len(X), 2 * extended.T @ (extended @ w - T) / len(X)


def compare_spectrum():
    hessian, _ = quadratic()
    expected = np.sort(np.repeat(np.linalg.eigvalsh(hessian), 2))
    found = curvature.spectrum(LINEAR, LINEAR.initialize(3), X, T)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def compare_along():
    hessian, g = quadratic()
    eta, params = np.array([0.05, 0.2, 0.7]), LINEAR.initialize(3)
    found = curvature.along_gradient(LINEAR, params, X, T, eta)
    size, bent = np.sum(g**2), hessian @ g
    first = float(LINEAR.loss(params, X, T))
    expected = first - eta * size + eta**2 / 2 * np.sum(g * bent)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-11)
    np.testing.assert_allclose(found.gradient_changes, eta * np.linalg.norm(bent), rtol=1e-10)
    np.testing.assert_allclose(found.gradient_norm, np.sqrt(size), rtol=1e-12)
    np.testing.assert_allclose(found.smoothness, np.linalg.norm(bent) / size**0.5, rtol=1e-10)


def test_on_a_quadratic_spectrum_and_steps_are_the_closed_form():
    compare_spectrum()
    compare_along()


@pytest.mark.parametrize("norm", NORMS)
def test_spectrum_is_that_of_differences_of_the_gradient_and_lanczos_finds_its_top(norm):
    net = deep(norm)
    params = net.initialize(1)
    vector, unravel = ravel_pytree(params)
    h, steps = 1e-5, np.eye(vector.size)
    gradient = jax.vmap(jax.grad(lambda v: net.loss(unravel(v), X, T)))
    ends = jax.jit(gradient)(np.concatenate([vector + h * steps, vector - h * steps]))
    rows = np.asarray(ends[: vector.size] - ends[vector.size :]) / (2 * h)
    expected = np.linalg.eigvalsh((rows + rows.T) / 2)
    found = curvature.spectrum(net, params, X, T)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())
    top = curvature.largest_eigenvalue(net, params, X, T)
    np.testing.assert_allclose(top, found[-1], rtol=1e-7)


def test_curvature_of_normalized_weights_falls_with_their_square():
    # L(kw) = L(w): every weight normalized, so ∇²L(kW) = ∇²L(W) / k² in the weights alone.
    net = Network((4, 3, 2), "tanh", objective="squared", normalization=(BatchNorm(),) * 2)
    weights = [{"weights": each["weights"]} for each in net.initialize(0)]
    longer = [{"weights": 3 * each["weights"]} for each in weights]
    one, three = (curvature.spectrum(net, each, X, T) for each in (weights, longer))
    np.testing.assert_allclose(three, one / 9, atol=1e-12 * np.abs(one).max())


def test_steps_of_many_networks_may_be_mapped():
    net = deep("full")
    stack = jax.tree.map(lambda *each: np.stack(each), *map(net.initialize, range(3)))

    def measure(params):
        return curvature.along_gradient(net, params, X, T, [0.1, 0.5])

    found = jax.jit(jax.vmap(measure))(stack)
    alone = jax.jit(measure)(net.initialize(1))
    for many, one in zip(found, alone, strict=True):
        np.testing.assert_allclose(many[1], one, rtol=1e-10)


class Sum(Network):
    """A network whose loss is a sum over the examples, not a mean."""

    def loss(self, *given):
        return 15 * super().loss(*given)


def test_a_sum_for_a_mean_is_caught(monkeypatch):
    monkeypatch.setitem(globals(), "LINEAR", Sum((4, 2), "identity"))
    for compare in (compare_spectrum, compare_along):
        with pytest.raises(AssertionError):
            compare()


PLANTS = [
    lambda r: r._replace(smoothness=r.gradient_changes.max()),  # not over the distance
    lambda r: r._replace(gradient_changes=r.gradient_changes**2),
    lambda r: r._replace(smoothness=r.gradient_changes[0] / r.gradient_norm),  # of one step only
    lambda r: r._replace(losses=r.losses * 0 + r.losses[0]),  # before the step
]


def test_a_wrong_measure_is_caught(monkeypatch):
    right = curvature.along_gradient
    for wrong in PLANTS:
        monkeypatch.setattr(curvature, "along_gradient", lambda *a, w=wrong: w(right(*a)))
        with pytest.raises(AssertionError):
            compare_along()


NET = deep("full")
PARAMS = NET.initialize(0)
ONES = np.ones((5, 4))  # every unit is constant over the examples
BAD = [
    (lambda: curvature.along_gradient(NET, PARAMS, X, T, [0.0]), "steps: need at least one, all"),
    (lambda: curvature.along_gradient(NET, PARAMS, X, T, []), "steps: need at least one, all"),
    (lambda: curvature.spectrum(NET, PARAMS, X[:, :2], T), "inputs: expected shape"),
    (lambda: curvature.spectrum(NET, PARAMS, X, T[:3]), "targets: expected shape"),
    (lambda: curvature.spectrum(NET, PARAMS, ONES, T[:5]), "params: entry"),
    (lambda: curvature.largest_eigenvalue(NET, PARAMS, ONES, T[:5]), "params: entry"),
]


def test_bad_input_is_refused():
    for call, message in BAD:
        refused(f"^{message}", call)
