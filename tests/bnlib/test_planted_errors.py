"""Tests of the tests: every planted error must be caught by the comparison that guards it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import stats

import bn_experiments.probability.simulation
import bnlib
from bn_experiments import datasets, probability
from bnlib import Activation, BatchNorm, LemmaCheck, Neuron, Point, Ray, counterexample
from tests import oracles
from tests.oracles import sampling

Patch = pytest.MonkeyPatch
DATA = oracles.normal_set(11, m=6, d=2)
WEIGHTS = np.array([[0.7, -1.1], [1.3, 0.4]])
NEURON = Neuron("tanh", BatchNorm(gamma=1.4, beta=0.3, epsilon=0.2))
RATIONAL = [sp.Rational(3, 2), 1]


def with_jax(neuron: Neuron = NEURON) -> Callable[[], None]:
    return lambda: oracles.compare_with_jax(neuron, WEIGHTS, DATA)


def with_differences() -> None:
    oracles.compare_with_differences(NEURON, WEIGHTS[0], DATA, seed=0)


def batch_norm_alone() -> None:
    oracles.compare_batch_norm_with_jax(BatchNorm(), seed=3)


def with_sympy() -> None:
    neuron = Neuron(normalization=BatchNorm(gamma=0.5))
    oracles.compare_with_sympy(neuron, RATIONAL, bnlib.exact.counterexample())


def with_search(neuron: Neuron) -> Callable[[], None]:
    return lambda: oracles.compare_optimum(neuron, DATA)


def lemma() -> None:
    starts = np.random.default_rng(3).normal(size=(40, 2))
    oracles.compare_lemma(starts, np.array([3.0, 1.0]), np.array([5.0, 3.0]))


def quadrature() -> None:
    oracles.compare_laws_with_quadrature(0.7)


def simulation() -> None:
    oracles.compare_laws_with_simulation(0.7, 3, seed=3)


SETS = np.random.default_rng(5).normal(0.8, 1.0, (6, 5, 2))
GAUSSIAN = probability.Gaussian()
TARGETS = np.random.default_rng(6).normal(1.5, 1.0, (6, 5))


def stacked() -> None:
    sampling.compare_stacked(SETS, TARGETS)


def identity() -> None:
    sampling.compare_sherman_morrison(SETS, TARGETS)


def estimates() -> None:
    sampling.compare_estimate(seed=1)


def projection() -> None:
    sampling.compare_projection(probability.Sphere(2.0), 5, seed=1)


def simulated(shortcut: bool, law: Any = GAUSSIAN, square: float = 1.0) -> Callable[[], None]:
    return lambda: sampling.compare_simulation(
        law, square, 0.7, 5, seed=2, n=200_000, shortcut=shortcut
    )


def weaker() -> None:
    sampling.compare_weaker_with_quadrature(0.7, 2.0)


def weaker_simulated() -> None:
    sampling.compare_weaker_with_simulation(0.7, 2.0, 3, seed=1, n=100_000)


def weaker_limit() -> None:
    sampling.compare_weaker_with_its_limit(0.7)


def weaker_check() -> None:
    rng = np.random.default_rng(2)
    stars, rays = rng.normal(1.0, 1.0, (2, 2, 3))
    near = stars[0] + 0.1 * rng.normal(size=(10, 3))
    sampling.compare_weaker_check(np.concatenate([rng.normal(size=(20, 3)), near]), stars, rays)


# ---------------------------------------------------------------- plants


def around(owner: Any, name: str, change: Callable[..., Any]) -> Callable[[Patch], None]:
    """Replace `owner.name` by change(original result, *its arguments)."""
    original = getattr(owner, name)
    return lambda patch: patch.setattr(
        owner, name, lambda *args, **kwargs: change(original(*args, **kwargs), *args)
    )


def instead(owner: Any, name: str, other: Any) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(owner, name, other)


def wrong_activation(name: str, **parts: Any) -> Callable[[Patch], None]:
    """Change parts of a known activation."""
    good = bnlib.activations.ACTIVATIONS[name]
    all_parts = {
        part: getattr(good, part) for part in ("value", "derivative", "second_derivative")
    } | parts
    return lambda patch: patch.setitem(
        bnlib.activations.ACTIVATIONS, name, Activation(name, **all_parts)
    )


def unbiased(result: Any, norm: BatchNorm, y: Any) -> Any:
    normalized, divisor = result
    factor = np.sqrt(y.shape[-1] / (y.shape[-1] - 1))
    return normalized / factor, divisor * factor


def epsilon_outside(norm: BatchNorm, y: Any) -> Any:
    centered = y - y.mean(axis=-1, keepdims=True) if norm.center else y
    divisor = np.sqrt((centered**2).mean(axis=-1, keepdims=True)) + norm.epsilon
    return centered / divisor, divisor


def jacobian(sign: float, center: bool = True) -> Callable[..., Any]:
    """Return (J/γ)v with another factor in front of ŷŷᵀ/m, or without the mean."""

    def product(norm: BatchNorm, normalized: Any, divisor: Any, v: Any) -> Any:
        v = v - v.mean(axis=-1, keepdims=True) if norm.center and center else v
        return (v - sign * normalized * (normalized * v).mean(axis=-1, keepdims=True)) / divisor

    return product


def no_positive_part(ray: Ray, start: Any) -> Any:
    w = np.asarray(start)
    return (w**2).sum(axis=-1) - (w @ ray.direction) ** 2


def swapped(check: LemmaCheck, *_: Any) -> LemmaCheck:
    return LemmaCheck(check.applies, check.right, check.left, check.violated)


def only_shift_targets(data: Any, normalization: Any = None, **_: Any) -> list[Ray]:
    x, t = data.inputs, data.targets - data.targets.mean()
    return [Ray(np.linalg.lstsq(x, t, rcond=None)[0])]


def ray_of_star(data: Any, normalization: Any = None, **_: Any) -> list[Ray]:
    return [Ray(np.linalg.lstsq(data.inputs, data.targets, rcond=None)[0])]


def turned(optima: list[Any], *_: Any) -> list[Any]:
    (ray,) = optima
    return [Ray(ray.direction + 1e-3 * np.array([-ray.direction[1], ray.direction[0]]))]


def tanh_gelu(z: Any) -> Any:
    return 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))


def percent(quantity: Any, *_: Any) -> Any:
    """Return the quantity with an error of 0.1 %."""
    return 1.001 * quantity


def divided_by_one_less(values: Any, axis: int) -> Any:
    """Return values minus a mean that is divided by n − 1."""
    return values - values.sum(axis=axis, keepdims=True) / (values.shape[axis] - 1)


def means_divided_by_one_less(optima: Any, inputs: Any, targets: Any) -> Any:
    m = targets.shape[-1]
    return datasets.StackedOptima(optima.stars, optima.slopes, optima.intercepts * m / (m - 1))


def sherman_morrison(star: float, q: float) -> Callable[..., Any]:
    """Return R2 with other signs of its second term and of q."""

    def wrong(inputs: Any, slope: Any, intercept: float) -> Any:
        mean = inputs.mean(axis=0)
        s = np.linalg.solve(np.cov(inputs.T, ddof=0), mean)
        return slope + star * s * intercept / (1 + q * (mean @ s))

    return wrong


def estimate_of_mean(
    error: Callable[[float, int], float], missing: int = 0
) -> Callable[[Patch], None]:
    """Replace the standard error by error(standard deviation, n), or divide by n − missing."""

    def wrong(total: float, squares: float, n: int) -> probability.Estimate:
        mean = total / (n - missing)
        deviation = np.sqrt(max(squares / n - (total / n) ** 2, 0) * n / (n - 1))
        return probability.Estimate(mean, float(error(deviation, n)), n)

    return instead(probability.Estimate, "of_mean", staticmethod(wrong))


def without_root(estimate: probability.Estimate, *_: Any) -> probability.Estimate:
    error = estimate.standard_error / np.sqrt(estimate.n)
    return probability.Estimate(estimate.value, error, estimate.n)


def on_the_circle(sphere: Any, rng: Any, n: int, d: int) -> Any:
    """Return the projection without the χ² of the other d − 2 coordinates."""
    plane = rng.standard_normal((2, n))
    return plane * (sphere.radius / np.hypot(*plane))


IN_THE_PLANE = bn_experiments.probability.simulation._in_the_plane


def sine_for_cosine(coordinates: Any, theta: float) -> Any:
    return IN_THE_PLANE(coordinates, np.pi / 2 - theta)


def weaker_law(power: int, p_plus: bool = True) -> Callable[[Patch], None]:
    """Replace the weaker law by one with another power of ρ, or without the positive part."""

    def wrong(angle: float, ratio: float) -> float:
        p = np.linspace(-9, 9, 200_001)
        kept = np.maximum(p, 0) if p_plus else p
        far = p * np.cos(angle) - (1 + ratio**power * kept**2) / (2 * ratio)
        density = stats.norm.pdf(p) * stats.norm.cdf(far / np.sin(angle))
        return float(2 * density.sum() * (p[1] - p[0]))

    return instead(probability, "weaker_failure_probability", wrong)


def unsquared(check: LemmaCheck, *_: Any) -> LemmaCheck:
    return LemmaCheck(check.applies, check.left, np.sqrt(check.right), check.violated)


def lemma_for_weaker(check: LemmaCheck, *arguments: Any) -> LemmaCheck:
    return bnlib.check_lemma(*arguments)


NORM, LAWS = bnlib.batch_norm.BatchNorm, (bnlib.failure_probability, bnlib.mean_excess)
BN = Neuron(normalization=BatchNorm())
EPSILON = Neuron(normalization=BatchNorm(gamma=4.0, epsilon=0.2))


@dataclass(frozen=True)
class Plant:
    """An error, the comparison that must catch it, and the quantity it must name."""

    patch: Callable[[Patch], None]
    comparison: Callable[[], None]
    quantity: str


def law(index: int, wrong: Callable[[Any], Any]) -> Callable[[Patch], None]:
    name = LAWS[index].__name__
    return instead(bnlib, name, lambda angle, scale=1.0: wrong(np.asarray(angle)))


PLANTS = {
    "variance-divided-by-m-1": Plant(around(NORM, "_normalize", unbiased), with_jax(), "loss"),
    "epsilon-outside-the-root": Plant(
        instead(NORM, "_normalize", epsilon_outside), with_jax(), "loss"
    ),
    "jacobian-sign-of-second-term": Plant(
        instead(NORM, "_jacobian", jacobian(-1.0)), with_jax(), "gradient"
    ),
    "jacobian-without-second-term": Plant(
        instead(NORM, "_jacobian", jacobian(0.0)), with_jax(), "gradient"
    ),
    "jacobian-without-mean": Plant(
        instead(NORM, "_jacobian", jacobian(1.0, center=False)), batch_norm_alone, "J a"
    ),
    "jacobian-second-term-0.1%": Plant(
        instead(NORM, "_jacobian", jacobian(1.001)), with_differences, "gradient"
    ),
    "jacobian-second-term-0.1%-sympy": Plant(
        instead(NORM, "_jacobian", jacobian(1.001)), with_sympy, "gradient"
    ),
    "half-in-the-loss": Plant(
        around(Neuron, "loss", lambda loss, *_: loss / 2), with_jax(), "loss"
    ),
    "sum-instead-of-mean": Plant(
        around(Neuron, "loss", lambda loss, _, w, data: loss * data.m), with_sympy, "loss"
    ),
    "gradient-0.1%": Plant(around(Neuron, "gradient", percent), with_differences, "gradient"),
    "gradient-0.1%-jax": Plant(around(Neuron, "gradient", percent), with_jax(), "gradient"),
    "hessian-0.1%": Plant(around(Neuron, "hessian", percent), with_differences, "hessian"),
    "curvature-of-z-0.1%": Plant(
        around(NORM, "second_derivative", percent), with_differences, "hessian"
    ),
    "curvature-of-z-missing": Plant(
        around(NORM, "second_derivative", lambda bent, *_: 0 * bent), with_jax(), "hessian"
    ),
    "tanh-slope-without-square": Plant(
        wrong_activation("tanh", derivative=lambda z: 1 - np.tanh(z)), with_jax(), "gradient"
    ),
    "tanh-curvature-sign": Plant(
        wrong_activation("tanh", second_derivative=lambda z: 2 * np.tanh(z) / np.cosh(z) ** 2),
        with_jax(),
        "hessian",
    ),
    "gelu-by-tanh": Plant(
        wrong_activation("gelu", value=tanh_gelu), with_jax(Neuron("gelu")), "loss"
    ),
    "sides-swapped": Plant(around(bnlib, "check_lemma", swapped), lemma, "left side"),
    "no-positive-part": Plant(
        instead(Ray, "squared_distance", no_positive_part), lemma, "left side"
    ),
    "left-side-0.1%": Plant(around(Ray, "squared_distance", percent), lemma, "left side"),
    "right-side-0.1%": Plant(
        around(bnlib.lemma, "_projection", lambda r, *_: (r[0], 1.001 * r[1])), lemma, "right side"
    ),
    "hypothesis-ignored": Plant(
        around(
            bnlib,
            "check_lemma",
            lambda c, *_: LemmaCheck(c.applies | True, c.left, c.right, c.violated),
        ),
        lemma,
        "verdict",
    ),
    "ray-of-the-standard-optimum": Plant(
        instead(bnlib.neuron, "linear_optima", ray_of_star), with_search(BN), "ray"
    ),
    "only-targets-centred": Plant(
        instead(bnlib.neuron, "linear_optima", only_shift_targets), with_search(BN), "ray"
    ),
    "ray-turned-by-0.1%": Plant(
        around(bnlib.neuron, "linear_optima", turned), with_search(BN), "ray"
    ),
    "point-0.1%": Plant(
        around(Neuron, "optima", lambda found, *_: [Point(1.001 * found[0].weights)]),
        with_search(EPSILON),
        "point",
    ),
    "probability-theta-over-pi": Plant(
        law(0, lambda angle: 0.5 + angle / np.pi), quadrature, "probability"
    ),
    "probability-theta-over-pi-simulated": Plant(
        law(0, lambda angle: 0.5 + angle / np.pi), simulation, "probability"
    ),
    "probability-0.1%": Plant(
        law(0, lambda angle: 1.001 * LAWS[0](angle)), quadrature, "probability"
    ),
    "mean-plus-sine": Plant(
        law(1, lambda angle: (2 * angle + np.sin(2 * angle)) / (2 * np.pi)), quadrature, "mean"
    ),
    "mean-plus-sine-simulated": Plant(
        law(1, lambda angle: (2 * angle + np.sin(2 * angle)) / (2 * np.pi)), simulation, "mean"
    ),
    "mean-0.1%": Plant(law(1, lambda angle: 1.001 * LAWS[1](angle)), quadrature, "mean"),
    **{
        f"{name}-2π-for-π{suffix}": Plant(law(index, wrong), comparison, quantity)
        for index, name, wrong, quantities in (
            (0, "probability", lambda a: 0.5 + a / (4 * np.pi), ("probability", "violated")),
            (1, "mean", lambda a: (2 * a - np.sin(2 * a)) / (4 * np.pi), ("mean", "excess")),
        )
        for suffix, comparison, quantity in (
            ("", quadrature, quantities[0]),
            ("-simulated", simulated(False), quantities[1]),
        )
    },
    "identity-sign": Plant(
        instead(sampling, "sherman_morrison", sherman_morrison(-1, 1)), identity, "identity"
    ),
    "identity-1-minus-q": Plant(
        instead(sampling, "sherman_morrison", sherman_morrison(1, -1)), identity, "identity"
    ),
    "stacked-centring-by-m-1": Plant(
        instead(bnlib.least_squares, "centered", divided_by_one_less), stacked, "û"
    ),
    "stacked-means-by-m-1": Plant(
        around(datasets, "stacked_optima", means_divided_by_one_less), stacked, "intercept"
    ),
    "stacked-uncentred-targets-and-inputs": Plant(
        instead(bnlib.least_squares, "centered", lambda values, axis: values), stacked, "û"
    ),
    "estimate-mean-by-n-1": Plant(
        estimate_of_mean(lambda s, n: s / np.sqrt(n), missing=1), estimates, "mean"
    ),
    "estimate-population-variance": Plant(
        estimate_of_mean(lambda s, n: s * np.sqrt(n - 1) / n), estimates, "standard error"
    ),
    "estimate-without-root-of-n": Plant(
        estimate_of_mean(lambda s, n: s / n), estimates, "standard error"
    ),
    "estimate-of-deviation-not-of-mean": Plant(
        estimate_of_mean(lambda s, n: s), estimates, "standard error"
    ),
    "proportion-without-root-of-n": Plant(
        around(probability.Estimate, "of_proportion", without_root), estimates, "standard error"
    ),
    "sphere-without-chi-square": Plant(
        instead(probability.Sphere, "project", on_the_circle), projection, "first coordinate"
    ),
    "sphere-without-chi-square-simulated": Plant(
        instead(probability.Sphere, "project", on_the_circle),
        simulated(True, probability.Sphere(), 1 / 5),
        "excess",
    ),
    "shortcut-sine-for-cosine": Plant(
        instead(bn_experiments.probability.simulation, "_in_the_plane", sine_for_cosine),
        simulated(True),
        "violated",
    ),
    "weaker-law-rho-not-squared": Plant(weaker_law(1), weaker, "weaker probability"),
    "weaker-law-rho-not-squared-simulated": Plant(
        weaker_law(1), weaker_simulated, "weaker probability"
    ),
    "weaker-law-no-positive-part": Plant(weaker_law(2, False), weaker, "weaker probability"),
    "weaker-limit-2π-for-π": Plant(
        instead(sampling, "far_limit", lambda angle: angle / (2 * np.pi)), weaker_limit, "limit"
    ),
    "weaker-right-side-not-squared": Plant(
        around(probability, "check_weaker", unsquared), weaker_check, "right side"
    ),
    "weaker-is-the-lemma": Plant(
        around(probability, "check_weaker", lemma_for_weaker), weaker_check, "right side"
    ),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught_and_named(plant: Plant, monkeypatch: Patch) -> None:
    plant.patch(monkeypatch)
    with pytest.raises(oracles.Disagreement, match=f"^{re.escape(plant.quantity)}\\b"):
        plant.comparison()


COMPARISONS = {
    "jax": with_jax(),
    "jax-gelu": with_jax(Neuron("gelu")),
    "differences": with_differences,
    "sympy": with_sympy,
    "search-ray": with_search(BN),
    "search-point": with_search(EPSILON),
    "lemma": lemma,
    "quadrature": quadrature,
    "simulation": simulation,
    "stacked": stacked,
    "identity": identity,
    "estimates": estimates,
    "projection": projection,
    "shortcut": simulated(True),
    "full-draws": simulated(False),
    "sphere": simulated(True, probability.Sphere(), 1 / 5),
    "weaker": weaker,
    "weaker-simulated": weaker_simulated,
    "weaker-limit": weaker_limit,
    "weaker-check": weaker_check,
}


@pytest.mark.parametrize("comparison", COMPARISONS.values(), ids=COMPARISONS)
def test_without_a_plant_the_same_comparison_agrees(comparison: Callable[[], None]) -> None:
    comparison()


def test_a_relative_error_is_relative_to_what_is_compared() -> None:
    for size in (1e-300, 1e-8, 1.0, 1e300):
        assert np.isclose(oracles.relative_error([1.001 * size, 0], [size, 0]), 1e-3)
    for wrong in ([np.nan], [np.inf], [1.0, 1.0], 1.0):
        assert oracles.relative_error(wrong, [1.0]) == np.inf
    assert oracles.relative_error([1e-300], [0.0]) == np.inf
    assert oracles.relative_error([0.0], [0.0]) == 0.0
    with pytest.raises(oracles.Disagreement, match="tiny"):
        oracles.agree("tiny", [1.001e-20], [1e-20], 1e-6)


def test_a_wrong_ray_survives_where_only_the_loss_is_looked_at() -> None:
    # Why the comparisons ask for the direction: near an optimum the loss is flat.
    (ray,) = Neuron(normalization=BatchNorm()).optima(counterexample())
    neuron = Neuron(normalization=BatchNorm())
    off = ray.direction + 1e-6 * np.array([1.0, -1.0])
    gap = neuron.loss(off, counterexample()) / neuron.loss(ray.direction, counterexample()) - 1
    assert 0 <= gap < 1e-11
