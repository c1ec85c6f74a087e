"""Angles under random weights: against weighted regressions and the ordinary bootstrap."""

import numpy as np
import pytest

from bn_experiments.datasets import load_tasks, stacked_optima
from bn_experiments.probability import resampled_angles
from bnlib import LearningSet, counterexample
from tests import oracles
from tests.oracles import sampling


@oracles.each(["iris", "wine", "diabetes", "linnerud"])
def test_random_weights_give_the_angles_of_weighted_regressions(source):
    data = load_tasks([source])[-1].data
    rng = np.random.default_rng(4)
    for angle in resampled_angles(data, np.random.default_rng(4), 5):
        weights = rng.dirichlet(np.ones(data.m))
        star, slope, _ = sampling.fits(data.inputs, data.targets, sample_weight=weights)
        assert angle == pytest.approx(sampling.arc(star, slope), abs=1e-5)


def test_the_spread_is_that_of_the_ordinary_bootstrap():
    data = load_tasks(["iris"])[1].data
    rng = np.random.default_rng(5)
    rows = rng.integers(0, data.m, (2000, data.m))
    ordinary = stacked_optima(data.inputs[rows], data.targets[rows]).angles
    weighted = resampled_angles(data, rng, 2000)
    assert weighted.std() == pytest.approx(ordinary.std(), rel=0.15)
    assert weighted.mean() == pytest.approx(ordinary.mean(), abs=0.15 * ordinary.std())


def test_inputs_that_vary_in_one_example_survive_random_weights():
    rng = np.random.default_rng(6)
    x = np.column_stack([rng.normal(1.0, 1.0, 40), np.eye(40)[0]])
    angles = resampled_angles(LearningSet(x, rng.normal(1.0, 1.0, 40)), rng, 100)
    assert np.isfinite(angles).all()
    assert angles.std() > 0


def test_bad_input_is_refused_with_a_reason():
    flat = LearningSet([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [2.0, 0.0, 5.0])
    for data, n, message in (
        (counterexample(), 1, "n: must be at least 2"),
        (flat, 10, "data: constant or collinear"),
        ("iris", 10, "data: expected a LearningSet"),
    ):
        sampling.refused(message, resampled_angles, data, np.random.default_rng(7), n)
