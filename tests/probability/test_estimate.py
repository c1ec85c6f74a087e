"""Estimates against NumPy and SciPy, their coverage and display; angles under random weights."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bn_experiments.datasets import load_tasks, stacked_optima
from bn_experiments.probability import Estimate, resampled_angles
from bnlib import LearningSet, counterexample
from tests import oracles
from tests.oracles import sampling


@oracles.each([3, 7, 1000])
def test_means_and_standard_errors_agree_with_numpy_and_scipy(n):
    sampling.compare_estimate(seed=n, n=n)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_a_mean_of_integers_has_the_standard_error_of_the_sample(sample):
    total, squares = sum(sample), sum(each**2 for each in sample)
    estimate = Estimate.of_mean(total, squares, len(sample))
    size = max(map(abs, sample)) or 1
    oracles.agree("mean", estimate.value, np.mean(sample), 1e-15, size)
    # The variance is a difference of numbers of size² and exact to rounding of these.
    oracles.agree("square", estimate.standard_error**2, stats.sem(sample) ** 2, 1e-14, size**2)


@oracles.each([0.1, 1 / 3, 1e8 + 0.1])
def test_a_constant_sample_has_no_standard_error_and_never_a_nan(value):
    estimate = Estimate.of_mean(7 * value, 7 * value**2, 7)
    assert 0 <= estimate.standard_error < 1e-7 * value
    assert np.isclose(estimate.value, value)


def test_estimates_are_values_and_as_far_off_as_their_standard_errors_say():
    # 4000 scores of variance 1: the variance of a sample of them errs by √(2/4000).
    scores = {}
    for p in (0.5, 0.53, 0.95):
        counts = np.random.default_rng(1).binomial(2000, p, 4000)
        scores[p] = [Estimate.of_proportion(int(each), 2000).z_score(p) for each in counts]
        assert abs(np.mean(scores[p])) < 4.5 / np.sqrt(4000) + 1e-2
    samples = np.random.default_rng(2).exponential(2.0, (4000, 2000))
    totals = zip(samples.sum(axis=1), (samples**2).sum(axis=1), strict=True)
    scores["mean"] = [Estimate.of_mean(*each, 2000).z_score(2.0) for each in totals]
    for name, each in scores.items():
        assert abs(np.var(each) - 1) < 4.5 * np.sqrt(2 / 4000) + 1e-2, name
    one = Estimate(0.53, 0.01, 100)
    assert pickle.loads(pickle.dumps(one)) == one == Estimate(0.53, 0.01, 100)
    assert one != Estimate(0.53, 0.01, 101)
    assert np.isclose(one.z_score(0.50), 3.0)
    assert np.isclose(one.z_score(0.55), -2.0)


@oracles.each([2, 10, 10**7])
def test_agreement_of_all_trials_is_not_certainty(n):
    for hits in (0, n):
        estimate = Estimate.of_proportion(hits, n)
        assert estimate.value == hits / n
        assert 1 / (2 * n) < estimate.standard_error < 1.1 / n


@oracles.each(
    [
        (0.53478, 0.00049, "0.53478 ± 0.00049"),
        (0.53478, 0.0012, "0.5348 ± 0.0012"),
        (123.456, 4.56, "123.5 ± 4.6"),
        (1234.5, 120.0, "1234 ± 120"),
        (-0.25, 0.1, "-0.25 ± 0.10"),
        (1.0, 0.0, "1.0000 ± 0.0000"),
        (1.0, np.inf, "1.0000 ± inf"),
    ]
)
def test_shown_digits_are_those_that_the_standard_error_supports(case):
    assert repr(Estimate(*case[:2], 10)) == case[2]


@given(st.floats(-1e3, 1e3), st.floats(1e-9, 1e2))
def test_what_is_shown_is_within_a_tenth_of_a_standard_error(value, error):
    shown, spread = map(float, re.split(" ± ", repr(Estimate(value, error, 10))))
    assert abs(shown - value) <= max(0.051 * error, 0.5 if error >= 10 else 0.0) + 1e-12
    assert abs(spread - error) <= max(0.051 * error, 0.5 if error >= 10 else 0.0)


def test_what_has_no_estimate_or_cannot_be_resampled_is_refused():
    for n in (1, 0, -3):
        message = f"n: must be at least 2, got {n}"
        oracles.refused(f"^{message}", Estimate.of_mean, 1.0, 1.0, n)
        oracles.refused(f"^{message}", Estimate.of_proportion, 0, n)
    for values in ((np.inf, 1.0), (1.0, np.inf)):
        oracles.refused("^total(_of_squares)?: .* is inf", Estimate.of_mean, *values, 3)
    for count in (-1, 4):
        message = f"count: must .* 0.*, got {count}"
        oracles.refused(f"^{message}", Estimate.of_proportion, count, 3)
    flat = LearningSet([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [2.0, 0.0, 5.0])
    for data, n, message in (
        (counterexample(), 1, "n: must be at least 2"),
        (flat, 10, "data: constant or collinear"),
        ("iris", 10, "data: expected a LearningSet"),
    ):
        oracles.refused(f"^{message}", resampled_angles, data, np.random.default_rng(7), n)


@oracles.each(["iris", "wine", "diabetes", "linnerud"])
def test_random_weights_give_the_angles_of_weighted_regressions(source):
    data = load_tasks([source])[-1].data
    rng = np.random.default_rng(4)
    for angle in resampled_angles(data, np.random.default_rng(4), 5):
        weights = rng.dirichlet(np.ones(data.m))
        star, slope, _ = sampling.fits(data.inputs, data.targets, sample_weight=weights)
        assert angle == pytest.approx(sampling.arc(star, slope), abs=1e-5)


def test_the_spread_is_that_of_the_bootstrap_and_one_example_may_hold_an_input():
    data = load_tasks(["iris"])[1].data
    rng = np.random.default_rng(5)
    rows = rng.integers(0, data.m, (2000, data.m))
    ordinary = stacked_optima(data.inputs[rows], data.targets[rows]).angles
    weighted = resampled_angles(data, rng, 2000)
    assert weighted.std() == pytest.approx(ordinary.std(), rel=0.15)
    assert weighted.mean() == pytest.approx(ordinary.mean(), abs=0.15 * ordinary.std())
    rng = np.random.default_rng(6)
    x = np.column_stack([rng.normal(1.0, 1.0, 40), np.eye(40)[0]])
    angles = resampled_angles(LearningSet(x, rng.normal(1.0, 1.0, 40)), rng, 100)
    assert np.isfinite(angles).all()
    assert angles.std() > 0
