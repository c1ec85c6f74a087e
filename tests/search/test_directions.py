"""BN rays from a scan: against the closed form, and against brute force on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments.search import directions, scan_directions, slope_rounding
from bnlib import BatchNorm, LearningSet, Neuron, counterexample
from bnlib.activations import ACTIVATIONS
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.oracles.plain import PHI, drawn, normalized

COUNT = 200_000
GRID = 2 * np.pi * np.arange(COUNT) / COUNT
GELU = Neuron("gelu", BatchNorm())


def angle_of(ray):
    return float(np.arctan2(*ray.direction[::-1]))


def compare_with_brute_force(neuron, data):
    """Compare the minima, their number and their losses with those of 200 000 directions.

    The grid's error in the angle is half a step, 2e-5; where the loss is flat at the minimum
    rounding adds to it.
    """
    found = scan_directions(neuron, data).minima
    phi = PHI[str(neuron.activation)]
    loss = ((phi(normalized(neuron, data, GRID)) - data.targets) ** 2).mean(axis=-1)
    lower = (loss < np.roll(loss, 1)) & (loss <= np.roll(loss, -1))
    if lower.sum() != len(found):
        raise oracles.Disagreement(f"rays: {len(found)} found, {lower.sum()} on the grid")
    for ray in found:
        gap = np.abs((GRID[lower] - angle_of(ray) + np.pi) % (2 * np.pi) - np.pi)
        nearest, value = np.flatnonzero(lower)[np.argmin(gap)], neuron.loss(ray.direction, data)
        if gap.min() > 1e-4:
            raise oracles.Disagreement(f"ray: {ray} is not on the grid")
        oracles.agree("loss", value, loss[nearest], 1e-7, 1 + value)
        if value > loss[nearest] + 1e-12 * (1 + value):
            raise oracles.Disagreement(f"ray: at {ray} the grid is lower")


@given(oracles.well_conditioned(max_d=2, min_d=2), st.sampled_from([1.0, -2.0]))
def test_the_identity_has_one_ray_in_closed_form(data, gamma):
    for norm in (BatchNorm(gamma=gamma), BatchNorm(center=False, gamma=gamma)):
        (expected,) = linear_optima(data, norm)
        scan = scan_directions(Neuron(normalization=norm), data)
        assert len(scan.minima) == 1
        oracles.agree("ray", scan.minima[0].direction, expected.direction, 1e-9)
        assert scan.flat == []


@oracles.each(list(ACTIVATIONS))
def test_brute_force_finds_the_same_rays_and_a_finer_scan_no_others(name):
    neuron, data = Neuron(name, BatchNorm()), drawn(name, 20, seed=3)
    for each in data[:3]:
        compare_with_brute_force(neuron, each)
    compare_with_brute_force(Neuron(name, BatchNorm(gamma=-2.5, beta=0.7)), data[2])
    compare_with_brute_force(Neuron(name, BatchNorm(center=False)), data[2])
    for i, each in enumerate(data):
        few, many = (scan_directions(neuron, each, n=n).minima for n in (720, 1440))
        assert len(few) == len(many) >= 1, i
        for one, other in zip(few, many, strict=True):
            assert np.allclose(one.direction, other.direction, atol=1e-7), i
        assert (np.diff([neuron.loss(ray.direction, each) for ray in few]) >= -1e-15).all(), i


def test_minima_are_zeros_of_the_gradient_or_kinks():
    kinks = 0
    for name in ("relu", "leaky_relu", "gelu"):
        neuron = Neuron(name, BatchNorm())
        for data in drawn(name, 8, seed=3):
            for ray in scan_directions(neuron, data).minima:
                z = np.abs(normalized(neuron, data, angle_of(ray))).min()
                if np.abs(neuron.gradient(ray.direction, data)).max() > 1e-12:
                    assert name != "gelu"
                    assert z < 1e-13, name
                    kinks += 1
                elif name != "gelu":
                    assert z > 1e-10, name
    assert kinks > 2


@oracles.each(["tanh", "silu", "leaky_relu"])
def test_rays_follow_a_linear_map_of_the_inputs(name):
    # X → X Aᵀ takes the rays to those of A⁻ᵀ, however much A stretches and shears.
    (data,), neuron = drawn(name, 1, seed=3), Neuron(name, BatchNorm())
    first = scan_directions(neuron, data).minima
    for a in (np.diag([1e-4, 1e3]), np.array([[1, 2], [-3, 1e3]]), np.array([[0, 1.0], [1, 0]])):
        other = scan_directions(neuron, LearningSet(data.inputs @ a.T, data.targets)).minima
        for one, two in zip(first, other, strict=True):
            back = a.T @ two.direction
            assert np.allclose(one.direction, back / np.linalg.norm(back), atol=1e-8), a


def test_where_nothing_is_active_or_no_optimum_is_the_loss_is_flat():
    (data,), neuron = drawn("relu", 1, seed=3), Neuron("relu", BatchNorm(beta=-1.5))
    scan = scan_directions(neuron, data)
    assert scan.flat
    for arc in scan.flat:
        assert arc.kind == "plateau"
        assert arc.loss == pytest.approx(np.mean(data.targets**2))
        assert arc.begin < arc.end < arc.begin + 2 * np.pi
        inside = normalized(neuron, data, np.linspace(arc.begin, arc.end, 101)[1:-1])
        assert (inside < 0).all()
        # At its ends the first example becomes active.
        for end in (arc.begin, arc.end):
            assert np.abs(normalized(neuron, data, end).max()) < 1e-9
    # Brute force agrees on how much of the circle is flat.
    share = np.mean((normalized(neuron, data, GRID) <= 0).all(axis=1))
    size = sum(arc.end - arc.begin for arc in scan.flat)
    assert size == pytest.approx(2 * np.pi * share, abs=1e-3)
    # No strict minimum lies in an arc.
    for ray in scan.minima:
        assert (normalized(neuron, data, angle_of(ray)) > 0).any()
    for neuron, targets in (
        (Neuron("relu", BatchNorm(beta=-9)), [1, 2, 3, 4]),
        (Neuron("tanh", BatchNorm(gamma=0.0)), [1, 2, 3, 4]),
        (Neuron(normalization=BatchNorm()), [1, 1, -1, -1]),  # uncorrelated with the inputs
        (Neuron("leaky_relu", BatchNorm(gamma=0.0)), [0, 0, 0, 0]),
    ):
        scan = scan_directions(neuron, LearningSet([[1, 0], [-1, 0], [0, 1], [0, -1]], targets))
        assert scan.minima == [], neuron
        (arc,) = scan.flat
        assert arc.end - arc.begin == pytest.approx(2 * np.pi), neuron


def test_the_scan_looks_closer_where_the_derivative_comes_near_zero(monkeypatch):
    cases = [(Neuron(n, BatchNorm()), data) for n in ("relu", "gelu") for data in drawn(n, 20, 3)]

    def found(n):
        return np.array([len(scan_directions(*case, n=n).minima) for case in cases])

    expected, coarse = found(720), found(36)
    monkeypatch.setattr(directions._Circle, "closer", lambda _, where, values, __: (where, values))
    assert (coarse != expected).sum() < (found(36) != expected).sum() / 2


@dataclass(frozen=True)
class Sum:
    """The mean loss of two neurons: scale invariant, and no `Neuron`."""

    parts: tuple[Neuron, ...]

    def columns(self, data):
        return self.parts[0].columns(data)

    def loss(self, weights, data):
        return np.mean([each.loss(weights, data) for each in self.parts], axis=0)

    def gradient(self, weights, data):
        return np.mean([each.gradient(weights, data) for each in self.parts], axis=0)

    def slope_rounding(self, weights, data, along):
        each = [slope_rounding(part, weights, data, along) for part in self.parts]
        return np.mean(each, axis=0) + oracles.EPS * np.sum(each, axis=0)


def test_anything_scale_invariant_can_be_scanned():
    (data,), neuron = drawn("tanh", 1, seed=3), Neuron("tanh", BatchNorm())
    assert scan_directions(Sum((neuron,) * 2), data).minima == scan_directions(neuron, data).minima
    mixed = Sum((neuron, Neuron("silu", BatchNorm(center=False, gamma=0.5))))
    for ray in scan_directions(mixed, data).minima:
        assert np.abs(mixed.gradient(ray.direction, data)).max() < 1e-12
        turns = [(np.cos(a), np.sin(a)) for a in (-1e-3, 1e-3)]
        curved = np.array([ray.direction @ [[c, s], [-s, c]] for c, s in turns])
        assert (mixed.loss(curved, data) > mixed.loss(ray.direction, data)).all()
    # A bias is one more weight, and without centring a positive factor of both changes nothing.
    bias = Neuron("tanh", BatchNorm(center=False), bias=True)
    line = LearningSet([[1], [2], [4]], [0.1, 0.7, 0.3])
    plane = LearningSet([[1, 1], [2, 1], [4, 1]], line.targets)
    expected = scan_directions(Neuron("tanh", BatchNorm(center=False)), plane).minima
    assert scan_directions(bias, line).minima == expected


def test_what_has_no_directions_is_refused():
    off_line = [[1, 0], [0, 1], [1, 1]]
    for neuron, inputs, message in (
        (Neuron("tanh"), off_line, "^neuron: its loss depends on the length.*epsilon=0"),
        (Neuron("tanh", BatchNorm(epsilon=0.1)), off_line, "^neuron: .*epsilon=0"),
        (Neuron("tanh", BatchNorm(epsilon=1e-30)), off_line, "^neuron: .*epsilon=0"),
        (Neuron("tanh", BatchNorm(scale=False)), off_line, "^neuron: .*scale=True"),
        (Sum((Neuron("tanh"),)), off_line, "^neuron: .*are no rays"),
        (GELU, [[1, 0], [0, 1], [0.5, 0.5]], "^inputs: they lie on one line"),
        (GELU, [[1, 0], [1, 0], [1, 0]], "^inputs: they lie on one line"),
        (GELU, [[1e9, 1], [1e9 + 1, 1 + 1e-9], [1e9 - 1, 1 - 1e-9]], "^inputs: they lie on"),
        (Neuron("silu", BatchNorm(center=False)), [[1, 2], [2, 4], [0, 0]], "^inputs: they lie"),
        (GELU, [[1, 0, 0], [0, 1, 0], [1, 1, 1]], "^data: the neuron has 3 weights"),
    ):
        oracles.refused(message, scan_directions, neuron, LearningSet(inputs, [1, 2, 4]))
    for n in (15, 0, 20.0, True):
        oracles.refused("^n: must be", scan_directions, GELU, counterexample(), n=n)


def test_a_wrong_gradient_is_caught(monkeypatch):
    (data,), neuron, right = drawn("silu", 1, 3), Neuron("silu", BatchNorm()), Neuron.gradient
    compare_with_brute_force(neuron, data)
    monkeypatch.setattr(Neuron, "gradient", lambda self, w, d: right(self, w, d) + [0.01, 0.0])
    with pytest.raises(oracles.Disagreement):
        compare_with_brute_force(neuron, data)
