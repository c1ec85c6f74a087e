"""Tests of the tests: every planted error must be caught by the comparison that guards it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import bnlib
from bnlib import Activation, BatchNorm, LemmaCheck, Neuron, Point, Ray, counterexample
from tests import oracles

Patch = pytest.MonkeyPatch
DATA = oracles.normal_set(11, m=6, d=2)
WEIGHTS = np.array([[0.7, -1.1], [1.3, 0.4]])
NEURON = Neuron("tanh", BatchNorm(gamma=1.4, beta=0.3, epsilon=0.2))
RATIONAL = [bnlib.exact.sp.Rational(3, 2), 1]


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
    good = bnlib.ACTIVATIONS[name]
    all_parts = {part: getattr(good, part) for part in ("value", "slope", "curvature")} | parts
    return lambda patch: patch.setitem(bnlib.ACTIVATIONS, name, Activation(name, **all_parts))


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
        wrong_activation("tanh", slope=lambda z: 1 - np.tanh(z)), with_jax(), "gradient"
    ),
    "tanh-curvature-sign": Plant(
        wrong_activation("tanh", curvature=lambda z: 2 * np.tanh(z) / np.cosh(z) ** 2),
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
