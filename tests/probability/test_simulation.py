"""Simulation: the shortcut against full draws and the laws, in chunks of every size."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import bn_experiments.probability.simulation
from bn_experiments.probability import Gaussian, Simulation, Sphere, Uniform, simulate
from bnlib import Point, Ray, check_lemma, failure_probability, mean_excess
from tests import oracles
from tests.oracles import sampling

STAR, RAY = Point([3.0, 1.0]), Ray([5.0, 3.0])


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "full"])
@pytest.mark.parametrize("d", [2, 3, 50, 1000])
@pytest.mark.parametrize("angle", [np.arctan(2 / 9), 1.0, 2.5])
def test_both_modes_obey_both_laws_in_every_dimension(angle: float, d: int, shortcut: bool) -> None:
    n = 200_000 if shortcut else max(2_000_000 // (d + 20), 2000)
    # One coordinate has the mean square s² if normal and R²/d on the sphere of radius R.
    for law, square in ((Gaussian(1.5), 2.25), (Sphere(3.0), 9 / d)):
        sampling.compare_simulation(law, square, angle, d, seed=d, n=n, shortcut=shortcut)


@pytest.mark.parametrize("law", [Gaussian(), Sphere(2.0)], ids=repr)
@pytest.mark.parametrize("d", [2, 3, 50, 1000])
def test_the_shortcut_and_full_draws_agree(law: Any, d: int) -> None:
    star, ray = sampling.plane_with(0.9, d, seed=d)
    n = max(1_000_000 // d, 3000)
    quick = simulate(law, [star], [ray], n, seeded(1))
    full = simulate(law, [star], [ray], n, seeded(2), shortcut=False)
    for name in ("violated", "excess"):
        one, other = getattr(quick, name), getattr(full, name)
        error = np.hypot(one.standard_error, other.standard_error)
        assert abs(one.value - other.value) < sampling.Z * error, name


@pytest.mark.parametrize("law", [Gaussian(0.7), Sphere(2.0)], ids=repr)
@pytest.mark.parametrize("angle", [0.3, np.pi / 2, 2.8, np.pi])
def test_the_shortcut_judges_each_start_as_the_lemma_does(law: Any, angle: float) -> None:
    star = Point([4.0, 0, 0])
    ray = Ray([np.cos(angle), np.sin(angle) if angle < np.pi else 0.0, 0])
    found = simulate(law, [star], [ray], 5000, seeded(3))
    along, across = law.project(seeded(3), 5000, 3)
    check = check_lemma(np.column_stack([along, across, 0 * along]), [star], [ray])
    gaps = -check.margin[check.applies]
    assert found.violated.n == found.excess.n == len(gaps)
    assert found.violated.value == check.violated[check.applies].mean()
    oracles.agree("excess", found.excess.value, gaps.mean(), 1e-13, np.abs(gaps).mean())
    error = gaps.std(ddof=1) / np.sqrt(len(gaps))
    oracles.agree("standard error", found.excess.standard_error, error, 1e-10)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("law", [Gaussian(), Sphere(), Uniform()], ids=repr)
@pytest.mark.parametrize("d", [2, 5, 40])
def test_at_angle_zero_no_start_violates_the_lemma(law: Any, d: int, shortcut: bool) -> None:
    for seed in range(6):  # θ is 0 up to rounding, as for the scale half of batch norm
        star = seeded(seed).normal(size=d)
        found = simulate(law, [Point(star)], [Ray(3 * star)], 2000, seeded(d), shortcut=shortcut)
        assert found.violated.value == 0.0
        assert abs(found.excess.value) < 1e-12 * d


@pytest.mark.parametrize("shortcut", [True, False])
def test_near_angle_pi_nearly_every_start_violates_the_lemma(shortcut: bool) -> None:
    for gap in (0.0, 1e-9):
        ray = Ray([-np.cos(gap), np.sin(gap), 0.0])
        found = simulate(
            Gaussian(), [Point([1.0, 0, 0])], [ray], 20_000, seeded(), shortcut=shortcut
        )
        assert found.violated.value == 1.0
        sampling.within("excess", found.excess, 1.0)  # all of ⟨W₀, W*⟩²/‖W*‖² is lost


@pytest.mark.parametrize("shortcut", [True, False])
def test_a_single_weight_has_only_the_angles_zero_and_pi(shortcut: bool) -> None:
    for ray, share in ((Ray([2.0]), 0.0), (Ray([-2.0]), 1.0)):
        found = simulate(Gaussian(), [Point([3.0])], [ray], 1000, seeded(), shortcut=shortcut)
        assert found.violated.value == share


def test_without_rotation_invariance_the_law_is_only_approximate() -> None:
    # In d = 2 the direction of a uniform start prefers the diagonals; d = 200 mends it.
    star, ray = Point([1.0, 0.0]), Ray([np.cos(0.5), np.sin(0.5)])
    found = simulate(Uniform(), [star], [ray], 400_000, seeded(4))
    assert abs(found.violated.z_score(float(failure_probability(0.5)))) > 8
    star, ray = sampling.plane_with(0.5, 200, seed=4)
    found = simulate(Uniform(), [star], [ray], 10_000, seeded(4))
    sampling.within("violated", found.violated, float(failure_probability(0.5)))
    sampling.within("excess", found.excess, float(mean_excess(0.5)) / 3)


@dataclass(frozen=True)
class Recorded(Gaussian):
    """A Gaussian law that records how many starts are drawn at a time."""

    counts: list[int] = field(default_factory=list)

    def project(self, rng: np.random.Generator, n: int, d: int) -> Any:
        self.counts.append(n)
        return super().project(rng, n, d)

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Any:
        self.counts.append(n)
        return super().sample(rng, n, d)


@pytest.mark.parametrize("shortcut", [True, False], ids=["shortcut", "full"])
@pytest.mark.parametrize("chunk", [1, 2, 198, 199, 200, 201, 202, 1 << 17])
@pytest.mark.parametrize("n", [99, 100, 101])
def test_chunks_are_bounded_and_miss_no_start(
    n: int, chunk: int, shortcut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bn_experiments.probability.simulation, "CHUNK", chunk)
    law = Recorded()
    found = simulate(law, [STAR], [RAY], n, seeded(), shortcut=shortcut)
    assert sum(law.counts) == n
    assert max(law.counts) <= max(chunk // 2, 1)
    assert 0 < found.violated.n < n
    if not shortcut:  # the same stream of numbers whatever the chunks
        check = check_lemma(Gaussian().sample(seeded(), n, 2), [STAR], [RAY])
        assert found.violated.n == np.count_nonzero(check.applies)
        assert found.violated.value == np.count_nonzero(check.violated) / found.violated.n


def test_a_chunk_is_never_empty_however_many_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bn_experiments.probability.simulation, "CHUNK", 10)
    law = Recorded()
    star, ray = sampling.plane_with(1.0, 30, seed=0)
    simulate(law, [star], [ray], 20, seeded(), shortcut=False)
    assert law.counts == [1] * 20


@pytest.mark.parametrize(("d", "shortcut", "n"), [(1000, True, 2_000_000), (100, False, 40_000)])
def test_memory_does_not_grow_with_the_sample(d: int, shortcut: bool, n: int) -> None:
    star, ray = sampling.plane_with(1.0, d, seed=0)
    tracemalloc.start()
    try:
        simulate(Gaussian(), [star], [ray], n, seeded(), shortcut=shortcut)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A handful of arrays of the size of a chunk, against 32 MB of numbers drawn.
    assert peak < 8 * 8 * bn_experiments.probability.simulation.CHUNK


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_starts_give_an_estimate_or_the_advice_to_draw_more(n: int, shortcut: bool) -> None:
    answers = []
    for seed in range(20):
        try:
            found = simulate(Gaussian(), [STAR], [RAY], n, seeded(seed), shortcut=shortcut)
        except ValueError as error:
            if f"of {n} starts meet the hypothesis; draw more" not in str(error):
                raise
            answers.append(False)
        else:
            assert 2 <= found.violated.n <= n
            assert np.isfinite([found.excess.value, found.excess.standard_error]).all()
            answers.append(True)
    assert any(answers) == (n >= 2)
    assert not all(answers)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("law", [Gaussian(), Sphere(), Uniform()], ids=repr)
def test_a_seed_fixes_the_result(law: Any, shortcut: bool) -> None:
    one, again, other = (
        simulate(law, [STAR], [RAY], 1000, seeded(seed), shortcut=shortcut) for seed in (1, 1, 2)
    )
    assert isinstance(one, Simulation)
    assert one == again != other
    assert (
        repr(one) == f"Simulation(violated={one.violated}, excess={one.excess}, n={one.violated.n})"
    )


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_the_excess_is_in_squared_units_of_the_law(scale: float, shortcut: bool) -> None:
    plain, scaled = (
        simulate(Gaussian(s), [STAR], [RAY], 1000, seeded(), shortcut=shortcut)
        for s in (1.0, scale)
    )
    assert scaled.violated == plain.violated
    oracles.agree("excess", scaled.excess.value / scale**2, plain.excess.value, 1e-11)
    errors = scaled.excess.standard_error / scale**2, plain.excess.standard_error
    oracles.agree("standard error", *errors, 1e-11)


@pytest.mark.parametrize("shortcut", [True, False])
@pytest.mark.parametrize(
    ("star", "ray", "n", "message"),
    [
        (STAR, Ray([1.0, 2, 3]), 10, "^normalized_optima: .* has 3 weights, but start has 2"),
        (STAR, RAY, 0, "^n: must be at least 1, got 0"),
        (STAR, RAY, -5, "^n: must be at least 1, got -5"),
        (Point([0.0, 0.0]), RAY, 10, "zero"),
    ],
    ids=["dimensions", "no-start", "negative", "star-zero"],
)
def test_what_cannot_be_simulated_is_refused(
    star: Point, ray: Ray, n: int, message: str, shortcut: bool
) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(Gaussian(), [star], [ray], n, seeded(), shortcut=shortcut)


def test_standard_errors_are_honest() -> None:
    angle = float(np.arctan(2 / 9))
    laws = {"violated": failure_probability(angle), "excess": mean_excess(angle)}
    found = [simulate(Gaussian(), [STAR], [RAY], 4000, seeded(seed)) for seed in range(500)]
    for name, law in laws.items():
        scores = [getattr(each, name).z_score(float(law)) for each in found]
        assert abs(np.var(scores) - 1) < sampling.Z * np.sqrt(2 / 500), name
