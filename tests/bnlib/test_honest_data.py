"""Data that people have: offsets, units and powers. Each case stands for a kind."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from bn_experiments.datasets import PREPARATIONS, prepare, stacked_optima
from bn_experiments.probability import verdict
from bn_solver.doubled import length
from bn_solver.linear_fit import linear_fit
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma
from bnlib._projection import Projection, distance
from bnlib.closed_form import _point
from tests import oracles
from tests.solver.exact import WHOLE

STANDARD, BN = Neuron(), Neuron(normalization=BatchNorm())

# Longley's six columns: J. W. Longley, JASA 62 (1967), also in NIST's Statistical Reference Data.
LONGLEY = np.loadtxt(Path(__file__).with_name("longley.csv"), delimiter=",")


@oracles.each([0.0, 1e4, 1e8, 1e12])
def test_a_line_far_from_zero_has_its_slope(offset):
    x = offset + np.arange(5.0)
    data = LearningSet(x[:, None], 2 * x + 1)
    for norm in (BatchNorm(scale=False), BatchNorm(epsilon=1e-3, gamma=10.0), BatchNorm()):
        (found,) = Neuron(normalization=norm).optima(data)
        if norm.scale and not norm.epsilon:
            assert found.direction.tolist() == [1.0]
        else:  # with ε: √ε û / (γ √(1 − (τ/γ)²)), where τ² = 4 · 2
            scale = np.sqrt(1e-3 / (1 - 0.08)) / 10 if norm.scale else 1.0
            oracles.agree("slope", found.weights, [2 * scale], 1e-15)
    assert stacked_optima(data.inputs, data.targets).slopes.tolist() == [2.0]


def test_numbers_far_from_zero_keep_their_digits():
    sine = np.sin(0.01 * np.arange(117_001))
    x = np.column_stack([1.7e9 + 0.001 * np.arange(117_000), sine[1:], sine[:-1]])
    data = LearningSet(x, 2 * x[:, 1] - x[:, 2] + 20)
    (found,) = Neuron(normalization=BatchNorm(scale=False)).optima(data)
    oracles.agree("slope", found.weights, [0.0, 2.0, -1.0], 1e-11)  # the targets are rounded
    y = 1e12 + 0.001 * np.arange(16)
    # The floats are what they are: their exact differences from 1e12, centred, are small numbers.
    small = y - 1e12
    small = small - small.mean()
    z = BatchNorm().forward(y)
    oracles.agree("output", z, small / np.sqrt((small**2).mean()), 1e-14)
    assert abs(z.mean()) < 1e-15
    oracles.agree("std", LearningSet(y[:, None], y).target_std, small.std(), 1e-14)
    z = BatchNorm(epsilon=1e-5).forward(1.7e18 + np.array([0.0, 512, 1024]))
    end = 512 / np.sqrt(512**2 * 2 / 3 + 1e-5)  # 1.2247
    oracles.agree("output", z, [-end, 0, end], 1e-15)


@oracles.each(WHOLE | {"Longley": 10 * LONGLEY})  # integers
def test_targets_that_are_a_sum_of_the_inputs_violate_nothing(x):
    data = LearningSet(x.round(), x.round() @ np.ones(x.shape[1]))
    (star,), (ray,) = STANDARD.optima(data), BN.optima(data)
    assert star.weights.tolist() == [1.0] * data.d
    starts = np.random.default_rng(0).normal(size=(100_000, data.d))
    check = check_lemma(starts, [star], [ray])
    assert not (check.violated | check.undecided).any()
    # Equality is known by structure: both sides are one number, not two that are close.
    assert (check.left == check.right)[check.applies].all()
    assert not check.error[check.applies].any()
    assert verdict(starts[:100], [star], [ray]) == "equal"


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e160, 1e300])
def test_preparations_work_at_every_size(size):
    rng = np.random.default_rng(1)
    x, t = 2 + rng.normal(size=(9, 3)), rng.normal(size=9)
    for each in PREPARATIONS[1:]:
        right = prepare(LearningSet(x, t), each).inputs
        found = prepare(LearningSet(x * size, t), each).inputs
        unit = size if each == "centred" else 1.0
        oracles.agree(each, found / unit, right, 1e-9 if size < 1e-300 else 1e-14)


def test_the_error_of_a_check_covers_every_point_within_that_of_the_optimum():
    star, ray, starts = np.array([2.0, 0.0]), [Ray([3, 4])], [[1.0, 1.0], [0.5, 2.0], [3.0, -1.0]]
    check = check_lemma(starts, [Point(star, 1e-3)], ray)
    for moved in ([1e-3, 0], [0, 1e-3], [0, -1e-3]):
        other = check_lemma(starts, [Point(star + moved)], ray)
        change = (other.left - other.right) - (check.left - check.right)
        assert (np.abs(change) <= check.error).all()


def test_a_projection_is_as_close_to_the_exact_one_as_it_says():
    star, *starts = np.random.default_rng(0).normal(size=(201, 3))
    square = np.sum(np.square(starts), axis=1)
    found = Projection(np.array(starts), square, np.sqrt(square), Point(star))
    size = sum(Fraction(each) ** 2 for each in star)
    for start, along, off in zip(starts, found.along, found.error, strict=True):
        inner = sum(Fraction(a) * Fraction(b) for a, b in zip(start, star, strict=True))
        low, high = Fraction(along) - Fraction(off), Fraction(along) + Fraction(off)
        assert low * abs(low) * size <= inner * abs(inner) <= high * abs(high) * size


@oracles.each([([9, 9, 0], [0.01, 0, 0]), ([9, 9, 9], [0.01, 0, 0]), ([0, 0, 0.01], [9, 9, 0])])
def test_what_a_kernel_may_be_off_by_is_within_what_they_say(start, star):
    w, off = np.array([start], dtype=float), 1e-3
    square = (w**2).sum(axis=1)
    known = Point(star, along=[[0], [0], [1]], along_error=off)
    true = Point(star, along=[[0], [np.sin(off)], [np.cos(off)]])
    one, other = (Projection(w, square, np.sqrt(square), each) for each in (known, true))
    assert 0 < np.abs(one.along - other.along) <= one.error
    assert np.abs(np.sqrt(one.gap) - np.sqrt(other.gap)) <= one.error
    (found, error), (exact, _) = distance(one), distance(other)
    assert 0 < np.abs(np.sqrt(found) - np.sqrt(exact)) <= error


@pytest.mark.parametrize("unit", [1.0, 2.0**-1065])  # a quotient of the smaller one loses bits
@pytest.mark.parametrize("gamma", [3.0, -7.0, 0.3, 1.5, 2.0])
def test_an_exact_fit_divided_by_gamma_says_how_far_it_is_off(gamma, unit):
    neuron = Neuron(normalization=BatchNorm(scale=False, gamma=gamma))
    for k in range(1, 40):
        targets = unit * np.array([k + 5.0, k - 5, 5 - k, -k - 5])
        data = LearningSet([[1, 1], [1, -1], [-1, 1], [-1, -1]], targets)
        (star,) = neuron.optima(data)
        pairs = zip(star.weights, (k * unit, 5 * unit), strict=True)
        off = [Fraction(float(each)) - Fraction(right) / Fraction(gamma) for each, right in pairs]
        assert sum(each**2 for each in off) <= Fraction(star.error) ** 2
        assert star.error <= 5 * oracles.EPS * length(star.weights) + 3 * 5e-324
        fit = linear_fit(data.inputs, data.targets, intercept=True, bias=False)
        assert _point(fit._replace(error=unit), lost=0.5).error > unit
        for error in oracles.EPS * np.array([1.0, 4.0, 16.0]) * length(fit.solution):
            point = _point(fit._replace(error=float(error)), divisor=gamma)
            assert point.error >= (error / abs(gamma) + star.error) * (1 - 1e-9)
