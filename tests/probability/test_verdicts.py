"""The weaker statement against a blind search; the four words, each where only it is right."""

import itertools
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bn_experiments.probability import Gaussian, check_weaker, simulate, verdict, verdicts
from bnlib import Point, Ray, check_lemma
from tests import oracles
from tests.oracles import sampling

STAR, RAY, BEYOND = Point([3.0, 1.0]), Ray([5.0, 3.0]), Ray([-1.0, 3.0])
STARTS = np.random.default_rng(0).normal(size=(60, 2))
BOTH_WAYS = np.vstack([STAR.weights, STARTS, -STARTS])


@oracles.each(itertools.product([1, 2, 3, 10], [1, 3]))
def test_both_sides_and_the_verdict_agree_with_a_blind_search(d, count):
    rng = np.random.default_rng(10 * d + count)
    stars, rays = rng.normal(1.0, 1.0, (2, count, d))
    far, near = 2 * rng.normal(size=(20, d)), stars + 0.05 * rng.normal(size=(count, d))
    sampling.compare_weaker_check(np.concatenate([far, near]), stars, rays)


def test_it_is_weaker_than_the_lemma_and_has_its_left_side_and_hypothesis():
    starts = np.random.default_rng(0).normal(0, 3, (5000, 2))
    lemma, weaker = (check(starts, [STAR], [RAY]) for check in (check_lemma, check_weaker))
    assert (weaker.left == lemma.left).all()
    assert (weaker.applies == lemma.applies).all()
    assert (weaker.right >= lemma.right * (1 - 1e-12)).all()
    assert not (weaker.violated & lemma.holds).any()
    assert 0 < np.count_nonzero(weaker.violated) < np.count_nonzero(lemma.violated)


@oracles.each([0.2, 1.0, 2.5, np.pi])
def test_it_fails_near_the_standard_optimum_and_never_near_the_origin(angle):
    star, ray = sampling.plane_with(angle, 3, seed=1)
    around = np.random.default_rng(1).normal(size=(500, 3))
    around /= np.linalg.norm(around, axis=1, keepdims=True)
    gap = 3 * (np.sin(angle) if angle < np.pi / 2 else 1.0)  # from W* to the ray
    check = check_weaker(star.weights + 0.49 * gap * around, [star], [ray])
    assert check.violated[check.applies].all()
    assert check_weaker(star.weights, [star], [ray]).violated
    # ‖W₀ − W*‖ > ‖W₀‖ already where ⟨W₀, W*⟩ < ‖W*‖²/2, and ‖W₀‖ bounds the left side.
    for size in (1e-9, 1.49):
        assert check_weaker(size * around, [star], [ray]).holds.all()


def strict_law(angle, ratio, lowest=0.0):
    """Return the chance of z = ⟨u, W₀⟩/s > 0, an optimum closest, and the statement false."""

    def density(z):
        needed = (1 + (ratio * max(z, 0.0)) ** 2) / (2 * ratio)
        return 2 * norm.pdf(z) * norm.cdf((z * np.cos(angle) - needed) / np.sin(angle))

    cuts = [lowest, *(each for each in (0.01, 0.1, 1.0) if each > lowest), 12.0]
    return sum(quad(density, *each, epsabs=1e-10)[0] for each in itertools.pairwise(cuts))


@oracles.each(itertools.product([0.2, 1.0, 2.5], [0.5, 3.0, 300.0]))
def test_in_the_strict_reading_the_law_is_the_integral_over_the_starts_before_the_ray(angle, ratio):
    star, ray = sampling.plane_with(angle, 3, seed=4, length=2.0)

    def strictly(*arguments):
        found = check_weaker(*arguments)
        return replace(found, violated=found.violated & found.exists)

    law, rng = Gaussian(2.0 * ratio), np.random.default_rng(int(ratio))
    found = simulate(law, [star], [ray], 100_000, rng, check=strictly).violated
    sampling.within("strict", found, strict_law(angle, ratio))
    both = strict_law(angle, ratio, lowest=-12.0)
    oracles.agree("infimum", sampling.line_probability(angle, ratio), both, 1e-6, 1.0)
    if ratio == 300.0:  # towards 0, while the infimum reading stays above θ/π
        assert strict_law(angle, ratio) < 0.03
        assert both > sampling.far_limit(angle)


def test_the_weaker_check_refuses_what_the_lemma_refuses():
    for arguments in (
        ([1.0, 2.0, 3.0], [STAR], [RAY]),
        ([1.0, np.nan], [STAR], [RAY]),
        ([1.0, 2.0], [RAY], [STAR]),
        ([1.0, 2.0], [], [RAY]),
        ([1.0, 2.0], [STAR], []),
    ):
        with pytest.raises(ValueError, match="start|optima") as said:
            check_lemma(*arguments)
        oracles.refused(f"^{re.escape(str(said.value))}$", check_weaker, *arguments)


@oracles.each(
    [
        ([STAR], [RAY], "fails"),
        ([STAR], [STAR], "fails"),
        ([STAR], [Ray(STAR.weights)], "equal"),
        ([STAR], [Ray(STAR.weights), BEYOND], "true"),
        ([Point([0.0, 0.0])], [BEYOND], "void"),
        ([STAR], [], "void"),
        ([], [BEYOND], "void"),
    ]
)
def test_each_word_where_it_is_right(case):
    *optima, word = case
    assert verdict(BOTH_WAYS, *optima) == word
    assert verdict(1e3 * BOTH_WAYS, *optima) == word  # one point, one ray: no scale


def test_one_start_decides_and_another_check_may_be_asked():
    for start in BOTH_WAYS:
        check = check_lemma(start, [STAR], [RAY])
        word = "fails" if check.violated else "true" if check.applies else "void"
        assert verdict(start[None], [STAR], [RAY]) == word
    holding = BOTH_WAYS[check_lemma(BOTH_WAYS, [STAR], [RAY]).holds]
    assert verdict(holding, [STAR], [RAY]) == "true"
    assert verdict(np.vstack([holding, STAR.weights]), [STAR], [RAY]) == "fails"
    starts = 0.4 * BOTH_WAYS / np.linalg.norm(BOTH_WAYS, axis=1, keepdims=True)
    assert verdict(starts, [STAR], [RAY]) == "fails"
    assert verdict(starts, [STAR], [RAY], check=check_weaker) == "true"
    oracles.refused("^.*start", verdict, [[1.0, 2.0, 3.0]], [STAR], [BEYOND])


def test_what_the_errors_cannot_tell_apart_is_no_failure():
    optima = [Ray(STAR.weights)]
    assert abs(check_lemma(-STAR.weights, [STAR], optima).margin) > 1
    assert verdict([STAR.weights, -STAR.weights], [STAR], optima) == "equal"
    # ‖W₀ − W*‖ = 1e-4, and the ray is as far; with an error of 1e-3 the weaker check cannot tell.
    turned = Ray([3.0, 1.0001])
    start = [STAR.weights]
    for error, word in ((1e-3, "equal"), (1e-6, "fails")):
        star = Point(STAR.weights, error=error)
        check = check_weaker(start, [star], [turned])
        assert (check.undecided == (word == "equal")).all()
        assert verdict(start, [star], [turned], check=check_weaker) == word


@oracles.each([1.0, 1e4, 1e-4])
def test_equal_is_what_the_errors_of_the_optima_cannot_tell_apart(size):
    # Two rays: at W₀ = u the left side is 0, the right side sin² of the angle between u and W*.
    # It is known up to e (2 sin + e), e the error of the direction of W*, twice that of W*.
    cosine, sine = np.cos(1e-3), np.sin(1e-3)
    near = np.array([[cosine, -sine], [sine, cosine]]) @ STAR.weights
    start, optima = [size * near], [Ray(STAR.weights), Ray(near)]
    for e, word in ((0.42e-3, "equal"), (0.41e-3, "true"), (0.0, "true")):
        star = Point(STAR.weights, error=e / 2 * np.sqrt(10))
        assert verdict(start, [star], optima) == word


def test_both_readings_from_starts_worth_trying():
    rng = np.random.default_rng(0)
    assert verdicts([STAR], [RAY], rng) == ("fails", "fails")
    # Few random starts see no failure at a small angle; W* and the bisector show both.
    near = Ray(STAR.weights + 1e-4 * np.eye(STAR.d)[-1])
    few = SimpleNamespace(normal=lambda size: rng.normal(size=(1, size[1])))
    assert verdicts([STAR], [near], few) == ("fails", "fails")
    assert verdicts([STAR], [Ray(STAR.weights)], rng) == ("equal", "equal")
    # Opposite rays: no admissible start has a closest optimum.
    assert verdicts([STAR], [Ray(-STAR.weights)], rng) == ("fails", "void")
    assert verdicts([STAR], [], rng) == verdicts([], [RAY], rng) == ("void", "void")
    assert verdicts([STAR], [RAY], rng, check=check_weaker)[0] == "fails"
