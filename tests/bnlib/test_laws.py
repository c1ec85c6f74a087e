"""The laws of random initialization: quadrature, simulation, limits and the library's check."""

import itertools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from bn_experiments import exact
from bnlib import Point, Ray, check_lemma, failure_probability, mean_excess
from tests import oracles

ANGLES = [1e-2, np.arctan(2 / 9), 0.7, np.pi / 2, 2.0, 3.1, np.pi]


@oracles.each(ANGLES)
def test_both_laws_agree_with_quadrature(angle):
    oracles.compare_laws_with_quadrature(angle)


@oracles.each(itertools.product([np.arctan(2 / 9), 1.0, 2.5], [2, 3, 50]))
def test_both_laws_agree_with_simulation_in_every_dimension(angle, d):
    oracles.compare_laws_with_simulation(angle, d, seed=d)


@oracles.each(itertools.product([np.arctan(2 / 9), 1.0, 2.5], [2, 3, 50]))
def test_every_reading_agrees_with_counting(angle, d):
    starts = np.random.default_rng(d).normal(size=(100_000, d))
    u = np.eye(d)[0] * np.cos(angle) + np.eye(d)[1] * np.sin(angle)
    check = check_lemma(starts, [Point(np.eye(d)[0])], [Ray(u)])
    n, closest = (np.count_nonzero(check.applies & each) for each in (True, check.exists))
    for reading, counted in check.failure_rate._asdict().items():
        law, size = failure_probability(angle, reading), closest if reading[0] == "g" else n
        assert abs(counted - law) < 4 * np.sqrt(law * (1 - law) / size), reading
        assert abs(law - float(exact.failure_probability(angle, reading))) < 1e-15
    assert abs(closest / n - (1 - angle / np.pi)) < 2 / np.sqrt(n)
    gaps = -check.margin[check.applies & check.exists]
    assert abs(gaps.mean()) < 4 * gaps.std() / np.sqrt(closest)


def test_a_reflection_swaps_the_two_sides_where_an_optimum_is_closest():
    star, u = np.array([3.0, 1.0]) / np.sqrt(10), np.array([5.0, 3.0]) / np.sqrt(34)
    across = (star - u) / np.linalg.norm(star - u)
    starts = np.random.default_rng(8).normal(size=(1000, 2))
    starts = starts[(starts @ star > 0) & (starts @ u > 0)]
    mirrored = starts - 2 * np.outer(starts @ across, across)
    one, other = (check_lemma(w, [Point(star)], [Ray(u)]) for w in (starts, mirrored))
    assert (one.applies & one.exists & other.applies & other.exists).all()
    oracles.agree("sides", one.left, other.right, 1e-12)
    assert (one.violated != other.violated).all()


def test_known_values_the_jump_at_zero_and_readings_that_do_not_exist():
    for arguments in ((1.0, "weak"), (np.pi, "given_closest")):
        oracles.refused("reading: .* is unknown|angle: at π", failure_probability, *arguments)
        with pytest.raises(ValueError, match="reading(, angle)?: "):
            exact.failure_probability(sp.pi if arguments[0] > 3 else 1, arguments[1])
    values = [failure_probability(a) for a in (0, 5e-324, np.pi / 2, np.pi)]
    assert values == [0.0, 0.5, 0.75, 1.0]
    assert mean_excess(0) == 0.0
    oracles.agree("mean", mean_excess([np.pi / 2, np.pi], 3.0), [4.5, 9.0], 1e-15)


def test_the_check_of_the_lemma_obeys_both_laws():
    starts = 2.0 * np.random.default_rng(6).normal(size=(400_000, 2))
    check = check_lemma(starts, [Point([3, 1])], [Ray([5, 3])])
    theta = np.arctan(2 / 9)
    hits, gaps = check.violated[check.applies], -check.margin[check.applies]
    root = np.sqrt(len(gaps))
    assert abs(hits.mean() - failure_probability(theta)) < 4 * hits.std() / root
    assert abs(gaps.mean() - mean_excess(theta, 2.0)) < 4 * gaps.std() / root


def test_another_rotation_invariant_law_has_the_same_probability():
    rng = np.random.default_rng(7)
    starts = rng.normal(size=(300_000, 3))
    starts *= rng.uniform(0, 9, (300_000, 1)) / np.linalg.norm(starts, axis=1, keepdims=True)
    check = check_lemma(starts, [Point([1, 0, 0])], [Ray([np.cos(1.2), 0, np.sin(1.2)])])
    hits = check.violated[check.applies]
    error = hits.std() / np.sqrt(len(hits))
    assert abs(hits.mean() - failure_probability(1.2)) < 4 * error


@given(st.floats(1e-12, np.pi) | st.floats(0.009, 0.00999))
def test_laws_keep_their_digits_at_every_angle(angle):
    with mp.workdps(60):
        theta = mp.mpf(angle)
        infimum, strict = (float(0.5 + k * theta / (2 * mp.pi)) for k in (1, -1))
        mean = float((2 * theta - mp.sin(2 * theta)) / (2 * mp.pi))
    oracles.agree("infimum", failure_probability(angle), infimum, 1e-15)
    oracles.agree("strict", failure_probability(angle, "strict"), strict, 1e-15, 1.0)
    assert angle == np.pi or failure_probability(angle, "given_closest") == 0.5
    oracles.agree("mean", mean_excess(angle), mean, 1e-11 if angle >= 0.01 else 1e-14)


@given(st.lists(st.floats(0, np.pi), min_size=2, max_size=9))
def test_laws_grow_with_the_angle_and_take_any_shape(angles):
    ordered = np.sort(angles)
    for law in (failure_probability, mean_excess):
        assert (np.diff(law(ordered)) >= -1e-15).all()
        table = law(np.tile(ordered, (2, 3, 1)))
        assert table.shape == (2, 3, len(angles))
        assert (table[1, 2] == [law(a) for a in ordered]).all()


def test_the_mean_is_in_squared_units_of_the_scale():
    for scale in (1e-150, 1e-3, 1e150):
        oracles.agree("mean", mean_excess(1.0, scale) / scale / scale, mean_excess(1.0), 1e-14)
    oracles.refused("scale: ", mean_excess, 1.0, 1e200)
