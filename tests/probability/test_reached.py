"""Where training ends: gradient flow and gradient descent against the formula, and the lemma."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from bn_experiments.probability import check_reached, reached_optimum
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma, counterexample
from tests import oracles

STANDARD, BN = Neuron(), Neuron(normalization=BatchNorm())


def sets():
    rng = np.random.default_rng(13)
    inputs = rng.normal(1.0, 1.0, (8, 3))
    centred = inputs - inputs.mean(axis=0)
    yield "three points", counterexample()
    yield "random", LearningSet(inputs, rng.normal(size=8))
    yield "centred", LearningSet(centred, 3 + rng.normal(size=8))


def flow(data, start):
    """Follow −∇L̂ by an integrator until it stands still."""
    found = solve_ivp(
        lambda _, w: -BN.gradient(w, data), (0, 3e3), start, method="LSODA", rtol=1e-10, atol=1e-12
    )
    return found.y[:, -1]


@oracles.each(sets())
def test_gradient_flow_ends_on_the_ray_at_the_length_of_the_start(case):
    _, data = case
    (ray,) = BN.optima(data)
    for start in np.random.default_rng(1).normal(size=(2, data.d)):
        oracles.agree("end", flow(data, start), reached_optimum(start, ray), 1e-5)


def test_gradient_descent_ends_no_nearer_to_the_origin_than_it_started():
    data, w = counterexample(), np.array([[1.0, -0.4], [-0.2, 2.0]])
    begin = np.linalg.norm(w, axis=1)
    for _ in range(3000):
        w = w - 0.02 * BN.gradient(w, data)
    assert (np.linalg.norm(w, axis=1) >= begin).all()
    assert (np.abs(w @ [-3.0, 5.0]) < 1e-6).all()


@oracles.each(sets())
def test_both_sides_agree_with_the_vectors_written_out(case):
    _, data = case
    (star,), (ray,) = STANDARD.optima(data), BN.optima(data)
    starts = 2 * np.random.default_rng(2).normal(size=(4, 50, data.d))
    check = check_reached(starts, [star], [ray])
    size = np.linalg.norm(starts, axis=-1)
    gap = starts - size[..., None] * ray.direction
    oracles.agree("left", check.left, np.sum(gap**2, axis=-1), 1e-12)
    lemma = check_lemma(starts, [star], [ray])
    oracles.agree("right", check.right, lemma.right, 1e-12)
    assert (check.applies == lemma.applies).all()
    assert (check.left >= lemma.left - 1e-12).all()
    cosine = starts @ ray.direction / size
    oracles.agree("formula", check.left, 2 * size**2 * (1 - cosine), 1e-9)
    weaker = check_reached(starts, [star], [ray], weaker=True)
    oracles.agree("plain", weaker.right, np.sum((starts - star.weights) ** 2, axis=-1), 1e-12)
    assert (weaker.violated == (weaker.applies & (weaker.left > weaker.right))).all()


def test_where_the_lemma_is_true_the_reached_optimum_fails_from_every_start_off_the_ray():
    data = LearningSet([[1, 0], [-1, 2], [0, -2]], [5, 3, 7])  # centred exactly
    (star,), (ray,) = STANDARD.optima(data), BN.optima(data)
    starts = np.random.default_rng(3).normal(size=(2000, 2))
    assert not check_lemma(starts, [star], [ray]).violated.any()
    check = check_reached(starts, [star], [ray])
    assert (check.violated | check.undecided)[check.applies].all()
    assert np.count_nonzero(check.undecided) < 5  # within 1e-3 of the ray
    # By ‖W₀‖² (1 − cos ψ)², ψ the angle of W₀ and W*.
    size, along = np.linalg.norm(starts, axis=1), starts @ ray.direction
    excess = (size - along) ** 2
    oracles.agree("excess", -check.margin[check.applies], excess[check.applies], 1e-9)
    on_the_ray = check_reached(3 * ray.direction, [star], [ray])
    assert on_the_ray.undecided or not on_the_ray.violated


def test_what_does_not_fit_is_refused():
    point, ray = Point([3.0, 1.0]), Ray([5.0, 3.0])
    for optima, told in (
        (([point], [point]), "pass one Point, without kernel"),
        (([point, point], [ray]), "pass one Point, without kernel"),
        (([point], [Ray([1.0, 0.0], along=[[0.0], [1.0]])]), "has a kernel"),
    ):
        with pytest.raises(ValueError, match=told):
            check_reached([1.0, 1.0], *optima)
    assert not check_reached([-5.0, -3.0], [point], [ray]).exists
