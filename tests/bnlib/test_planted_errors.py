"""Tests of the tests: every planted error must be caught by the comparison that guards it."""

import re
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import sympy as sp
from scipy import stats

import bn_solver
import bnlib
from bn_experiments import datasets, exact, probability
from bn_experiments.datasets import stacked
from bn_experiments.probability import Estimate, Sphere, simulation
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, counterexample
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import rational, sampling

DATA = oracles.normal_set(11, m=6, d=2)
WEIGHTS = np.array([[0.7, -1.1], [1.3, 0.4]])
NEURON = Neuron("tanh", BatchNorm(gamma=1.4, beta=0.3, epsilon=0.2))
BN = Neuron(normalization=BatchNorm())
EPSILON = Neuron(normalization=BatchNorm(gamma=4.0, epsilon=0.2))
SETS = np.random.default_rng(5).normal(0.8, 1.0, (6, 5, 2))
TARGETS = np.random.default_rng(6).normal(1.5, 1.0, (6, 5))
STARTS = np.random.default_rng(3).normal(size=(40, 2))
STARS, RAYS = np.random.default_rng(2).normal(1.0, 1.0, (2, 2, 3))
AROUND = np.random.default_rng(4).normal(size=(30, 3))
AROUND[20:] = STARS[0] + 0.1 * AROUND[20:]
# The third column is the second one: a kernel.
DOUBLED = LearningSet([[1, 0, 0], [0, 1, 1], [1, 1, 1], [2, 1, 1]], [2, 0, 5, 1])
STARTS_3 = np.random.default_rng(8).normal(size=(20, 3))
doubted = partial(rational.compare_doubt, np.array([3.0, 1.0]), np.array([5.0, 3.0]))
simulated = partial(sampling.compare_simulation, angle=0.7, d=5, seed=2, n=200_000)

COMPARISONS = {
    "jax": partial(oracles.compare_with_jax, NEURON, WEIGHTS, DATA),
    "jax-gelu": partial(oracles.compare_with_jax, Neuron("gelu"), WEIGHTS, DATA),
    "jax-alone": partial(oracles.compare_batch_norm_with_jax, BatchNorm(), seed=3),
    "differences": partial(oracles.compare_with_differences, NEURON, WEIGHTS[0], DATA, seed=0),
    "sympy": partial(
        oracles.compare_with_sympy,
        Neuron(normalization=BatchNorm(gamma=0.5)),
        [sp.Rational(3, 2), 1],
        exact.counterexample(),
    ),
    "search-ray": partial(oracles.compare_optimum, BN, DATA),
    "search-point": partial(oracles.compare_optimum, EPSILON, DATA),
    "lemma": partial(oracles.compare_lemma, STARTS, np.array([3.0, 1.0]), np.array([5.0, 3.0])),
    "kernel": partial(rational.compare_lemma, DOUBLED, STARTS_3),
    "doubted-star": partial(doubted, of_star=1e-3),
    "doubted-ray": partial(doubted, of_ray=1e-3),
    "quadrature": partial(oracles.compare_laws_with_quadrature, 0.7),
    "simulation": partial(oracles.compare_laws_with_simulation, 0.7, 3, seed=3),
    "stacked": partial(sampling.compare_stacked, SETS, TARGETS),
    "identity": partial(sampling.compare_sherman_morrison, SETS, TARGETS),
    "estimates": partial(sampling.compare_estimate, seed=1),
    "projection": partial(sampling.compare_projection, Sphere(2.0), 5, seed=1),
    "shortcut": partial(simulated, probability.Gaussian(), 1.0, shortcut=True),
    "full-draws": partial(simulated, probability.Gaussian(), 1.0, shortcut=False),
    "sphere": partial(simulated, Sphere(), 1 / 5, shortcut=True),
    "weaker": partial(sampling.compare_weaker_with_quadrature, 0.7, 2.0),
    "weaker-simulated": partial(sampling.compare_weaker_with_simulation, 0.7, 2.0, 3, seed=1),
    "weaker-limit": partial(sampling.compare_weaker_with_its_limit, 0.7),
    "weaker-check": partial(sampling.compare_weaker_check, AROUND, STARS, RAYS),
}


def instead(owner, name, other):
    return lambda patch: patch.setattr(owner, name, other)


def around(owner, name, change):
    """Replace `owner.name` by change(original result, *its arguments)."""
    original = getattr(owner, name)
    return instead(owner, name, lambda *args, **more: change(original(*args, **more), *args))


def wrong_activation(name, **parts):
    """Change parts of a known activation."""
    wrong = replace(ACTIVATIONS[name], **parts)
    return lambda patch: patch.setitem(ACTIVATIONS, name, wrong)


def unbiased(result, norm, y):
    normalized, divisor = result
    factor = np.sqrt(y.shape[-1] / (y.shape[-1] - 1))
    return normalized / factor, divisor * factor


def epsilon_outside(norm, y):
    centered = y - y.mean(axis=-1, keepdims=True) if norm.center else y
    divisor = np.sqrt((centered**2).mean(axis=-1, keepdims=True)) + norm.epsilon
    return centered / divisor, divisor


def jacobian(sign, center=True):
    """Replace (J/γ)v by one with another factor of ŷŷᵀ/m, or without the mean."""

    def wrong(norm, normalized, divisor, v):
        v = v - v.mean(axis=-1, keepdims=True) if norm.center and center else v
        return (v - sign * normalized * (normalized * v).mean(axis=-1, keepdims=True)) / divisor

    return instead(BatchNorm, "_jacobian", wrong)


def no_positive_part(found, w, total, size, image):
    return total - (w @ image.direction) ** 2, *found[1:]


def only_shift_targets(data, normalization=None, **_):
    x, t = data.inputs, data.targets - data.targets.mean()
    return [Ray(np.linalg.lstsq(x, t, rcond=None)[0])]


def ray_of_star(data, normalization=None, **_):
    return [Ray(np.linalg.lstsq(data.inputs, data.targets, rcond=None)[0])]


def turned(optima, *_):
    (ray,) = optima
    return [Ray(ray.direction + 1e-3 * np.array([-ray.direction[1], ray.direction[0]]))]


def tanh_gelu(z):
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def tanh_bent_upwards(z):
    return 2 * np.tanh(z) / np.cosh(z) ** 2


def percent(quantity, *_):
    """Return the quantity with an error of 0.1 %."""
    return 1.001 * quantity


def divided_by_one_less(fit, x, t):
    """Return the slope of values minus a mean that is divided by m − 1."""
    less = t.shape[-1] - 1
    x, t = (a - a.sum(axis, keepdims=True) / less for a, axis in ((x, -2), (t, -1)))
    return replace(bn_solver.least_squares(x, t), intercept=fit.intercept)


def with_intercept(change):
    """Replace the fits with intercept of stacked learning sets."""
    right = bn_solver.least_squares

    def wrong(x, t, *, intercept, kernel):
        fit = right(x, t, intercept=intercept, kernel=kernel)
        return change(fit, x, t) if intercept else fit

    return instead(stacked, "least_squares", wrong)


def without_kernel(kind):
    """Replace sets of optima of this kind by one element, or its ray."""

    def change(optima, *_):
        return [kind(o.vector, o.error) if isinstance(o, kind) else o for o in optima]

    return around(bnlib.neuron, "linear_optima", change)


def sherman_morrison(star, q):
    """Replace R2 by one with other signs of its second term and of q."""

    def wrong(inputs, slope, intercept):
        mean = inputs.mean(axis=0)
        s = np.linalg.solve(np.cov(inputs.T, ddof=0), mean)
        return slope + star * s * intercept / (1 + q * (mean @ s))

    return instead(sampling, "sherman_morrison", wrong)


def of_mean(error, missing=0):
    """Replace the standard error by error(standard deviation, n), or divide by n − missing."""

    def wrong(total, squares, n):
        deviation = np.sqrt(max(squares / n - (total / n) ** 2, 0) * n / (n - 1))
        return Estimate(total / (n - missing), float(error(deviation, n)), n)

    return instead(Estimate, "of_mean", staticmethod(wrong))


def on_the_circle(sphere, rng, n, d):
    """Return the projection without the χ² of the other d − 2 coordinates."""
    plane = rng.standard_normal((2, n))
    return plane * (sphere.radius / np.hypot(*plane))


def sine_for_cosine(coordinates, theta, right=simulation._in_the_plane):
    return right(coordinates, np.pi / 2 - theta)


def weaker_law(power, p_plus=True):
    """Replace the weaker law by one with another power of ρ, or without the positive part."""

    def wrong(angle, ratio):
        p = np.linspace(-9, 9, 200_001)
        kept = np.maximum(p, 0) if p_plus else p
        far = p * np.cos(angle) - (1 + ratio**power * kept**2) / (2 * ratio)
        density = stats.norm.pdf(p) * stats.norm.cdf(far / np.sin(angle))
        return float(2 * density.sum() * (p[1] - p[0]))

    return instead(probability, "weaker_failure_probability", wrong)


def law(name, wrong):
    """Replace a law by wrong(θ, θ of the law)."""
    right = getattr(bnlib, name)
    return instead(bnlib, name, lambda angle, scale=1.0: wrong(np.asarray(angle), right(angle)))


probability_by = partial(law, "failure_probability")
mean_by = partial(law, "mean_excess")


def altered(owner, name, **parts):
    """Replace fields of what `owner.name` returns, each by a function of the right result."""
    return around(owner, name, lambda c, *_: replace(c, **{k: of(c) for k, of in parts.items()}))


checked = partial(altered, bnlib, "check_lemma")
optima, gain = partial(instead, bnlib.neuron, "linear_optima"), partial(around, bnlib.lemma, "gain")
distance = partial(around, bnlib._verdict, "_distance")
bound = partial(around, bnlib._verdict, "distance_error")
bent, project = partial(around, BatchNorm, "second_derivative"), partial(instead, Sphere, "project")

# The comparison that must catch the error, and the quantity that it must name, are before the
# colon.
PLANTED = {
    "jax, loss: variance divided by m − 1": around(BatchNorm, "_normalize", unbiased),
    "jax, loss: ε outside the root": instead(BatchNorm, "_normalize", epsilon_outside),
    "jax, loss: half": around(Neuron, "loss", lambda loss, *_: loss / 2),
    "jax, gradient: sign of the second term": jacobian(-1.0),
    "jax, gradient: no second term": jacobian(0.0),
    "jax, gradient: 0.1 %": around(Neuron, "gradient", percent),
    "jax, gradient: no square": wrong_activation("tanh", derivative=lambda z: 1 - np.tanh(z)),
    "jax-alone, J a: no mean": jacobian(1.0, center=False),
    "differences, gradient: second term 0.1 %": jacobian(1.001),
    "differences, gradient: 0.1 %": around(Neuron, "gradient", percent),
    "sympy, gradient: second term 0.1 %": jacobian(1.001),
    "sympy, loss: sum for mean": around(Neuron, "loss", lambda loss, _, w, data: loss * data.m),
    "differences, hessian: 0.1 %": around(Neuron, "hessian", percent),
    "differences, hessian: curvature of z 0.1 %": bent(percent),
    "jax, hessian: no curvature of z": bent(lambda right, *_: 0 * right),
    "jax, hessian: sign": wrong_activation("tanh", second_derivative=tanh_bent_upwards),
    "jax-gelu, loss: by tanh": wrong_activation("gelu", value=tanh_gelu),
    "lemma, left side: swapped": checked(left=lambda c: c.right, right=lambda c: c.left),
    "lemma, left side: no positive part": distance(no_positive_part),
    "lemma, left side: 0.1 %": distance(lambda r, *_: (1.001 * r[0], *r[1:])),
    "lemma, right side: 0.1 %": gain(lambda r, *_: (1.001 * r[0], r[1])),
    "lemma, exists: always": distance(lambda r, *_: (r[0], r[1] | True, r[2])),
    "lemma, verdict: without the hypothesis": checked(applies=lambda c: c.applies | True),
    "kernel, left side: no kernel of the ray": without_kernel(Ray),
    "kernel, right side: no kernel of the point": without_kernel(Point),
    "kernel, undecided: as large as the start": bound(lambda _, optimum, size, *__: size),
    "kernel, error: 0": checked(error=lambda c: 0 * c.error),
    "doubted-star, undecided: no error of the point": gain(lambda r, *_: (r[0], 0 * r[1])),
    "doubted-star, undecided: numbers decide": checked(
        violated=lambda c: c.applies & (c.left > c.right), undecided=lambda c: c.undecided & False
    ),
    "doubted-ray, undecided: no error of the ray": bound(lambda error, *_: 0 * error),
    "doubted-star, violated: or undecided": checked(violated=lambda c: c.violated | c.undecided),
    "search-ray, ray: of the standard optimum": optima(ray_of_star),
    "search-ray, ray: only targets centred": optima(only_shift_targets),
    "search-ray, ray: turned by 0.1 %": around(bnlib.neuron, "linear_optima", turned),
    "search-point, point: 0.1 %": around(
        Neuron, "optima", lambda found, *_: [Point(1.001 * found[0].weights)]
    ),
    "quadrature, probability: θ/π": probability_by(lambda a, _: 0.5 + a / np.pi),
    "quadrature, probability: 0.1 %": probability_by(lambda _, right: 1.001 * right),
    "quadrature, probability: 2π for π": probability_by(lambda a, _: 0.5 + a / (4 * np.pi)),
    "simulation, probability: θ/π": probability_by(lambda a, _: 0.5 + a / np.pi),
    "full-draws, violated: 2π for π": probability_by(lambda a, _: 0.5 + a / (4 * np.pi)),
    "quadrature, mean: plus sine": mean_by(lambda a, _: (2 * a + np.sin(2 * a)) / (2 * np.pi)),
    "quadrature, mean: 0.1 %": mean_by(lambda _, right: 1.001 * right),
    "quadrature, mean: 2π for π": mean_by(lambda a, _: (2 * a - np.sin(2 * a)) / (4 * np.pi)),
    "simulation, mean: plus sine": mean_by(lambda a, _: (2 * a + np.sin(2 * a)) / (2 * np.pi)),
    "full-draws, excess: 2π for π": mean_by(lambda a, _: (2 * a - np.sin(2 * a)) / (4 * np.pi)),
    "identity, identity: sign": sherman_morrison(-1, 1),
    "identity, identity: 1 − q": sherman_morrison(1, -1),
    "stacked, û: centring by m − 1": with_intercept(divided_by_one_less),
    "stacked, û: not centred": with_intercept(lambda fit, x, t: bn_solver.least_squares(x, t)),
    "stacked, intercept: means by m − 1": altered(
        datasets, "stacked_optima", intercepts=lambda o: o.intercepts * 5 / 4
    ),
    "estimates, mean: by n − 1": of_mean(lambda s, n: s / np.sqrt(n), missing=1),
    "estimates, standard error: of the population": of_mean(lambda s, n: s * np.sqrt(n - 1) / n),
    "estimates, standard error: no root of n": of_mean(lambda s, n: s / n),
    "estimates, standard error: deviation": of_mean(lambda s, n: s),
    "estimates, standard error: of a proportion, no root of n": altered(
        Estimate, "of_proportion", standard_error=lambda e: e.standard_error / e.n**0.5
    ),
    "projection, first coordinate: no χ²": project(on_the_circle),
    "sphere, excess: no χ²": project(on_the_circle),
    "shortcut, violated: sine for cosine": instead(simulation, "_in_the_plane", sine_for_cosine),
    "weaker, weaker probability: ρ not squared": weaker_law(1),
    "weaker, weaker probability: no positive part": weaker_law(2, False),
    "weaker-simulated, weaker probability: ρ not squared": weaker_law(1),
    "weaker-limit, limit: 2π for π": instead(sampling, "far_limit", lambda a: a / (2 * np.pi)),
    "weaker-check, right side: not squared": altered(
        probability, "check_weaker", right=lambda c: np.sqrt(c.right)
    ),
    "weaker-check, right side: the lemma": around(
        probability, "check_weaker", lambda _, *arguments: bnlib.check_lemma(*arguments)
    ),
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_error_is_caught_and_named(plant, monkeypatch):
    PLANTED[plant](monkeypatch)
    comparison, quantity = plant.partition(": ")[0].split(", ")
    with pytest.raises(oracles.Disagreement, match=f"^{re.escape(quantity)}\\b"):
        COMPARISONS[comparison]()


@oracles.each(COMPARISONS)
def test_without_a_plant_the_same_comparison_agrees(comparison):
    comparison()


def test_errors_are_relative_and_a_wrong_ray_survives_where_only_the_loss_is_looked_at():
    for size in (1e-300, 1e-8, 1.0, 1e300):
        assert np.isclose(oracles.relative_error([1.001 * size, 0], [size, 0]), 1e-3)
    for wrong in ([np.nan], [np.inf], [1.0, 1.0], 1.0):
        assert oracles.relative_error(wrong, [1.0]) == np.inf
    assert oracles.relative_error([1e-300], [0.0]) == np.inf
    assert oracles.relative_error([0.0], [0.0]) == 0.0
    with pytest.raises(oracles.Disagreement, match="tiny"):
        oracles.agree("tiny", [1.001e-20], [1e-20], 1e-6)
    # Why the comparisons ask for the direction: near an optimum the loss is flat.
    data = counterexample()
    (ray,) = BN.optima(data)
    off = ray.direction + 1e-6 * np.array([1.0, -1.0])
    assert 0 <= BN.loss(off, data) / BN.loss(ray.direction, data) - 1 < 1e-11
