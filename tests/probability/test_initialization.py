"""The laws of W₀: against their known marginals in SciPy, and full draws against projections."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bn_experiments.probability import Gaussian, Sphere, Uniform, he, xavier
from tests.oracles import sampling

DIMENSIONS = pytest.mark.parametrize("d", [2, 3, 40])
N = 20_000


@DIMENSIONS
@pytest.mark.parametrize("law", [Gaussian(), Gaussian(0.3), Sphere(), Sphere(7.0)], ids=repr)
def test_drawn_coordinates_have_the_law_of_projected_full_draws(law: Any, d: int) -> None:
    sampling.compare_projection(law, d, seed=d)
    assert law.project(np.random.default_rng(0), 5, d).shape == (2, 5)


@DIMENSIONS
def test_gaussian_coordinates_are_normal(d: int) -> None:
    rng = np.random.default_rng(d)
    law = Gaussian(0.4)
    for sample in (*law.project(rng, N, d), law.sample(rng, N // d, d).ravel()):
        sampling.same_law("coordinate", sample, stats.norm(0, 0.4).cdf)
    sampling.same_law("square", (law.sample(rng, N, d) ** 2).sum(axis=1) / 0.16, stats.chi2(d).cdf)


@DIMENSIONS
def test_coordinates_of_the_sphere_have_its_beta_law(d: int) -> None:
    rng, law = np.random.default_rng(d), Sphere(5.0)
    full = law.sample(rng, N, d)
    assert np.allclose(np.linalg.norm(full, axis=1), 5.0, rtol=1e-14)
    known = stats.beta((d - 1) / 2, (d - 1) / 2)  # of (1 + a coordinate of a unit vector) / 2
    for sample in (*law.project(rng, N, d), full[:, 0], full @ np.ones(d) / np.sqrt(d)):
        sampling.same_law("coordinate", (1 + sample / 5.0) / 2, known.cdf)
    squares = (law.project(rng, N, d) ** 2).sum(axis=0) / 25
    if d == 2:
        assert np.allclose(squares, 1.0, rtol=1e-14)
    else:
        sampling.same_law("square", squares, stats.beta(1, (d - 2) / 2).cdf)


@pytest.mark.parametrize(
    ("law", "variance"), [(Gaussian(2.0), 4.0), (Sphere(2.0), 4 / 5), (Uniform(2.0), 4 / 3)]
)
def test_weights_are_uncorrelated_with_the_known_variance(law: Any, variance: float) -> None:
    w = law.sample(np.random.default_rng(1), N, 5)
    assert w.shape == (N, 5)
    # The standard error of a mean is √(variance/N); a covariance's is at most √2 variance/√N.
    assert (np.abs(w.mean(axis=0)) < 4.5 * np.sqrt(variance / N)).all()
    error = w.T @ w / N - variance * np.eye(5)
    assert (np.abs(error) < 4.5 * np.sqrt(2) * variance / np.sqrt(N)).all()


def rotated(w: Any) -> Any:
    """Return W₀ turned so that its first axis is the diagonal."""
    d = w.shape[1]
    normal = np.eye(d)[0] - np.ones(d) / np.sqrt(d)
    return w - 2 * (w @ normal)[:, None] * normal / (normal @ normal)


@DIMENSIONS
@pytest.mark.parametrize("law", [Gaussian(), Sphere(), Uniform()], ids=repr)
def test_rotation_invariance_is_there_exactly_where_it_is_claimed(law: Any, d: int) -> None:
    rng = np.random.default_rng(d)
    first, other = law.sample(rng, N, d)[:, 0], rotated(law.sample(rng, N, d))[:, 0]
    p = stats.ks_2samp(first, other).pvalue
    assert (p > 1e-4) if hasattr(law, "project") else (p < 1e-12)
    assert ("*Not* rotation" in law.__doc__) == (not hasattr(law, "project"))


def test_uniform_weights_are_uniform_within_the_bound() -> None:
    w = Uniform(0.7).sample(np.random.default_rng(2), N, 3)
    sampling.same_law("weight", w.ravel(), stats.uniform(-0.7, 1.4).cdf)


@pytest.mark.parametrize("d", [1, 2, 30])
def test_xavier_and_he_have_their_published_variances(d: int) -> None:
    normal, uniform, glorot = he(d, normal=True), he(d), xavier(d)
    assert isinstance(normal, Gaussian)
    assert np.isclose(normal.scale**2, 2 / d, rtol=1e-14)
    for law, variance in ((uniform, 2 / d), (glorot, 2 / (d + 1))):
        assert isinstance(law, Uniform)
        known = stats.uniform(-law.bound, 2 * law.bound).var()
        assert np.isclose(known, variance, rtol=1e-14)
    for each, variance in ((normal, 2 / d), (uniform, 2 / d), (glorot, 2 / (d + 1))):
        w = each.sample(np.random.default_rng(d), N, 2)
        # The standard error of a variance is at most √2 variance/√n.
        assert abs(w.var() / variance - 1) < 4.5 * np.sqrt(2 / w.size)


@pytest.mark.parametrize("law", [Gaussian(0.3), Sphere(2.0), Uniform(0.1), he(3), xavier(3)])
def test_a_law_survives_pickling_and_draws_the_same(law: Any) -> None:
    copy = pickle.loads(pickle.dumps(law))
    assert copy == law
    assert hash(copy) == hash(law)
    assert eval(repr(law)) == law
    draws = (each.sample(np.random.default_rng(3), 4, 2) for each in (law, copy))
    assert np.array_equal(*draws)


@pytest.mark.parametrize(
    ("law", "name"), [(Gaussian, "scale"), (Sphere, "radius"), (Uniform, "bound")]
)
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, "wide", [1.0, 2.0]])
def test_a_size_that_is_not_positive_is_refused_by_name(law: Any, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}: "):
        law(value)


@pytest.mark.parametrize("law", [he, xavier, partial(he, normal=True)])
@pytest.mark.parametrize("d", [0, -3])
def test_a_neuron_without_inputs_is_refused_by_name(law: Any, d: int) -> None:
    with pytest.raises(ValueError, match="^d: "):
        law(d)
    with pytest.raises(ValueError, match="^d: a plane needs at least 2 weights, got 1"):
        Sphere().project(np.random.default_rng(0), 5, 1)
