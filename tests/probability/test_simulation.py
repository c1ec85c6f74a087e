"""Simulation: the shortcut against full draws and the laws, in chunks of every size."""

import itertools
import tracemalloc
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from bn_experiments.probability import Gaussian, Sphere, Uniform, check_weaker, simulate, simulation
from bnlib import Point, Ray, check_lemma, failure_probability, mean_excess
from tests import oracles
from tests.oracles import sampling

STAR, RAY = Point([3.0, 1.0]), Ray([5.0, 3.0])
MODES = [True, False]  # the shortcut or full draws
LAWS = [Gaussian(), Sphere(), Uniform()]


def run(law, n, star=STAR, ray=RAY, *, seed=0, **how):
    return simulate(law, [star], [ray], n, np.random.default_rng(seed), **how)


@oracles.each(itertools.product([np.arctan(2 / 9), 1.0, 2.5], [2, 3, 50, 1000], MODES))
def test_both_modes_obey_both_laws_in_every_dimension(angle, d, shortcut):
    n = 200_000 if shortcut else max(2_000_000 // (d + 20), 2000)
    # One coordinate has the mean square s² if normal and R²/d on the sphere of radius R.
    for law, square in ((Gaussian(1.5), 2.25), (Sphere(3.0), 9 / d)):
        sampling.compare_simulation(law, square, angle, d, seed=d, n=n, shortcut=shortcut)


def compare_with(found, check):
    """Compare a simulation with the check of all its starts at once."""
    gaps = -check.margin[check.applies]
    assert found.violated.n == found.excess.n == len(gaps)
    assert found.violated.value == check.violated[check.applies].mean()
    oracles.agree("excess", found.excess.value, gaps.mean(), 1e-13, np.abs(gaps).mean())
    error = gaps.std(ddof=1) / np.sqrt(len(gaps))
    oracles.agree("standard error", found.excess.standard_error, error, 1e-10)


@oracles.each(itertools.product([Gaussian(0.7), Sphere(2.0)], [0.3, np.pi / 2, 2.8, np.pi]))
def test_the_shortcut_judges_each_start_as_the_lemma_does(law, angle):
    star = Point([4.0, 0, 0])
    ray = Ray([np.cos(angle), np.sin(angle) if angle < np.pi else 0.0, 0])
    along, across = law.project(np.random.default_rng(3), 5000, 3)
    check = check_lemma(np.column_stack([along, across, 0 * along]), [star], [ray])
    compare_with(run(law, 5000, star, ray, seed=3), check)


OPTIMA = {
    "several": ([STAR, Point([-1.0, 1.0])], [RAY, Ray([-1.0, 2.0]), Point([1.0, 0.0])]),
    "point": ([STAR], [Point([5.0, 3.0])]),
    "line": ([STAR], [RAY, Ray(-RAY.direction)]),
    "zero too": ([STAR, Point([0.0, 0.0])], [RAY]),
    "one": ((STAR,), (RAY,)),
}


@pytest.mark.parametrize("check", [check_lemma, check_weaker, partial(check_lemma)])
@pytest.mark.parametrize("kind", OPTIMA)
def test_any_lists_of_optima_are_checked_on_all_weights(kind, check, monkeypatch):
    monkeypatch.setattr(simulation, "CHUNK", 999)
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    how = {"check": check, "shortcut": kind != "one"}
    found = simulate(Gaussian(2.0), *OPTIMA[kind], 5000, rng, **how)
    compare_with(found, check(Gaussian(2.0).sample(again, 5000, 2), *OPTIMA[kind]))
    assert rng.bit_generator.state == again.bit_generator.state


@oracles.each(itertools.product(LAWS, [2, 5, 40], MODES))
def test_at_angle_zero_no_start_violates_the_lemma(law, d, shortcut):
    for seed in range(6):  # θ is 0 up to rounding, as for the scale half of batch norm
        star = np.random.default_rng(seed).normal(size=d)
        found = run(law, 2000, Point(star), Ray(3 * star), seed=d, shortcut=shortcut)
        assert found.violated.value == 0.0
        assert abs(found.excess.value) < 1e-12 * d


@oracles.each(MODES)
def test_near_angle_pi_nearly_every_start_violates_the_lemma(shortcut):
    for gap in (0.0, 1e-9):
        ray = Ray([-np.cos(gap), np.sin(gap), 0.0])
        found = run(Gaussian(), 20_000, Point([1.0, 0, 0]), ray, shortcut=shortcut)
        assert found.violated.value == 1.0
        sampling.within("excess", found.excess, 1.0)  # all of ⟨W₀, W*⟩²/‖W*‖² is lost
    for ray, share in ((Ray([2.0]), 0.0), (Ray([-2.0]), 1.0)):  # one weight has no other angle
        found = run(Gaussian(), 1000, Point([3.0]), ray, shortcut=shortcut)
        assert found.violated.value == share


def test_without_rotation_invariance_the_law_is_only_approximate():
    # In d = 2 the direction of a uniform start prefers the diagonals; d = 200 mends it.
    star, ray = Point([1.0, 0.0]), Ray([np.cos(0.5), np.sin(0.5)])
    found = run(Uniform(), 400_000, star, ray, seed=4)
    assert abs(found.violated.z_score(float(failure_probability(0.5)))) > 8
    found = run(Uniform(), 10_000, *sampling.plane_with(0.5, 200, seed=4), seed=4)
    sampling.within("violated", found.violated, float(failure_probability(0.5)))
    sampling.within("excess", found.excess, float(mean_excess(0.5)) / 3)


@dataclass(frozen=True)
class Recorded(Gaussian):
    """A Gaussian law that records how many starts are drawn at a time."""

    counts: list = field(default_factory=list)

    def project(self, rng, n, d):
        self.counts.append(n)
        return super().project(rng, n, d)

    def sample(self, rng, n, d):
        self.counts.append(n)
        return super().sample(rng, n, d)


@pytest.mark.parametrize("chunk", [1, 2, 198, 199, 200, 201, 202, 1 << 17])
def test_chunks_are_bounded_and_miss_no_start(chunk, monkeypatch):
    monkeypatch.setattr(simulation, "CHUNK", chunk)
    for n, shortcut in itertools.product([99, 100, 101], MODES):
        law = Recorded()
        found = run(law, n, shortcut=shortcut)
        assert sum(law.counts) == n
        assert max(law.counts) <= max(chunk // 2, 1)
        assert 0 < found.violated.n < n
        if not shortcut:  # the same stream of numbers whatever the chunks
            starts = Gaussian().sample(np.random.default_rng(0), n, 2)
            compare_with(found, check_lemma(starts, [STAR], [RAY]))
    if chunk < 30:  # a chunk is never empty however many weights
        law = Recorded()
        run(law, 20, *sampling.plane_with(1.0, 30, seed=0), shortcut=False)
        assert law.counts == [1] * 20


@oracles.each([(1000, True, 2_000_000), (100, False, 40_000)])
def test_memory_does_not_grow_with_the_sample(d, shortcut, n):
    optima = sampling.plane_with(1.0, d, seed=0)
    tracemalloc.start()
    try:
        run(Gaussian(), n, *optima, shortcut=shortcut)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A handful of arrays of the size of a chunk, against 32 MB of numbers drawn.
    assert peak < 8 * 8 * simulation.CHUNK


@oracles.each(itertools.product([1, 2, 3], MODES))
def test_few_starts_give_an_estimate_or_the_advice_to_draw_more(n, shortcut):
    answers, advice = [], f"of {n} starts meet the hypothesis; draw more"
    for seed in range(20):
        try:
            answers.append(run(Gaussian(), n, seed=seed, shortcut=shortcut))
        except ValueError as error:
            if advice not in str(error):
                raise
    for found in answers:
        assert 2 <= found.violated.n <= n
        assert np.isfinite([found.excess.value, found.excess.standard_error]).all()
    assert bool(answers) == (n >= 2)
    assert len(answers) < 20


@oracles.each(itertools.product(LAWS, MODES))
def test_a_seed_fixes_the_result(law, shortcut):
    one, again, other = (run(law, 1000, seed=seed, shortcut=shortcut) for seed in (1, 1, 2))
    assert one == again != other
    said = f"Simulation(violated={one.violated}, excess={one.excess}, n={one.violated.n})"
    assert repr(one) == said


@oracles.each(itertools.product([1e-60, 1e60], MODES))
def test_the_excess_is_in_squared_units_of_the_law(scale, shortcut):
    plain, scaled = (run(Gaussian(s), 1000, shortcut=shortcut) for s in (1.0, scale))
    assert scaled.violated == plain.violated
    for name in ("value", "standard_error"):
        one, other = getattr(scaled.excess, name), getattr(plain.excess, name)
        oracles.agree(name, one / scale**2, other, 1e-11)


@oracles.each(MODES)
def test_what_cannot_be_simulated_is_refused(shortcut):
    three, zero = Ray([1.0, 2, 3]), Point([0.0, 0.0])
    for stars, images, n, message in (
        ([STAR], [three], 10, "normalized_optima: .* has 3 weights, but start has 2"),
        ([STAR], [RAY], 0, "n: must be at least 1, got 0"),
        ([STAR], [RAY], -5, "n: must be at least 1, got -5"),
        ([zero], [RAY], 10, "standard_optima: every W. is zero"),
        (STAR, [RAY], 10, "standard_optima: expected a list"),
        ([STAR], RAY, 10, "normalized_optima: expected a list"),
        ([], [RAY], 10, "standard_optima: is empty"),
        ([STAR], [], 10, "normalized_optima: is empty"),
        ([RAY], [STAR], 10, "standard_optima: .* is not a Point"),
    ):
        law, rng = Gaussian(), np.random.default_rng(0)
        oracles.refused(f"^{message}", simulate, law, stars, images, n, rng, shortcut=shortcut)
