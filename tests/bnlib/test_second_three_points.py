"""What the replication chapters claim holds on other three points with the published properties.

The day the paper's own points are put into `bnlib.counterexample`, nothing else may break.
"""

import numpy as np
import sympy as sp

import bnlib
from bn_experiments import exact
from bn_experiments.datasets import stacked_optima
from bnlib import BatchNorm, LearningSet, Neuron, check_lemma
from tests import oracles

INPUTS, TARGETS = [[2, -1], [1, 3], [-2, 1]], [11, 18, -3]  # t = 4 + 5 x₁ + 3 x₂
STANDARD, BN = Neuron(), Neuron(normalization=BatchNorm())
DATA = LearningSet(INPUTS, TARGETS)
PLAIN, WITH_BN = exact.Neuron(), exact.Neuron(normalization=exact.BatchNorm())
EXACT = exact.LearningSet(INPUTS, TARGETS)


def test_it_has_the_published_properties():
    (star,), (ray,) = PLAIN.optima(EXACT), WITH_BN.optima(EXACT)
    assert tuple(ray.direction) == (5, 3)
    gradient = WITH_BN.gradient(star.weights, EXACT)
    assert not gradient.is_zero_matrix
    assert sp.simplify(gradient.dot(star.weights)) == 0  # orthogonal to W*, as it must be


def test_the_lemma_fails_at_the_standard_optimum_and_floats_agree_with_exact_numbers():
    (star,), (ray,) = PLAIN.optima(EXACT), WITH_BN.optima(EXACT)
    check = exact.check_lemma(star.weights, [star], [ray])
    assert check.applies
    assert check.exists
    assert check.right == 0 < check.left
    assert check.violated
    (point,), (line,) = STANDARD.optima(DATA), BN.optima(DATA)
    w = np.array(star.weights, dtype=float).ravel()
    slope = np.array(WITH_BN.gradient(w, EXACT), dtype=float).ravel()
    oracles.agree("W*", point.weights, w, 1e-15)
    oracles.agree("ray", line.direction, np.array([5.0, 3.0]) / np.sqrt(34), 1e-15)
    found = check_lemma(point.weights, [point], [line])
    assert found.violated
    oracles.agree("left", found.left, float(check.left), 1e-13)
    oracles.agree("gradient", BN.gradient(w, DATA), slope, 1e-12)


def test_the_minimum_is_on_the_ray_alone_and_the_laws_hold():
    turn = np.linspace(-np.pi, np.pi, 721)[:-1]
    loss = BN.loss(np.stack([np.cos(turn), np.sin(turn)], axis=-1), DATA)
    (line,) = BN.optima(DATA)
    best = float(np.arctan2(*line.direction[::-1]))
    falling = np.diff(loss) < 0
    assert abs(turn[loss.argmin()] - best) <= turn[1] - turn[0]
    assert np.count_nonzero(falling[1:] != falling[:-1]) <= 2  # one minimum and one maximum
    (point,) = STANDARD.optima(DATA)
    theta = bnlib.angle(point.weights, line.direction)
    check = check_lemma(np.random.default_rng(5).normal(size=(400_000, 2)), [point], [line])
    n = np.count_nonzero(check.applies)
    for reading, share in check.failure_rate._asdict().items():
        assert abs(share - bnlib.failure_probability(theta, reading)) < 2 / np.sqrt(n), reading
    excess = -check.margin[check.applies]
    assert abs(excess.mean() - bnlib.mean_excess(theta)) < 4 * excess.std() / np.sqrt(n)


def test_the_missing_intercept_explains_the_difference():
    found = stacked_optima(INPUTS, TARGETS)
    assert found.intercepts == 4.0
    s = np.linalg.solve(DATA.input_covariance, DATA.mean_input)
    q = DATA.mean_input @ s
    oracles.agree("W*", found.stars, found.slopes + s * 4 / (1 + q), 1e-13)
