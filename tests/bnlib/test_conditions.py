"""When the lemma holds, which half of batch norm breaks it, and what repairs it.

Each statement twice: from the closed forms, and from a blind search or Monte Carlo.
"""

import itertools
from functools import partial

import numpy as np
from hypothesis import given

from bn_experiments.probability import Estimate, verdict
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, angle, check_lemma
from tests import oracles
from tests.oracles import sampling

BN = Neuron(normalization=BatchNorm())
M, D = 8, 2
THETAS = [1e-3, np.arctan(2 / 9), np.pi / 2, 2.0, 3.0]
every_seed = oracles.each([1, 2, 3])


def parts(seed):
    """Return inputs and a residual that is orthogonal to them and to the constant."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.6, 1.0, (M, D))
    basis = np.linalg.qr(np.column_stack([np.ones(M), x, rng.normal(size=M)]))[0]
    return x, basis[:, -1]


def parallel(seed, factor):
    """Return a learning set with x̄ ∥ c and W* = factor · û."""
    x, residual = parts(seed)
    mean = x.mean(axis=0)
    s = np.linalg.solve(np.cov(x.T, ddof=0), mean)
    kappa, q = -1.7, mean @ s
    return LearningSet(x, (x @ s + (factor - 1) * (1 + q)) / kappa + residual)


def no_intercept(seed):
    x, residual = parts(seed)
    return LearningSet(x, x @ np.array([1.0, -2.0]) + residual)


def centred(seed):
    x, residual = parts(seed)
    return LearningSet(x - x.mean(axis=0), x @ np.array([1.0, -2.0]) + 5.0 + residual)


EQUAL = {
    "a=0": no_intercept,
    "mean=0": centred,
    "parallel-0.3": partial(parallel, factor=0.3),
    "parallel-4": partial(parallel, factor=4.0),
}


def starts_around(star, seed, near=1e-3):
    rng = np.random.default_rng(seed)
    size = np.linalg.norm(star) or 1.0
    far, close = size * rng.normal(size=(400, len(star))), rng.normal(size=(100, len(star)))
    return np.concatenate([far, star + near * size * close, [star]])


def beside_the_bisector(star, ray):
    """Return a start that is a little closer in angle to W* than to the ray."""
    e, u = star / np.linalg.norm(star), ray / np.linalg.norm(ray)
    return np.asarray(e + u + (1 + e @ u) / 2 * (e - u))


def optima(data, neuron=BN):
    """Return the only optimum of the standard neuron, and that of another one."""
    return Neuron().optima(data) + neuron.optima(data)


def searched(data, neuron=BN):
    """Return W* and the direction of a ray found blindly, from the losses alone."""
    _, star = oracles.brute_force(oracles.plain_loss(Neuron(), data), np.eye(2) * 2 - 1)
    phi = oracles.scan(oracles.plain_loss(neuron, data))
    return star, np.array([np.cos(phi), np.sin(phi)])


@oracles.each(itertools.product(EQUAL, [1, 2]))
def test_in_each_case_of_the_condition_the_lemma_holds_with_equality(kind, seed):
    data = EQUAL[kind](seed)
    star, ray = optima(data)
    assert angle(star.weights, ray.direction) < 1e-12
    starts = starts_around(star.weights, seed)
    check = check_lemma(starts, [star], [ray])
    assert check.holds.all()
    assert np.count_nonzero(check.applies) > 100
    # Exactly the promised gain: the margin is rounding of the size of ‖W₀‖².
    margins = np.abs(check.margin[check.applies]) / (starts[check.applies] ** 2).sum(axis=1)
    assert margins.max() < 1e-11
    found, direction = searched(data)
    assert angle(found, direction) < 1e-5


@oracles.each([([1, 1, -1], [-1.0, -1.0]), ([-3, -3, 3], [1.0, 1.0])])
def test_with_factor_zero_the_lemma_is_void(targets, direction):  # orthogonal to the inputs
    data = LearningSet([[1, 0], [0, 1], [1, 1]], targets)
    star, ray = optima(data)
    assert (star, star.error, ray) == (Point([0.0, 0.0]), 0.0, Ray(direction))
    check = check_lemma(starts_around(star.weights, 1), [star], [ray])
    assert not check.applies.any()
    assert check.holds.all()
    assert not check.undecided.any()
    assert verdict(starts_around(star.weights, 1), [star], [ray]) == "void"
    found, direction = searched(data)
    assert np.linalg.norm(found) < 1e-5
    oracles.agree("ray", direction, ray.direction, 1e-5)


@oracles.each(itertools.product([1, 2], [-0.2, -3.0]))
def test_with_a_negative_factor_every_admissible_start_fails(case):
    data = parallel(*case)
    star, ray = optima(data)
    assert angle(star.weights, ray.direction) > np.pi - 1e-12
    starts = starts_around(star.weights, case[0])
    check = check_lemma(starts, [star], [ray])
    # ⟨W₀, W*⟩ > 0 and ⟨W₀, û⟩ > 0 exclude each other: void in the strict reading. At
    # ⟨W₀, W*⟩ ≈ 0 both sides are equal.
    plain = check.applies & (starts @ star.weights > 1e-5 * np.linalg.norm(star.weights))
    assert np.count_nonzero(plain) > 100
    assert check.violated[plain].all()
    assert not check.exists[plain].any()
    found, direction = searched(data)
    assert angle(found, direction) > np.pi - 1e-5


@given(data=oracles.well_conditioned(min_d=2))
def test_the_lemma_holds_for_every_start_exactly_if_the_directions_are_the_same(data):
    star, ray = optima(data)
    (hat,) = Neuron(normalization=BatchNorm(scale=False)).optima(data)
    near = min(1e-3, angle(star.weights, ray.direction) / 50)
    check = check_lemma(starts_around(star.weights, 0, near), [star], [ray])
    # The condition in terms of the data: û + s a/(1 + q) is a positive multiple of û.
    intercept = data.mean_target - data.mean_input @ hat.weights
    image = sampling.sherman_morrison(data.inputs, hat.weights, intercept)
    same = angle(image, hat.weights) < 1e-6
    assert bool(check.holds.all()) == same
    if not same:  # at W₀ = W* and around it, so on the open cone over that
        assert check.violated[-101:].all()


def test_almost_every_learning_set_with_more_examples_than_inputs_fails():
    rng = np.random.default_rng(5)
    for _ in range(200):
        data = LearningSet(rng.normal(size=(5, 3)), rng.normal(size=5))
        star, ray = optima(data)
        check = check_lemma(star.weights * np.array([[1e-6], [1], [1e6]]), [star], [ray])
        assert check.violated.all()
        strict = check_lemma(beside_the_bisector(star.weights, ray.direction), [star], [ray])
        assert strict.violated & strict.exists


@every_seed
def test_scale_alone_has_the_ray_of_the_standard_optimum_and_equality(seed):
    data = oracles.normal_set(seed, m=6, d=2)
    half = Neuron(normalization=BatchNorm(center=False))
    star, ray = optima(data, half)
    oracles.agree("ray", ray.direction, Ray(star.weights).direction, 1e-12)
    _, blind = searched(data, half)
    oracles.agree("searched", blind, Ray(star.weights).direction, 1e-5)
    starts = starts_around(star.weights, seed)
    check = check_lemma(starts, [star], [ray])
    sizes = (starts**2).sum(axis=1)
    assert (np.abs(check.margin) <= 1e-12 * sizes)[check.applies].all()
    assert check.holds.all()
    searched_left = [oracles.searched_left_side(start, blind) for start in starts[:20]]
    printed = [float(oracles.printed_right_side(start, star.weights)) for start in starts[:20]]
    gaps = np.abs(np.subtract(searched_left, printed))[check.applies[:20]]
    assert gaps.max() < 1e-4 * sizes.max()


@every_seed
def test_centring_alone_has_one_point_and_fails_even_without_an_intercept(seed):
    half = Neuron(normalization=BatchNorm(scale=False))
    data = no_intercept(seed)
    star, point = optima(data, half)
    oracles.agree("û", point.weights, star.weights, 1e-12)  # here W* = û
    oracles.compare_optimum(half, data)
    check = check_lemma(2 * point.weights, [star], [point])
    assert check.applies & check.violated
    oracles.agree("left", check.left, point.weights @ point.weights, 1e-11)
    assert check.right < 1e-20
    assert oracles.printed_right_side(2 * point.weights, point.weights) == 0
    full = check_lemma(2 * point.weights, [star], BN.optima(data))
    assert full.holds  # with the scale half there is a ray, which repairs this start


@every_seed
def test_with_a_bias_the_standard_neuron_has_the_ray_of_batch_norm(seed):
    data = oracles.normal_set(seed, m=6, d=2)
    biased = Neuron(bias=True)
    (point,), (ray,) = biased.optima(data), BN.optima(data)
    star = Point(point.weights[:-1])
    oracles.agree("û", Ray(star.weights).direction, ray.direction, 1e-12)
    oracles.compare_optimum(biased, data, 1e-4)
    oracles.compare_optimum(BN, data)
    check = check_lemma(starts_around(star.weights, seed), [star], [ray])
    assert check.holds.all()


@every_seed
def test_with_a_trainable_gamma_both_rays_are_optimal(seed):
    data = oracles.normal_set(seed, m=6, d=2)
    (ray,) = BN.optima(data)
    # The loss with the best γ of either sign and the best β, by least squares in each direction.
    turns = np.linspace(0, 2 * np.pi, 3600, endpoint=False)
    best = np.empty(len(turns))
    for i, phi in enumerate(turns):
        y = data.inputs @ [np.cos(phi), np.sin(phi)]
        columns = np.column_stack([(y - y.mean()) / y.std(), np.ones(data.m)])
        best[i] = np.linalg.lstsq(columns, data.targets, rcond=None)[1][0]
    minima = turns[(best < np.roll(best, 1)) & (best < np.roll(best, -1))]
    assert len(minima) == 2
    along = np.arctan2(ray.direction[1], ray.direction[0])
    expected = np.sort(np.array([along, along + np.pi]) % (2 * np.pi))
    assert np.abs(minima - expected).max() < 2e-3  # the step of the scan
    flipped = Neuron(normalization=BatchNorm(gamma=-2.0)).optima(data)
    oracles.agree("−û", flipped[0].direction, -ray.direction, 1e-13)


@oracles.each(itertools.product(THETAS, [2, 3, 20]))
def test_with_both_rays_the_lemma_is_a_coin_flip_without_gain(theta, d):
    star, ray = sampling.plane_with(theta, d, seed=d)
    starts = np.random.default_rng(d).normal(size=(400_000 // d, d))
    check = check_lemma(starts, [star], [ray, Ray(-ray.direction)])
    gaps, hits = -check.margin[check.applies], int(np.count_nonzero(check.violated))
    sampling.within("violated", Estimate.of_proportion(hits, len(gaps)), 0.5)
    sampling.within("excess", Estimate.of_mean(gaps.sum(), gaps @ gaps, len(gaps)), 0.0)


@oracles.each(THETAS)
def test_the_coin_flip_agrees_with_integration_over_directions(theta):
    phi = -np.pi / 2 + np.pi * (np.arange(200_000) + 0.5) / 200_000
    gap = np.cos(phi) ** 2 - np.cos(phi - theta) ** 2  # left − right at ‖W₀‖ = 1
    assert abs(np.mean(gap > 0) - 0.5) < 1e-5
    assert abs(np.mean(gap)) < 1e-12
