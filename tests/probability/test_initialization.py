"""The laws of W₀: against their known marginals in SciPy, and full draws against projections."""

import itertools
import pickle
from functools import partial

import numpy as np
from scipy import stats

from bn_experiments.probability import Gaussian, Sphere, Uniform, he
from tests import oracles
from tests.oracles import sampling

DIMENSIONS = [2, 3, 40]
N = 20_000
# The laws of one weight, and of the sum of squares of two.
KNOWN = {
    Gaussian(0.4): lambda d: (stats.norm(0, 0.4), stats.chi2(2, 0, 0.16)),
    Sphere(5.0): lambda d: (
        stats.beta((d - 1) / 2, (d - 1) / 2, -5, 10),
        stats.beta(1, (d - 2) / 2, 0, 25),
    ),
    Uniform(0.7): lambda d: (stats.uniform(-0.7, 1.4), None),
}


@oracles.each(itertools.product([Gaussian(), Gaussian(0.3), Sphere(), Sphere(7.0)], DIMENSIONS))
def test_drawn_coordinates_have_the_law_of_projected_full_draws(law, d):
    sampling.compare_projection(law, d, seed=d)
    assert law.project(np.random.default_rng(0), 5, d).shape == (2, 5)


@oracles.each(itertools.product(KNOWN, DIMENSIONS))
def test_weights_and_drawn_coordinates_have_the_known_law(law, d):
    rng, (coordinate, square) = np.random.default_rng(d), KNOWN[law](d)
    full = law.sample(rng, N, d)
    for name, sample in {"first": full[:, 0], "last": full[:, -1]}.items():
        sampling.same_law(name, sample, coordinate.cdf)
    if isinstance(law, Sphere):
        assert np.allclose(np.linalg.norm(full, axis=1), 5.0, rtol=1e-14)
    if square:
        diagonal = full @ np.ones(d) / np.sqrt(d)
        for sample in (*law.project(rng, N, d), diagonal):
            sampling.same_law("coordinate", sample, coordinate.cdf)
        for plane in (law.project(rng, N, d), full[:, :2].T):
            if isinstance(law, Sphere) and d == 2:
                assert np.allclose(np.hypot(*plane), 5.0, rtol=1e-14)
            else:
                sampling.same_law("square", (plane**2).sum(axis=0), square.cdf)


@oracles.each([(Gaussian(2.0), 4.0), (Sphere(2.0), 4 / 5), (Uniform(2.0), 4 / 3)])
def test_weights_are_uncorrelated_with_the_known_variance(law, variance):
    w = law.sample(np.random.default_rng(1), N, 5)
    assert w.shape == (N, 5)
    # The standard error of a mean is √(variance/N); a covariance's is at most √2 variance/√N.
    assert (np.abs(w.mean(axis=0)) < 4.5 * np.sqrt(variance / N)).all()
    error = w.T @ w / N - variance * np.eye(5)
    assert (np.abs(error) < 4.5 * np.sqrt(2) * variance / np.sqrt(N)).all()


@oracles.each(itertools.product([Gaussian(), Sphere(), Uniform()], DIMENSIONS))
def test_rotation_invariance_is_there_exactly_where_it_is_claimed(law, d):
    rng = np.random.default_rng(d)
    normal = np.eye(d)[0] - np.ones(d) / np.sqrt(d)  # of the mirror from an axis to the diagonal
    first, w = law.sample(rng, N, d)[:, 0], law.sample(rng, N, d)
    other = (w - 2 * (w @ normal)[:, None] * normal / (normal @ normal))[:, 0]
    p = stats.ks_2samp(first, other).pvalue
    assert (p > 1e-4) if hasattr(law, "project") else (p < 1e-12)
    assert ("*Not* rotation" in law.__doc__) == (not hasattr(law, "project"))


@oracles.each([1, 2, 30])
def test_he_has_its_published_variance(d):
    normal, uniform, variance = he(d, normal=True), he(d), 2 / d
    assert [type(each) for each in (normal, uniform)] == [Gaussian, Uniform]
    for law in (normal, uniform):
        known = law.scale**2 if law is normal else law.bound**2 / 3
        assert np.isclose(known, variance, rtol=1e-14)
        w = law.sample(np.random.default_rng(d), N, 2)
        # The standard error of a variance is at most √2 variance/√n.
        assert abs(w.var() / variance - 1) < 4.5 * np.sqrt(2 / w.size)


@oracles.each([Gaussian(0.3), Sphere(2.0), Uniform(0.1), he(3)])
def test_a_law_survives_pickling_and_draws_the_same(law):
    copy = pickle.loads(pickle.dumps(law))
    assert copy == law == eval(repr(law))
    assert hash(copy) == hash(law)
    draws = (each.sample(np.random.default_rng(3), 4, 2) for each in (law, copy))
    assert np.array_equal(*draws)


def test_what_is_no_law_is_refused_by_name():
    for law, name in ((Gaussian, "scale"), (Sphere, "radius"), (Uniform, "bound")):
        for value in (0.0, -1.0, np.nan, np.inf, "wide", [1.0, 2.0]):
            oracles.refused(f"^{name}: ", law, value)
    for law, d in itertools.product((he, partial(he, normal=True)), (0, -3)):
        oracles.refused("^d: ", law, d)
    oracles.refused("^n: must be at least 0", Gaussian().sample, np.random.default_rng(0), -1, 2)
    message = "d: a plane needs at least 2 weights, got 1"
    oracles.refused(f"^{message}", Sphere().project, np.random.default_rng(0), 5, 1)
