"""Random learning sets: their moments, their intercept, and what their optima tend to."""

import itertools
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import stats

from bn_experiments.datasets import RandomLearningSets, stacked_optima
from bnlib import Activation
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import sampling


def drawn(family, n, seed=0):
    return family.sample(np.random.default_rng(seed), n)


def test_one_set_is_one_row_of_two_arrays():
    family = RandomLearningSets(7, 3)
    assert [part.shape for part in drawn(family, 5)] == [(5, 7, 3), (5, 7)]
    assert [part.shape for part in drawn(family, 0)] == [(0, 7, 3), (0, 7)]
    one, again, other = (drawn(family, 5, seed) for seed in (0, 0, 1))
    assert all(map(np.array_equal, one, again))
    assert not any(map(np.array_equal, one, other))


@oracles.each(itertools.product([(0, 0, 0), (2.0, -3.0, 0.5), (-1.0, 1.0, 2)], [1, 2, 6]))
def test_moments_are_those_of_the_docstring(case):
    (offset, level, noise), d = case
    n, m = 4000, 12
    x, t = drawn(RandomLearningSets(m, d, offset, level, noise), n, seed=d)
    middle = x - x.mean(axis=1, keepdims=True)
    # Inputs: each set has its own mean, of length o, and unit covariance around it.
    sampling.same_law("spread", np.sqrt(m / (m - 1)) * middle[:, 0, 0], stats.norm.cdf)
    square = (x.mean(axis=1) ** 2).sum(axis=1)  # over 1/m it has a non-central χ² law
    known = stats.ncx2(d, m * offset**2) if offset else stats.chi2(d)
    sampling.same_law("mean", m * square, known.cdf)
    # Targets: over the sets, ⟨v, ξ⟩ + a + σ η is normal with variance 1 + σ².
    sampling.same_law("target", t[:, 0], stats.norm(level, np.sqrt(1 + noise**2)).cdf)
    # Every direction of the mean is as likely as the opposite one, and so is every axis.
    means = x.mean(axis=1)
    assert (np.abs(means.mean(axis=0)) < sampling.Z * means.std(axis=0) / np.sqrt(n)).all()


@oracles.each([1, 3, 4])
def test_without_noise_the_targets_are_linear_with_the_stated_intercept(d):
    offset, level = 2.5, 0.7
    x, t = drawn(RandomLearningSets(d + 3, d, offset, level, 0.0), 3000, seed=d)
    found = stacked_optima(x, t)
    fitted = np.einsum("nmd,nd->nm", x, found.slopes) + found.intercepts[:, None]
    assert np.abs(fitted - t).max() < 1e-9
    assert np.allclose(np.linalg.norm(found.slopes, axis=1), 1.0, rtol=1e-8)
    # a − o⟨v, e⟩, where ⟨v, e⟩ is a coordinate of a uniform unit vector.
    cosines = (level - found.intercepts) / offset
    if d == 1:
        assert np.allclose(np.abs(cosines), 1.0, rtol=1e-8)
        assert abs(cosines.mean()) < sampling.Z / np.sqrt(3000)
    else:
        known = stats.beta((d - 1) / 2, (d - 1) / 2, -1, 2)
        sampling.same_law("intercept", cosines, known.cdf)


def test_centred_inputs_have_no_angle_as_sets_grow():
    # At offset 0 both optima tend to v; at level o⟨v, e⟩ would too, but e and v are random.
    few, many, away = (
        np.median(stacked_optima(*drawn(RandomLearningSets(m, 2, offset, 3.0, 0.1), 200)).angles)
        for m, offset in ((20, 0.0), (2000, 0.0), (2000, 1.0))
    )
    assert many < 0.2 * few
    assert away > 10 * many


@oracles.each([1, 2, 5])
def test_the_fewest_examples_allowed_make_both_optima_unique(d):
    found = stacked_optima(*drawn(RandomLearningSets(d + 1, d), 50))
    assert np.isfinite(found.angles).all()
    oracles.refused(f"^m, d: got {d} examples", RandomLearningSets, d, d)


def test_what_is_no_family_is_refused_by_name():
    family = partial(RandomLearningSets, m=9, d=2)
    for message, arguments in (
        ("d: must be at least 1", {"d": 0}),
        ("m: must be at least 1", {"m": 0}),
        ("noise: must be at least 0", {"noise": -0.1}),
        ("noise: ", {"noise": np.nan}),
        ("offset: ", {"offset": np.inf}),
        ("level: ", {"level": "high"}),
        ("level: ", {"level": [1.0, 2.0]}),
        ("m, d: got 2 examples", {"m": 2}),
        ("activation: 'tanhh' is unknown", {"activation": "tanhh"}),
    ):
        oracles.refused(f"^{message}", family, **arguments)


def test_families_are_values_whose_stream_is_as_it_was():
    family = RandomLearningSets(9, 2, noise=0.0, activation="elu")
    assert pickle.loads(pickle.dumps(family)) == family
    others = [replace(family, activation="silu"), replace(family, noise=1.0), replace(family)]
    assert len({family, *others}) == 3
    mine = replace(family, activation=Activation("sine", np.sin, np.cos, lambda z: -np.sin(z)))
    assert np.abs(drawn(mine, 5)[1]).max() <= 1
    x, t = drawn(RandomLearningSets(3, 2), 2, seed=2025)
    rng = np.random.default_rng(2025)
    spread, directions = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 2, 2))
    away, slope = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    noise = 0.5 * rng.standard_normal((2, 3))
    assert np.allclose(x, spread + away[:, None], rtol=1e-14)
    assert np.allclose(t, (spread * slope[:, None]).sum(axis=-1) + 1 + noise, rtol=1e-13)


@oracles.each(ACTIVATIONS)
def test_the_teacher_applies_its_activation_before_the_noise(phi):
    linear = RandomLearningSets(6, 2, 1.0, 0.5, noise=0.0)
    teacher = replace(linear, activation=phi.name)
    x, t = drawn(teacher, 30)
    assert np.array_equal(x, drawn(linear, 30)[0])
    assert np.array_equal(t, phi.value(drawn(linear, 30)[1]))
    noisy = drawn(replace(teacher, noise=0.3), 30)
    assert np.array_equal(noisy[0], x)
    sampling.same_law("noise", ((noisy[1] - t) / 0.3).ravel(), stats.norm.cdf)
