"""Angles under random weights: against weighted regressions and the ordinary bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import bnlib
from bn_experiments import datasets
from bn_experiments.datasets import load_tasks
from bn_experiments.probability import resampled_angles
from bnlib import LearningSet
from tests.oracles import sampling


@pytest.mark.parametrize("source", ["iris", "wine", "diabetes", "linnerud"])
def test_random_weights_give_the_angles_of_weighted_regressions(source: str) -> None:
    data = load_tasks([source])[-1].data
    found = resampled_angles(data, np.random.default_rng(4), 5)
    rng = np.random.default_rng(4)
    for angle in found:
        weights = rng.dirichlet(np.ones(data.m))
        fits = [
            LinearRegression(fit_intercept=intercept)
            .fit(data.inputs, data.targets, sample_weight=weights)
            .coef_
            for intercept in (False, True)
        ]
        assert angle == pytest.approx(sampling.arc(*fits), abs=1e-5)


def test_the_spread_is_that_of_the_ordinary_bootstrap() -> None:
    data = load_tasks(["iris"])[1].data
    rng = np.random.default_rng(5)
    rows = rng.integers(0, data.m, (2000, data.m))
    ordinary = datasets.stacked_optima(data.inputs[rows], data.targets[rows]).angles
    weighted = resampled_angles(data, rng, 2000)
    assert weighted.std() == pytest.approx(ordinary.std(), rel=0.15)
    assert weighted.mean() == pytest.approx(ordinary.mean(), abs=0.15 * ordinary.std())


def test_inputs_that_vary_in_one_example_survive_random_weights() -> None:
    rng = np.random.default_rng(6)
    x = np.column_stack([rng.normal(1.0, 1.0, 40), np.eye(40)[0]])
    angles = resampled_angles(LearningSet(x, rng.normal(1.0, 1.0, 40)), rng, 100)
    assert np.isfinite(angles).all()
    assert angles.std() > 0


def test_bad_input_is_refused_with_a_reason() -> None:
    rng = np.random.default_rng(7)
    flat = LearningSet([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [2.0, 0.0, 5.0])
    with pytest.raises(ValueError, match="^n: must be at least 2"):
        resampled_angles(bnlib.counterexample(), rng, 1)
    with pytest.raises(ValueError, match="^data: constant or collinear"):
        resampled_angles(flat, rng, 10)
    with pytest.raises(ValueError, match="^data: expected a LearningSet"):
        resampled_angles("iris", rng, 10)  # type: ignore[arg-type]
