"""Where training ends: gradient flow and gradient descent against the formula, and the lemma."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import gamma

from bn_experiments import datasets
from bn_experiments.probability import Gaussian, check_reached, reached, reached_optimum, simulate
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, angle, check_lemma, counterexample
from tests import oracles
from tests.oracles import sampling

STANDARD, BN = Neuron(), Neuron(normalization=BatchNorm())


def sets():
    rng = np.random.default_rng(13)
    inputs = rng.normal(1.0, 1.0, (8, 3))
    centred = inputs - inputs.mean(axis=0)
    yield "three points", counterexample()
    yield "random", LearningSet(inputs, rng.normal(size=8))
    yield "centred", LearningSet(centred, 3 + rng.normal(size=8))


@oracles.each(sets())
def test_gradient_flow_ends_on_the_ray_at_the_length_of_the_start(name, data):
    (ray,), fine = BN.optima(data), {"method": "LSODA", "rtol": 1e-10, "atol": 1e-12}
    for start in np.random.default_rng(1).normal(size=(2, data.d)):
        path = solve_ivp(lambda _, w: -BN.gradient(w, data), (0, 3e3), start, **fine).y
        oracles.agree("end", path[:, -1], reached_optimum(start, ray), 1e-5)


def test_gradient_descent_ends_no_nearer_to_the_origin_than_it_started():
    data, w = counterexample(), np.array([[1.0, -0.4], [-0.2, 2.0]])
    begin = np.linalg.norm(w, axis=1)
    for _ in range(3000):
        w = w - 0.02 * BN.gradient(w, data)
    assert (np.linalg.norm(w, axis=1) >= begin).all()
    assert (np.abs(w @ [-3.0, 5.0]) < 1e-6).all()


def compare_sides(data):
    """Compare both sides with the vectors written out."""
    (star,), (ray,) = STANDARD.optima(data), BN.optima(data)
    starts = 2 * np.random.default_rng(2).normal(size=(4, 50, data.d))
    check = reached.check_reached(starts, [star], [ray])
    size = np.linalg.norm(starts, axis=-1)
    gap = starts - size[..., None] * ray.direction
    oracles.agree("left", check.left, np.sum(gap**2, axis=-1), 1e-12)
    lemma = check_lemma(starts, [star], [ray])
    oracles.agree("right", check.right, lemma.right, 1e-12)
    assert (check.applies == lemma.applies).all()
    assert (check.left >= lemma.left - 1e-12).all()
    cosine = starts @ ray.direction / size
    oracles.agree("formula", check.left, 2 * size**2 * (1 - cosine), 1e-9)
    ahead = cosine > 0  # the closest optimum is nearer by ‖W₀‖² (1 − cos φ)²
    beyond = (check.left - lemma.left)[ahead]
    oracles.agree("beyond the closest", beyond, (size**2 * (1 - cosine) ** 2)[ahead], 1e-9)
    weaker = check_reached(starts, [star], [ray], weaker=True)
    oracles.agree("plain", weaker.right, np.sum((starts - star.weights) ** 2, axis=-1), 1e-12)
    assert (weaker.violated == (weaker.applies & (weaker.left > weaker.right))).all()


@oracles.each(sets())
def test_both_sides_agree_with_the_vectors_written_out(case):
    compare_sides(case[1])


# Centred exactly, so that θ = 0 and the lemma is true; and one with θ = 52°.
CENTRED = LearningSet([[1, -2], [-2, 1], [1, 1]], [2, 0, 5])
TURNED = datasets.centred_targets(counterexample())


def compare_where_the_lemma_is_true():
    """Compare the excess with ‖W₀‖² (1 − cos ψ)², ψ the angle of W₀ and W*."""
    (star,), (ray,) = STANDARD.optima(CENTRED), BN.optima(CENTRED)
    starts = np.random.default_rng(3).normal(size=(2000, 2))
    assert not check_lemma(starts, [star], [ray]).violated.any()
    check = reached.check_reached(starts, [star], [ray])
    size, along = np.linalg.norm(starts, axis=1), starts @ ray.direction
    excess = (size - along) ** 2
    oracles.agree("excess", -check.margin[check.applies], excess[check.applies], 1e-9)
    return check, ray


def test_where_the_lemma_is_true_the_reached_optimum_fails_from_every_start_off_the_ray():
    check, ray = compare_where_the_lemma_is_true()
    assert (check.violated | check.undecided)[check.applies].all()
    assert np.count_nonzero(check.undecided) < 5  # within 1e-3 of the ray
    on_the_ray = check_reached(3 * ray.direction, STANDARD.optima(CENTRED), [ray])
    assert on_the_ray.undecided or not on_the_ray.violated


def plant_the_closest(patch):
    patch.setattr(reached, "reached_optimum", lambda start, ray: ray.nearest(start))


def plant_no_square(patch):
    """Put the reached optimum ‖W₀‖² (1 − cos) beyond the closest one, without the square."""
    right = reached.check_reached

    def wrong(start, stars, rays, **options):
        check, size = right(start, stars, rays, **options), np.linalg.norm(start, axis=-1)
        closest = check_lemma(start, stars, rays).left
        return replace(check, left=closest + size**2 - size * (start @ rays[0].direction))

    patch.setattr(reached, "check_reached", wrong)


COMPARED = {
    "left|beyond the closest": partial(compare_sides, TURNED),
    "excess": compare_where_the_lemma_is_true,
}


@pytest.mark.parametrize("plant", [plant_the_closest, plant_no_square])
@pytest.mark.parametrize("told", COMPARED)
def test_a_planted_error_is_caught(plant, told, monkeypatch):
    COMPARED[told]()
    plant(monkeypatch)
    with pytest.raises(oracles.Disagreement, match=told):
        COMPARED[told]()


@oracles.each([("centred", CENTRED, 1.0), ("turned", TURNED, 0.5)])
def test_what_gradient_flow_violates_gradient_descent_violates_too(name, data, at_least):
    (star,), (ray,) = STANDARD.optima(data), BN.optima(data)
    starts = np.random.default_rng(5).normal(size=(400, 2))
    check, ends = check_reached(starts, [star], [ray]), starts
    for _ in range(1500):
        ends = ends - 0.02 * np.sum(ends**2, axis=1, keepdims=True) * BN.gradient(ends, data)
    there = np.broadcast_to(ray.direction, ends.shape)
    oracles.agree("on the ray", ends / np.linalg.norm(ends, axis=1)[:, None], there, 1e-7)
    left = np.sum((starts - ends) ** 2, axis=1)
    assert (left >= check.left - 1e-9).all()
    false = (left > check.right) & check.applies
    assert (false | ~check.violated).all()
    assert np.count_nonzero(false) >= at_least * np.count_nonzero(check.applies)


@oracles.each([0.0, 0.4, 1.5, 3.0])
def test_the_stated_regions(theta):
    star, ray = sampling.plane_with(theta, 4, seed=2)  # ‖W*‖ = 3
    around = np.random.default_rng(6).normal(size=(4000, 4))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    far = around @ ray.direction <= 0.5
    check = check_reached(around, [star], [ray])
    assert (check.violated | ~check.applies)[far].all()
    assert not check_reached(0.999 * around, [star], [ray], weaker=True).violated.any()
    if theta == 0.0:
        for size in (2.99, 3.2, 9.0):
            plain = check_reached(size * around, [star], [ray], weaker=True)
            cosine = around @ star.weights / 3
            false = (cosine < (size + 3) / (2 * size)) & (size > 3) & plain.applies
            assert (plain.violated == false).all()


@oracles.each([(2, 0.0), (2, 0.9), (3, 2.5), (10, 0.4), (40, 1.0)])
def test_the_mean_gain_of_the_reached_optimum_is_the_formula(d, theta):
    star, ray = sampling.plane_with(theta, d, seed=3)
    kappa = gamma(d / 2) / gamma((d + 1) / 2) / np.sqrt(np.pi)
    for scale in (0.4, 3.0, 20.0):
        law, rng = Gaussian(scale), np.random.default_rng(int(10 * scale))
        plain = partial(check_reached, weaker=True)
        found = simulate(law, [star], [ray], 60_000, rng, check=plain).excess
        assert angle(star.weights, ray.direction) == pytest.approx(theta, abs=1e-12)
        gain = 9 - 6 * np.sqrt(2 / np.pi) * scale - d * scale**2 * (1 - 2 * kappa * np.cos(theta))
        sampling.within("excess", found, -gain)


def test_what_does_not_fit_is_refused():
    point, ray = Point([3.0, 1.0]), Ray([5.0, 3.0])
    for optima, told in (
        (([point], [point]), "pass one Point, without kernel"),
        (([point, point], [ray]), "pass one Point, without kernel"),
        (([point], [Ray([1.0, 0.0], along=[[0.0], [1.0]])]), "has a kernel"),
    ):
        oracles.refused(told, check_reached, [1.0, 1.0], *optima)
    assert not check_reached([-5.0, -3.0], [point], [ray]).exists
