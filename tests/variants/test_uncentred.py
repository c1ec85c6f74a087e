"""Scales without centring: derivatives, rays, and exactly when W* is stationary or a minimum."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnlib
from bn_experiments.variants import UncentredNeuron
from bnlib import BatchNorm, LearningSet, Neuron
from tests import oracles
from tests.search.test_errors import badly_scaled, compare_turns

DIVISORS = ("rms", "std", "weights")
divisors = st.sampled_from(DIVISORS)


def of(divisor, data, w):
    """Return N(w), by its name."""
    y = data.inputs @ w
    values = {"rms": np.sqrt(np.mean(y**2)), "std": np.std(y), "weights": np.linalg.norm(w)}
    return float(values[divisor])


def least_squares(data):
    return np.asarray(np.linalg.lstsq(data.inputs, data.targets, rcond=None)[0], dtype=float)


@given(divisors, oracles.well_conditioned(3), st.floats(0.1, 5), st.integers(0, 99))
def test_loss_and_gradient(divisor, data, gamma, seed):
    w = np.random.default_rng(seed).normal(size=data.d)
    neuron = UncentredNeuron(divisor, gamma)

    def loss(v):
        z = gamma * data.inputs @ v / of(divisor, data, v)
        return float(np.mean((z - data.targets) ** 2))

    size = loss(w) + gamma**2
    oracles.agree("loss", neuron.loss(w, data), loss(w), 1e-12, size)
    h = 1e-6 * np.linalg.norm(w)
    slopes = [(loss(w + h * v) - loss(w - h * v)) / (2 * h) for v in np.eye(data.d)]
    steep = size / np.linalg.norm(w) * max(1.0, (np.abs(data.inputs).max() / loss_unit(data)) ** 2)
    oracles.agree("gradient", neuron.gradient(w, data), slopes, 1e-6, steep)
    assert abs(neuron.gradient(w, data) @ w) < 1e-11 * steep * np.linalg.norm(w)
    oracles.agree("scale", neuron.loss(8 * w, data), neuron.loss(w, data), 1e-14, size)


def loss_unit(data):
    """Return the smallest standard deviation of y over all unit vectors, or 1 if it is less."""
    return max(float(np.linalg.eigvalsh(data.input_covariance)[0]) ** 0.5, 1e-3)


def test_rms_is_batch_norm_without_its_centre():
    data, w = oracles.normal_set(3, m=6, d=2), np.random.default_rng(1).normal(size=(5, 2))
    ours = UncentredNeuron("rms", 1.7)
    theirs = Neuron(normalization=BatchNorm(center=False, gamma=1.7))
    oracles.agree("loss", ours.loss(w, data), theirs.loss(w, data), 1e-14)
    oracles.agree("gradient", ours.gradient(w, data), theirs.gradient(w, data), 1e-13)
    (found,), (ray,) = ours.optima(data), theirs.optima(data)
    assert np.linalg.norm(found.direction - ray.direction) <= found.error + ray.error


@oracles.each(DIVISORS)
def test_rays_have_a_minimum_within_their_error(divisor):
    rng, errors = np.random.default_rng(5), []
    for seed in range(8):
        data = badly_scaled(oracles.normal_set(seed, m=6, d=2), rng)
        x = [[mp.mpf(v) for v in row] for row in data.inputs.tolist()]
        t = [mp.mpf(v) for v in data.targets.tolist()]

        def loss(w, x=x, t=t):
            y = [mp.fdot(row, w) for row in x]
            mean = mp.fsum(y) / len(y) if divisor == "std" else 0
            squares = mp.fsum((v - mean) ** 2 for v in y) / len(y)
            size = mp.sqrt(mp.fdot(w, w) if divisor == "weights" else squares)
            return mp.fsum((mp.mpf(1.5) * a / size - b) ** 2 for a, b in zip(y, t, strict=True))

        errors += [compare_turns(loss, ray) for ray in UncentredNeuron(divisor, 1.5).optima(data)]
    assert len(errors) >= 8
    assert np.median(errors) < 1e-9


def special(name, seed, d=4):
    """Return a learning set whose W* has a property, by its name; any set for another name."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(0.8, 1.0, (d + 4, d))
    moment, mean = inputs.T @ inputs / len(inputs), inputs.mean(axis=0)
    star = rng.normal(size=d)
    if name == "mean output 0":
        star -= mean * (mean @ star) / (mean @ mean)
    elif name == "x̄ parallel to Xᵀt":
        star = np.linalg.solve(moment, mean)
    elif name == "eigenvector":
        star = np.linalg.eigh(moment)[1][:, -1]
    error = rng.normal(size=len(inputs))
    error -= inputs @ np.linalg.lstsq(inputs, error, rcond=None)[0]
    return LearningSet(inputs, inputs @ (star * rng.uniform(0.5, 2)) + error)


def parallel(a, b):
    return abs(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) - 1) < 1e-12


def predicted(divisor, data, gamma, planted=""):
    """Return whether W* is stationary, and whether it is a minimum, as the book states it."""
    star, mean = least_squares(data), data.mean_input
    moment = data.inputs.T @ data.inputs / data.m
    size, tiny = of(divisor, data, star), 1e-9
    fits = abs(gamma / size - 1) < tiny
    if divisor == "rms" or (fits and planted != "no fit"):
        return True, True
    if divisor == "weights":
        if not parallel(moment @ star, star):
            return False, False
        value = star @ moment @ star / (star @ star)
        length = 1.0 if planted == "no length" else size
        bends = gamma * (np.linalg.eigvalsh(moment) - value) + length * value
        return True, bool((bends >= -tiny).all())
    if abs(mean @ star) < tiny:
        return True, True
    if not parallel(mean, moment @ star):
        return False, False
    q = mean @ np.linalg.solve(data.input_covariance, mean)
    return True, bool(gamma <= size * (1 if planted == "no mean" else 1 + 1 / q) * (1 + tiny))


def observed(divisor, data, gamma):
    """Return the same from the gradient at W* and from the loss at many points around it."""
    neuron, star = UncentredNeuron(divisor, gamma), least_squares(data)
    scale = float(neuron.loss(star, data)) / np.linalg.norm(star)
    slope = float(np.linalg.norm(neuron.gradient(star, data)))
    around = np.random.default_rng(0).normal(size=(20_000, data.d))
    around *= 0.02 * np.linalg.norm(star) / np.linalg.norm(around, axis=1, keepdims=True)
    rise = neuron.loss(star + around, data) - neuron.loss(star, data)
    return slope < 1e-10 * scale, bool(rise.min() > -1e-12 * scale)


def edges(divisor, data):
    """Return values of γ: that of W* itself, a small one, and both sides of the last minimum."""
    star, mean = least_squares(data), data.mean_input
    size, values = of(divisor, data, star), [0.5, 1.5]
    if divisor == "std":
        q = mean @ np.linalg.solve(data.input_covariance, mean)
        values += [(1 + 1 / q) * each for each in (0.9, 1.1)]
    if divisor == "weights":
        moment = data.inputs.T @ data.inputs / data.m
        value = star @ moment @ star / (star @ star)
        gap = value - np.linalg.eigvalsh(moment)[0]
        values += [value / gap * each for each in (0.9, 1.1)]
    return [size * each for each in (1.0, *values)]


def compare_conditions(planted=""):
    """Compare what is stated with what is seen; return the different answers."""
    answers = set()
    for name in ("mean output 0", "x̄ parallel to Xᵀt", "eigenvector", "nothing special"):
        for divisor, seed in ((a, b) for a in DIVISORS for b in (1, 2)):
            data = special(name, seed)
            for gamma in edges(divisor, data):
                stated = predicted(divisor, data, gamma, planted)
                if stated != observed(divisor, data, gamma):
                    raise oracles.Disagreement(f"{divisor}, {name}: stated {stated} at γ = {gamma}")
                answers.add((divisor, stated))
    return answers


def test_when_the_standard_optimum_is_stationary_and_when_a_minimum():
    answers = compare_conditions()
    kinds = {(True, True), (True, False), (False, False)}
    expected = {("rms", (True, True))} | {(name, k) for name in ("std", "weights") for k in kinds}
    assert answers == expected


@oracles.each(["no fit", "no length", "no mean"])
def test_a_wrong_condition_is_noticed(planted):
    with pytest.raises(oracles.Disagreement):
        compare_conditions(planted)


def test_what_has_no_meaning_is_refused():
    data, flat = bnlib.counterexample(), LearningSet([[1.0, 0.0], [1.0, 1.0]], [1.0, 2.0])
    for told, call in (
        ("divisor: 'var' is unknown", lambda: UncentredNeuron("var")),
        ("gamma: must be positive, got 0", lambda: UncentredNeuron("std", 0.0)),
        ("weights: N\\(w\\) is zero", lambda: UncentredNeuron("weights").loss([0, 0], data)),
        ("weights: N\\(w\\) is zero", lambda: UncentredNeuron("std").gradient([1, 0], flat)),
        ("weights: ", lambda: UncentredNeuron("rms").loss([1, 2, 3], data)),
    ):
        oracles.refused(told, call)
