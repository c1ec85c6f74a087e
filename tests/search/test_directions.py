"""BN rays from a scan: against the closed form, and against brute force on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from bn_experiments.datasets import RandomLearningSets
from bn_experiments.search import directions, scan_directions
from bnlib import ACTIVATIONS, BatchNorm, LearningSet, Neuron, counterexample, linear_optima
from tests import oracles

PLAIN = {
    "identity": lambda z: z,
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(z / 2)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "relu": lambda z: z * (z > 0),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "leaky_relu": lambda z: z * np.where(z > 0, 1.0, 0.01),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
}
COUNT = 200_000


def sets(name: str, n: int, m: int = 6) -> list[LearningSet]:
    family = RandomLearningSets(m, 2, 1.0, 0.5, 0.3, name)
    inputs, targets = family.sample(np.random.default_rng(3), n)
    return [LearningSet(x, t) for x, t in zip(inputs, targets, strict=True)]


def normalized(neuron: Neuron, data: LearningSet, angles: Any) -> Any:
    """Return z of directions by the textbook formula."""
    norm = neuron.normalization
    assert norm is not None
    y = np.stack([np.cos(angles), np.sin(angles)], axis=-1) @ data.inputs.T
    y = y - y.mean(axis=-1, keepdims=True) if norm.center else y
    y = y / np.sqrt((y**2).mean(axis=-1, keepdims=True))
    return norm.gamma * y + norm.beta


def gap(first: Any, second: Any) -> Any:
    """Return the distance between angles on the circle."""
    return np.abs((np.asarray(first) - second + np.pi) % (2 * np.pi) - np.pi)


def compare_with_brute_force(neuron: Neuron, data: LearningSet, n: int = 720) -> None:
    """Compare the minima, their number and their losses with those of 200 000 directions.

    The grid's error in the angle is half a step, 2e-5; where the loss is flat at the minimum
    rounding adds to it.
    """
    scan = scan_directions(neuron, data, n=n)
    angles = 2 * np.pi * np.arange(COUNT) / COUNT
    phi = PLAIN[str(neuron.activation)]
    loss = ((phi(normalized(neuron, data, angles)) - data.targets) ** 2).mean(axis=-1)
    lower = (loss < np.roll(loss, 1)) & (loss <= np.roll(loss, -1))
    found = [float(np.arctan2(*ray.direction[::-1])) for ray in scan.minima]
    if lower.sum() != len(found):
        raise oracles.Disagreement(f"rays: {len(found)} found, {lower.sum()} on the grid")
    for angle, value in zip(found, scan.minimum_losses, strict=True):
        nearest = np.flatnonzero(lower)[np.argmin(gap(angles[lower], angle))]
        if gap(angles[nearest], angle) > 1e-4:
            raise oracles.Disagreement(f"ray: {angle} is not on the grid")
        oracles.agree("loss", value, loss[nearest], 1e-7, 1 + value)
        if value > loss[nearest] + 1e-12 * (1 + value):
            raise oracles.Disagreement(f"ray: at {angle} the grid is lower")


@given(oracles.well_conditioned(max_d=2, min_d=2), st.sampled_from([1.0, -2.0]))
def test_the_identity_has_one_ray_in_closed_form(data: LearningSet, gamma: float) -> None:
    for norm in (BatchNorm(gamma=gamma), BatchNorm(center=False, gamma=gamma)):
        (expected,) = linear_optima(data, norm)
        scan = scan_directions(Neuron(normalization=norm), data)
        assert len(scan.minima) == len(scan.maxima) == 1
        oracles.agree("ray", scan.minima[0].direction, expected.direction, 1e-9)
        oracles.agree("maximum", scan.maxima[0].direction, -expected.direction, 1e-9)
        assert (scan.kinds, scan.flat) == (["minimum"], [])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_brute_force_finds_the_same_rays(name: str) -> None:
    for data in sets(name, 3):
        compare_with_brute_force(Neuron(name, BatchNorm()), data)
    compare_with_brute_force(Neuron(name, BatchNorm(gamma=-2.5, beta=0.7)), data)
    compare_with_brute_force(Neuron(name, BatchNorm(center=False)), data)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_doubling_the_grid_finds_nothing_new(name: str) -> None:
    for data in sets(name, 20):
        neuron = Neuron(name, BatchNorm())
        few, many = (scan_directions(neuron, data, n=n) for n in (720, 1440))
        assert len(few.minima) == len(many.minima)
        for one, other in zip(few.minima, many.minima, strict=True):
            assert np.allclose(one.direction, other.direction, atol=1e-7)
        # Minima and maxima alternate where nothing is flat.
        assert len(few.minima) == len(few.maxima) >= 1
        assert (np.diff(few.minimum_losses) >= 0).all()


def test_kinks_and_smooth_minima_are_told_apart() -> None:
    kinds = []
    for name in ("relu", "leaky_relu"):
        for data in sets(name, 8):
            neuron = Neuron(name, BatchNorm())
            scan = scan_directions(neuron, data)
            kinds += scan.kinds
            for ray, kind in zip(scan.minima, scan.kinds, strict=True):
                z = normalized(neuron, data, np.arctan2(*ray.direction[::-1]))
                size = np.abs(neuron.gradient(ray.direction, data)).max()
                if kind == "kink":
                    assert np.abs(z).min() < 1e-13
                else:
                    assert np.abs(z).min() > 1e-10
                    assert size < 1e-12
    assert {"kink", "minimum"} == set(kinds)
    smooth = [kind for each in sets("gelu", 8) for kind in scan_directions(NEURON, each).kinds]
    assert set(smooth) == {"minimum"}


NEURON = Neuron("gelu", BatchNorm())


def test_the_grid_is_what_it_says() -> None:
    scan = scan_directions(NEURON, counterexample(), n=100)
    assert scan.angles.shape == scan.losses.shape == (100,)
    assert (np.diff(scan.angles) > 0).all()
    assert np.ptp(scan.angles) < 2 * np.pi
    u = np.stack([np.cos(scan.angles), np.sin(scan.angles)], axis=1)
    assert np.allclose(scan.losses, NEURON.loss(u, counterexample()), rtol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "silu", "leaky_relu"])
def test_rays_follow_a_linear_map_of_the_inputs(name: str) -> None:
    # X → X Aᵀ takes the rays to those of A⁻ᵀ, however much A stretches and shears.
    data, neuron = sets(name, 1)[0], Neuron(name, BatchNorm())
    first = scan_directions(neuron, data)
    for a in (np.diag([1e-4, 1e3]), np.array([[1, 2], [-3, 1e3]]), np.array([[0, 1.0], [1, 0]])):
        other = scan_directions(neuron, LearningSet(data.inputs @ a.T, data.targets))
        assert (np.diff(other.angles) > 0).all()
        assert len(other.minima) == len(first.minima)
        for one, two in zip(first.minima, other.minima, strict=True):
            back = a.T @ two.direction
            assert np.allclose(one.direction, back / np.linalg.norm(back), atol=1e-8)


# ---------------------------------------------------------------- flat arcs


def test_where_nothing_is_active_the_loss_is_flat() -> None:
    data, beta = sets("relu", 1)[0], -1.5
    neuron = Neuron("relu", BatchNorm(beta=beta))
    scan = scan_directions(neuron, data)
    assert scan.flat
    for arc in scan.flat:
        assert arc.loss == pytest.approx(np.mean(data.targets**2))
        assert arc.begin < arc.end < arc.begin + 2 * np.pi
        inside = normalized(neuron, data, np.linspace(arc.begin, arc.end, 101)[1:-1])
        assert (inside < 0).all()
        # At its ends the first example becomes active.
        for end in (arc.begin, arc.end):
            assert np.abs(normalized(neuron, data, end).max()) < 1e-9
    # Brute force agrees on how much of the circle is flat.
    angles = 2 * np.pi * np.arange(COUNT) / COUNT
    share = np.mean((normalized(neuron, data, angles) <= 0).all(axis=1))
    assert sum(arc.end - arc.begin for arc in scan.flat) == pytest.approx(
        2 * np.pi * share, abs=1e-3
    )
    # No strict minimum lies in an arc.
    for ray in scan.minima:
        assert (normalized(neuron, data, np.arctan2(*ray.direction[::-1])) > 0).any()


@pytest.mark.parametrize(
    ("neuron", "targets"),
    [
        (Neuron("relu", BatchNorm(beta=-9)), [1, 2, 3, 4]),
        (Neuron("tanh", BatchNorm(gamma=0.0)), [1, 2, 3, 4]),
        (Neuron(normalization=BatchNorm()), [1, 1, -1, -1]),  # uncorrelated with the inputs
        (Neuron("leaky_relu", BatchNorm(gamma=0.0)), [0, 0, 0, 0]),
    ],
)
def test_a_loss_without_optima_is_one_flat_arc(neuron: Neuron, targets: list[float]) -> None:
    data = LearningSet([[1, 0], [-1, 0], [0, 1], [0, -1]], targets)
    scan = scan_directions(neuron, data)
    assert scan.minima == scan.maxima == []
    (arc,) = scan.flat
    assert arc.end - arc.begin == pytest.approx(2 * np.pi)


# ---------------------------------------------------------------- what hides between directions


def test_the_scan_looks_closer_where_the_derivative_comes_near_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cases = [(Neuron(n, BatchNorm()), data) for n in ("relu", "gelu") for data in sets(n, 20)]

    def found(n: int) -> Any:
        return np.array([len(scan_directions(*case, n=n).minima) for case in cases])

    expected, coarse = found(720), found(36)
    monkeypatch.setattr(
        directions._Circle, "closer", lambda _, where, values, level: (where, values)
    )
    assert (coarse != expected).sum() < (found(36) != expected).sum() / 2


# ---------------------------------------------------------------- other objects, errors


@dataclass(frozen=True)
class Sum:
    """The mean loss of two neurons: scale invariant, and no `Neuron`."""

    parts: tuple[Neuron, ...]

    def loss(self, weights: Any, data: LearningSet) -> Any:
        return np.mean([each.loss(weights, data) for each in self.parts], axis=0)

    def gradient(self, weights: Any, data: LearningSet) -> Any:
        return np.mean([each.gradient(weights, data) for each in self.parts], axis=0)


def test_anything_scale_invariant_can_be_scanned() -> None:
    data = sets("tanh", 1)[0]
    neuron = Neuron("tanh", BatchNorm())
    alone, twice = scan_directions(neuron, data), scan_directions(Sum((neuron, neuron)), data)
    assert twice.minima == alone.minima
    mixed = Sum((neuron, Neuron("silu", BatchNorm(center=False, gamma=0.5))))
    scan = scan_directions(mixed, data)
    for ray in scan.minima:
        assert np.abs(mixed.gradient(ray.direction, data)).max() < 1e-12
        curved = np.array([ray.direction @ [[c, s], [-s, c]] for c, s in TURNS])
        assert (mixed.loss(curved, data) > mixed.loss(ray.direction, data)).all()


TURNS = [(np.cos(a), np.sin(a)) for a in (-1e-3, 1e-3)]


@pytest.mark.parametrize(
    ("neuron", "inputs", "message"),
    [
        (Neuron("tanh"), [[1, 0], [0, 1], [1, 1]], "^neuron: its loss depends on the length"),
        (Neuron("tanh", BatchNorm(epsilon=0.1)), [[1, 0], [0, 1], [1, 1]], "^neuron: .*epsilon=0"),
        (Neuron("tanh", BatchNorm(scale=False)), [[1, 0], [0, 1], [1, 1]], "^neuron: .*scale=True"),
        (Sum((Neuron("tanh"),)), [[1, 0], [0, 1], [1, 1]], "^neuron: .*are no rays"),
        (NEURON, [[1, 0], [0, 1], [0.5, 0.5]], "^inputs: they lie on one line"),
        (NEURON, [[1, 0], [1, 0], [1, 0]], "^inputs: they lie on one line"),
        (NEURON, [[1e9, 1], [1e9 + 1, 1 + 1e-9], [1e9 - 1, 1 - 1e-9]], "^inputs: they lie on"),
        (Neuron("silu", BatchNorm(center=False)), [[1, 2], [2, 4], [0, 0]], "^inputs: they lie"),
        (NEURON, [[1, 0, 0], [0, 1, 0], [1, 1, 1]], "^data: has 3 inputs"),
    ],
)
def test_what_has_no_directions_is_refused(neuron: Any, inputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scan_directions(neuron, LearningSet(inputs, [1, 2, 4]))


@pytest.mark.parametrize("n", [15, 0, 20.0, True])
def test_a_grid_too_coarse_is_refused(n: Any) -> None:
    with pytest.raises(ValueError, match="^n: must be"):
        scan_directions(NEURON, counterexample(), n=n)


def test_a_wrong_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    data, neuron, right = sets("silu", 1)[0], Neuron("silu", BatchNorm()), Neuron.gradient
    compare_with_brute_force(neuron, data)
    monkeypatch.setattr(Neuron, "gradient", lambda self, w, d: right(self, w, d) + [0.01, 0.0])
    with pytest.raises(oracles.Disagreement):
        compare_with_brute_force(neuron, data)
