"""The weaker statement: its check against a blind search, its law by three other ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bn_experiments.probability import check_weaker, weaker_failure_probability
from bnlib import Point, Ray, check_lemma
from tests import oracles
from tests.oracles import sampling

STAR, RAY = Point([3.0, 1.0]), Ray([5.0, 3.0])
ANGLES = [0.05, np.arctan(2 / 9), 1.0, np.pi / 2, 2.5, 3.1]


@pytest.mark.parametrize("d", [1, 2, 3, 10])
@pytest.mark.parametrize("count", [1, 3])
def test_both_sides_and_the_verdict_agree_with_a_blind_search(d: int, count: int) -> None:
    rng = np.random.default_rng(10 * d + count)
    stars, rays = rng.normal(1.0, 1.0, (2, count, d))
    far, near = 2 * rng.normal(size=(20, d)), stars + 0.05 * rng.normal(size=(count, d))
    sampling.compare_weaker_check(np.concatenate([far, near]), stars, rays)


def test_it_is_weaker_than_the_lemma_and_has_its_left_side_and_hypothesis() -> None:
    starts = np.random.default_rng(0).normal(0, 3, (5000, 2))
    lemma, weaker = (check(starts, [STAR], [RAY]) for check in (check_lemma, check_weaker))
    assert (weaker.left == lemma.left).all()
    assert (weaker.applies == lemma.applies).all()
    assert (weaker.right >= lemma.right * (1 - 1e-12)).all()
    assert not (weaker.violated & lemma.holds).any()
    assert 0 < np.count_nonzero(weaker.violated) < np.count_nonzero(lemma.violated)


@pytest.mark.parametrize("angle", [0.2, 1.0, 2.5, np.pi])
def test_it_fails_near_the_standard_optimum_and_never_near_the_origin(angle: float) -> None:
    star, ray = sampling.plane_with(angle, 3, seed=1)
    around = np.random.default_rng(1).normal(size=(500, 3))
    gap = 3 * (np.sin(angle) if angle < np.pi / 2 else 1.0)  # from W* to the ray
    inside = 0.49 * gap * around / np.linalg.norm(around, axis=1, keepdims=True)
    check = check_weaker(star.weights + inside, [star], [ray])
    assert check.violated[check.applies].all()
    assert check_weaker(star.weights, [star], [ray]).violated
    # ‖W₀ − W*‖ > ‖W₀‖ already where ⟨W₀, W*⟩ < ‖W*‖²/2, and ‖W₀‖ bounds the left side.
    for size in (1e-9, 1.49):
        tiny = size * around / np.linalg.norm(around, axis=1, keepdims=True)
        assert check_weaker(tiny, [star], [ray]).holds.all()


# For small angles the integrand is a peak of width √(θ/ρ), which a quadrature can miss altogether.
@pytest.mark.parametrize(
    ("angles", "ratios"),
    [
        (ANGLES, [0.1, 0.5, 1.0, 3.0, 30.0]),
        ([1e-10, 1e-6, 1e-4, 0.01, 1.0, 3.0, 3.14159], [0.5, 1.0, 300.0, 1e4, 1e6]),
    ],
    ids=["usual", "extreme"],
)
def test_its_law_agrees_with_quadrature_along_the_ray(
    angles: list[float], ratios: list[float]
) -> None:
    for angle in angles:
        for ratio in ratios:
            sampling.compare_weaker_with_quadrature(angle, ratio)


@pytest.mark.parametrize("d", [2, 40])
@pytest.mark.parametrize("ratio", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("angle", [np.arctan(2 / 9), 1.2, 2.5])
def test_its_law_agrees_with_simulation(angle: float, ratio: float, d: int) -> None:
    sampling.compare_weaker_with_simulation(angle, ratio, d, seed=d, n=2_000_000 // (d + 8))


@pytest.mark.parametrize("angle", ANGLES)
def test_it_tends_to_zero_for_small_weights_and_to_a_share_for_large(angle: float) -> None:
    sampling.compare_weaker_with_its_limit(angle)
    gaps = [weaker_failure_probability(angle, 10.0**k) - sampling.far_limit(angle) for k in (3, 5)]
    assert abs(gaps[1]) < 0.2 * abs(gaps[0]) + 1e-9  # of order 1/√ρ
    # A violation needs ⟨W₀, W*⟩ > ‖W*‖²/2: a bound, and it is attained at θ = π.
    for ratio in (1e-3, 0.05, 0.2):
        bound = 2 * stats.norm.sf(1 / (2 * ratio))
        assert 0 <= weaker_failure_probability(angle, ratio) <= bound + 1e-11
    assert weaker_failure_probability(angle, 1e-3) == 0.0


def test_known_values() -> None:
    for ratio in (1e-300, 0.1, 1.0, 100.0):
        assert weaker_failure_probability(0.0, ratio) == 0.0
        at_pi = 2 * stats.norm.sf(1 / (2 * ratio))
        oracles.agree("π", weaker_failure_probability(np.pi, ratio), at_pi, 1e-12, 1.0)
    # At θ = π/2 the projections p, q are independent: q > (1 + ρ² p₊²)/(2ρ).
    from scipy.integrate import quad

    above = quad(lambda p: stats.norm.pdf(p) * stats.norm.sf((1 + p * p) / 2), 0, 12)[0]
    expected = 2 * (above + stats.norm.sf(0.5) / 2)
    oracles.agree("π/2", weaker_failure_probability(np.pi / 2, 1.0), expected, 1e-9)


def test_the_law_is_continuous_at_both_ends() -> None:
    for angle in (1e-14, 1e-13, 1e-12, 1e-11):  # P is of order √θ here, and θ is not taken for π
        assert 0 <= weaker_failure_probability(angle, 1.0) < 2 * np.sqrt(angle)
    at_pi = weaker_failure_probability(np.pi, 1.0)
    for gap in (1e-5, 1e-9, 1e-12, 1e-13):
        assert abs(weaker_failure_probability(np.pi - gap, 1.0) - at_pi) < 2 * gap + 1e-8


def test_it_grows_with_the_angle_and_no_ratio_overflows() -> None:
    for ratio in (0.3, 1.0, 5.0):
        table = [weaker_failure_probability(angle, ratio) for angle in np.linspace(0, np.pi, 9)]
        assert (np.diff(table) > -1e-10).all()
        assert table[-1] <= 1.0
    for ratio in (1e-310, 1e-200, 1e-8, 1e8, 1e160, 1e300):
        share = weaker_failure_probability(1.0, ratio)
        assert abs(share - (1 / np.pi if ratio > 1 else 0.0)) < 1e-3


@pytest.mark.parametrize(
    ("angle", "ratio", "message"),
    [
        (-0.1, 1.0, r"^angle: must lie in \[0, π\]"),
        (3.2, 1.0, r"^angle: must lie in \[0, π\]"),
        (np.nan, 1.0, "^angle: "),
        ([0.1, 0.2], 1.0, "^angle: "),
        (1.0, 0.0, "^ratio: must be positive"),
        (1.0, -1.0, "^ratio: must be positive"),
        (1.0, np.inf, "^ratio: "),
    ],
)
def test_arguments_without_a_probability_are_refused(
    angle: float, ratio: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        weaker_failure_probability(angle, ratio)


def test_the_check_refuses_what_the_lemma_refuses() -> None:
    for arguments in (
        ([1.0, 2.0, 3.0], [STAR], [RAY]),
        ([1.0, np.nan], [STAR], [RAY]),
        ([1.0, 2.0], [RAY], [STAR]),
        ([1.0, 2.0], [], [RAY]),
        ([1.0, 2.0], [STAR], []),
    ):
        with pytest.raises(ValueError) as expected:  # noqa: PT011
            check_lemma(*arguments)
        with pytest.raises(ValueError) as actual:  # noqa: PT011
            check_weaker(*arguments)
        assert str(actual.value) == str(expected.value)
    assert check_weaker([3.0, 1.0], [STAR], [RAY], rtol=0.0).violated
    assert not check_weaker([3.0, 1.0], [STAR], [RAY], rtol=0.1).violated  # 8/17 of ‖W₀‖² = 10
