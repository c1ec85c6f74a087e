"""Convex losses: derivatives, minima against scikit-learn and mpmath, the laws, what is refused."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, PoissonRegressor

import bnlib
from bn_experiments.probability import Gaussian, simulate
from bn_experiments.search import ConvexNeuron, convex
from bnlib import LearningSet, Ray
from tests import oracles

FAMILIES = ("logistic", "poisson")


def sample(family, seed, m=30, d=3):
    """Draw inputs off the origin, and targets for which the minimum is finite."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.5, 1.0, (m, d))
    z = x @ rng.normal(size=d) + 0.7
    t = np.clip(1 / (1 + np.exp(-z)) + rng.normal(0, 0.1, m), 0.05, 0.95)
    return LearningSet(x, t if family == "logistic" else rng.poisson(np.exp(z / 2)) + 0.5)


@given(st.sampled_from(FAMILIES), st.booleans(), st.integers(0, 999))
def test_derivatives_in_random_directions(family, bias, seed):
    data, neuron = sample(family, seed), ConvexNeuron(family, bias)
    rng = np.random.default_rng(seed)
    w, v = rng.normal(size=(2, data.d + bias)) / 2
    h = 1e-5
    slope = (neuron.loss(w + h * v, data) - neuron.loss(w - h * v, data)) / (2 * h)
    oracles.agree("gradient", neuron.gradient(w, data) @ v, slope, 1e-6, 1 + abs(float(slope)))
    turn = (neuron.gradient(w + h * v, data) - neuron.gradient(w - h * v, data)) / (2 * h)
    size = 1 + float(np.abs(turn).max())
    oracles.agree("hessian", neuron.hessian(w, data) @ v, turn, 1e-6, size)
    stack = neuron.loss(np.stack([w, v]), data)
    assert stack.shape == (2,)
    assert stack[0] == pytest.approx(float(neuron.loss(w, data)), rel=1e-14)


@oracles.each(itertools.product(FAMILIES, (False, True), range(3)))
def test_minima_are_those_of_scikit_learn(family, bias, seed):
    """For the logistic one a soft label t is an example of each class, with weights t and 1 − t."""
    data = sample(family, seed)
    if family == "poisson":
        other = PoissonRegressor(alpha=0, fit_intercept=bias, tol=1e-10, max_iter=2000)
        other.fit(data.inputs, data.targets)
    else:
        other = LogisticRegression(C=np.inf, fit_intercept=bias, tol=1e-10, max_iter=5000)
        rows, labels = np.vstack([data.inputs] * 2), np.repeat([1, 0], data.m)
        other.fit(rows, labels, sample_weight=np.concatenate([data.targets, 1 - data.targets]))
    expected = np.append(other.coef_, other.intercept_) if bias else np.ravel(other.coef_)
    oracles.agree(family, ConvexNeuron(family, bias).optimum(data).weights, expected, 1e-4)


@oracles.each([(family, bias, seed) for family in FAMILIES for bias in (0, 1) for seed in range(4)])
def test_the_true_minimum_is_within_the_bound(case):
    """Newton's method in mpmath with 40 digits, from the formulas of the docstring."""
    family, bias, seed = case
    data = sample(family, seed, m=8, d=2)
    point = ConvexNeuron(family, bool(bias)).optimum(data)
    with mp.workdps(40):
        rows = [[*map(mp.mpf, row), *[mp.mpf(1)] * bias] for row in data.inputs.tolist()]
        w = mp.matrix([mp.mpf(each) for each in point.weights.tolist()])
        for _ in range(6):
            g, h = mp.zeros(len(w), 1), mp.zeros(len(w))
            for row, t in zip(rows, data.targets.tolist(), strict=True):
                z, x = sum(a * b for a, b in zip(row, w, strict=True)), mp.matrix(row)
                mean = mp.exp(z) if family == "poisson" else 1 / (1 + mp.exp(-z))
                second = mean if family == "poisson" else mean * (1 - mean)
                g, h = g + (mean - mp.mpf(t)) * x, h + second * x * x.T
            w = w - mp.lu_solve(h, g)
        off = mp.norm(w - mp.matrix([mp.mpf(each) for each in point.weights.tolist()]))
        assert off <= point.error
    assert point.error < 1e-10


@oracles.each(FAMILIES)
def test_the_laws_of_one_point_and_one_ray_hold(family):
    """With γ > 0 and β trained the BN optima are the ray of the slope with a bias."""
    data, rng = sample(family, 5), np.random.default_rng(6)
    star = ConvexNeuron(family).optimum(data)
    ray = Ray(ConvexNeuron(family, bias=True).optimum(data).weights[:-1])
    theta = bnlib.angle(star.weights, ray.direction)
    assert theta > 0.05
    counted = simulate(Gaussian(), [star], [ray], 200_000, rng, shortcut=False)
    assert abs(counted.violated.z_score(bnlib.failure_probability(theta))) < 4


def test_what_has_no_finite_minimum_or_no_meaning_is_refused():
    x = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    for family, targets, said in (
        ("logistic", [0.0, 0.5, 0.5, 0.5], "lie strictly between 0 and 1"),
        ("logistic", [0.5, 0.5, 1.0, 0.5], "lie strictly between 0 and 1"),
        ("poisson", [1.0, 0.0, 2.0, 1.0], "be positive"),
    ):
        data = LearningSet(x, targets)
        oracles.refused(f"targets: must {said}", ConvexNeuron(family).optimum, data)
    flat = LearningSet([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]], [0.2, 0.5, 0.4, 0.6])
    constant = LearningSet([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0]], flat.targets)
    for data, bias in ((flat, False), (constant, True)):
        oracles.refused("inputs: nearly collinear", ConvexNeuron("logistic", bias).optimum, data)
    oracles.refused("family: 'probit' is unknown", ConvexNeuron, "probit")
    wrong = r"weights: expected shape \(\.\.\., d\)"
    oracles.refused(wrong, ConvexNeuron("logistic").loss, [1.0], constant)
    huge = constant.with_targets([1.0, 1, 1, 1])
    oracles.refused("loss", ConvexNeuron("poisson").loss, [1e4, 1e4], huge)


@oracles.each(
    {
        "mean of the logistic": ("logistic", {"mean": lambda z: np.tanh(z)}),
        "no factor t in the loss": ("poisson", {"potential": lambda z: 2 * np.exp(z)}),
        "variance": ("logistic", {"variance": lambda z: convex.FAMILIES["logistic"].mean(z)}),
    }
)
def test_a_wrong_family_is_noticed(family, wrong):
    data, w, v = sample(family, 1), np.full(3, 0.2), np.array([1.0, -0.5, 0.3])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(convex.FAMILIES, family, convex.FAMILIES[family]._replace(**wrong))
        neuron, h = ConvexNeuron(family), 1e-5
        slope = (neuron.loss(w + h * v, data) - neuron.loss(w - h * v, data)) / (2 * h)
        turn = (neuron.gradient(w + h * v, data) - neuron.gradient(w - h * v, data)) / (2 * h)
        gaps = abs(neuron.gradient(w, data) @ v - slope), np.abs(neuron.hessian(w, data) @ v - turn)
        assert max(float(np.max(gap)) for gap in gaps) > 1e-3
