"""Evaluation with running averages: its optimum by blind minimisation and by the formulas."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

import bnlib
from bn_experiments.variants import evaluated_optima, running_averages, trained_parameters
from bnlib import BatchNorm, LearningSet, Neuron
from tests import oracles
from tests.oracles import certificates


def evaluated(*arguments, **options):
    (point,) = evaluated_optima(*arguments, **options)
    return point.weights


@given(oracles.well_conditioned(3), st.integers(0, 1000))
def test_the_optimum_is_that_of_the_affine_answers(data, seed):
    rng = np.random.default_rng(seed)
    at, factor, epsilon = rng.normal(size=data.d), rng.uniform(0.5, 2), rng.choice([1e-5, 0.7])
    gamma, beta = rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 1), rng.normal()
    norm = BatchNorm(gamma=gamma, beta=beta, epsilon=epsilon)
    y = data.inputs @ at
    divisor = np.sqrt(factor**2 * np.var(y) + epsilon)
    design, rest = gamma * data.inputs / divisor, gamma * y.mean() / divisor - beta
    found = optimize.lsq_linear(design, data.targets + rest).x
    size = max(1.0, float(np.abs(found).max()))
    oracles.agree("optimum", evaluated(data, at, norm, factor=factor), found, 1e-7, size)


@given(oracles.well_conditioned(3, 2), st.floats(0.05, 20.0), st.floats(0.3, 3.0))
def test_the_three_cases_of_the_proposition(data, k, factor):
    u, trained = trained_parameters(data)
    mean = float(data.mean_input @ u)
    (star,) = Neuron().optima(data)
    n = np.linalg.solve(data.inputs.T @ data.inputs / data.m, data.mean_input)
    size = k * float(np.abs(np.concatenate([u, mean * n, trained.gamma * star.weights])).max())
    oracles.agree("1", evaluated(data, k * u, trained), k * u, 1e-8, size)
    plain = k * (trained.gamma * star.weights + mean * n)
    oracles.agree("2", evaluated(data, k * u), plain, 1e-8, size)
    other = k * (factor * u - (factor - 1) * mean * n)
    oracles.agree("3", evaluated(data, k * u, trained, factor=factor), other, 1e-8, 3 * size)


@given(oracles.well_conditioned(3, 2))
def test_trained_parameters_answer_as_least_squares_with_intercept(data):
    u, trained = trained_parameters(data)
    design = np.column_stack([data.inputs, np.ones(data.m)])
    fit = np.linalg.lstsq(design, data.targets, rcond=None)[0]
    oracles.agree("slope", u, fit[:-1], 1e-8)
    answers = Neuron(normalization=trained).output(u, data)
    oracles.agree("answers", answers, design @ fit, 1e-8, float(np.abs(data.targets).max()))
    assert trained == BatchNorm(gamma=trained.gamma, beta=trained.beta)  # ε = 0, both halves


def compare_error(seed):
    """Compare the error with the distance from the optimum for the exact averages."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 4))
    x = rng.normal(size=(d + 4, d)) * 10 ** rng.uniform(-5, 5, d)
    x += seed % 2 * 10 ** rng.uniform(0, 6) * np.abs(x).max(axis=0)
    data = LearningSet(x, rng.normal(size=d + 4) + seed % 5 * 1e3)
    at, factor = rng.normal(size=d) / np.abs(x).max(axis=0), rng.uniform(0.5, 2)
    gamma, beta = rng.normal(), rng.normal() * 10 ** rng.uniform(-2, 3)
    norm = BatchNorm(gamma=gamma, beta=beta, epsilon=rng.choice([0, 1e-5, 0.7]))
    (point,) = evaluated_optima(data, at, norm, factor=factor)
    with certificates.digits():
        columns, y = mp.matrix(x.tolist()), mp.matrix(x.tolist()) * mp.matrix(at.tolist())
        mean = mp.fsum(y) / len(y)
        variance = mp.fsum((each - mean) ** 2 for each in y) / len(y)
        spread = mp.sqrt(mp.mpf(factor) ** 2 * variance + mp.mpf(norm.epsilon))
        shifted = [mp.mpf(t) - mp.mpf(norm.beta) for t in data.targets.tolist()]
        targets = mp.matrix([mean + spread * t / mp.mpf(norm.gamma) for t in shifted])
        star = mp.lu_solve(columns.T * columns, columns.T * targets)
        away = float(mp.norm(star - mp.matrix(point.weights.tolist())))
    if away > point.error:
        raise oracles.Disagreement(f"error: {away} away, more than {point.error}")
    return point.error / float(np.linalg.norm(point.weights))


def test_the_optimum_is_as_close_to_the_true_one_as_it_says(monkeypatch):
    assert np.median([compare_error(seed) for seed in range(100)]) < 1e-12
    # Without what rounding does to the targets.
    monkeypatch.setattr(running_averages, "_rounding", lambda data, *_: np.zeros_like(data.targets))
    with pytest.raises(oracles.Disagreement, match="more than"):
        [compare_error(seed) for seed in range(20)]


def test_averages_without_an_optimum_are_refused():
    norms = BatchNorm(gamma=0.0), BatchNorm(center=False), BatchNorm(scale=False)
    for at, norm in (([1.0, 2.0, 3.0], None), ([0.0, 0.0], None), *(([1, 2], n) for n in norms)):
        oracles.refused(r"^(at|norm): ", evaluated_optima, bnlib.counterexample(), at, norm)
    # With ε > 0 no spread is needed: z = y here, and the optimum is W* itself.
    at_zero = evaluated(bnlib.counterexample(), [0.0, 0.0], BatchNorm(epsilon=1.0))
    assert at_zero == pytest.approx([3.0, 1.0], rel=1e-12)
