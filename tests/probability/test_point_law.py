"""The law for a single BN optimum: by polar quadrature, by counting, at its limits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import bnlib
from bn_experiments import probability
from bn_experiments.probability import point_failure_probability
from tests import oracles
from tests.oracles import sampling

RATIOS = [0.02, 0.1, 0.3, 1.0, 3.0, 30.0, 1e3, 1e6, 1e12]
# Where the parabola is a needle, a quadrature that does not know it misses it altogether.
ANGLES = [1e-9, 1e-6, 1e-3, 0.05, np.arctan(2 / 9), 1.0, np.pi / 2, 2.5, 3.1, 3.14159]


def polar(angle: float, ratio: float, *, planted: str = "") -> float:
    """Return the probability from the direction and the length of W₀, with 20 digits.

    In units of the BN optimum, at the angle ψ from W*, the lemma holds where
    r² cos²ψ − 2r cos(ψ − θ) + 1 ≤ 0: for r between two roots, if θ/2 < ψ < π/2. The length has
    a Rayleigh law, ψ is uniform. The library integrates over ⟨W₀, W*⟩ instead.
    """
    mp.mp.dps = 20
    theta, rho = mp.mpf(angle), mp.mpf(ratio)

    def holds(psi: mp.mpf) -> mp.mpf:
        toward = mp.cos(psi - theta)
        root = mp.sqrt(max(mp.sin(theta) * mp.sin(2 * psi - theta), 0))  # of cos² − cos²
        nearer = 1 / (toward + root)
        farther = (toward + root) / mp.cos(psi) ** 2
        if planted == "one root":
            return mp.exp(-((nearer / rho) ** 2) / 2)
        return mp.exp(-((nearer / rho) ** 2) / 2) - mp.exp(-((farther / rho) ** 2) / 2)

    begin, end = theta / 2, mp.pi / 2
    steps = [mp.mpf(10) ** k for k in range(-14, 0)]
    inside = [*steps, *(1 - step for step in reversed(steps))]
    edges = [begin, *(begin + (end - begin) * step for step in inside), end]
    share = mp.quad(holds, edges) / mp.pi
    return float(1 - (2 * share if planted == "no hypothesis" else share))


@pytest.mark.parametrize("angle", ANGLES)
def test_it_agrees_with_polar_quadrature(angle: float) -> None:
    for ratio in RATIOS:
        found = point_failure_probability(angle, ratio)
        oracles.agree(f"ρ = {ratio}", found, polar(angle, ratio), 1e-11)


@pytest.mark.parametrize("planted", ["one root", "no hypothesis"])
def test_the_oracle_tells_a_wrong_law(planted: str) -> None:
    wrong = polar(1.0, 1.0, planted=planted)
    with pytest.raises(oracles.Disagreement):
        oracles.agree("law", point_failure_probability(1.0, 1.0), wrong, 1e-3)


def z_score(star: bnlib.Point, point: bnlib.Point, ratio: float, n: int, seed: int) -> float:
    """Return how many standard errors a count of failing starts is from the law."""
    length = float(np.linalg.norm(point.weights))
    starts = length * ratio * np.random.default_rng(seed).normal(size=(n, star.d))
    check = bnlib.check_lemma(starts, [star], [point])
    applies, violated = (int(np.count_nonzero(each)) for each in (check.applies, check.violated))
    law = point_failure_probability(bnlib.angle(star.weights, point.weights), ratio)
    return probability.Estimate.of_proportion(violated, applies).z_score(law)


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("ratio", [0.4, 1.0, 8.0])
@pytest.mark.parametrize("angle", [np.arctan(2 / 9), 1.2, 2.6])
def test_it_agrees_with_counting(angle: float, ratio: float, d: int) -> None:
    star, ray = sampling.plane_with(angle, d, seed=d)
    point = bnlib.Point(0.7 * ray.direction)
    assert abs(z_score(star, point, ratio, 2_000_000 // (d + 8), seed=d + int(10 * ratio))) < 4.5


@pytest.mark.parametrize("options", [{"scale": False}, {"epsilon": 0.01, "gamma": 3.0}])
def test_neurons_whose_optimum_is_a_point_have_this_law(options: dict[str, Any]) -> None:
    data = oracles.normal_set(6, m=9, d=3)
    (star,) = bnlib.Neuron().optima(data)
    (point,) = bnlib.Neuron(normalization=bnlib.BatchNorm(**options)).optima(data)
    assert isinstance(star, bnlib.Point)
    assert isinstance(point, bnlib.Point)
    assert abs(z_score(star, point, 1.5, 200_000, seed=4)) < 4.5


@pytest.mark.parametrize("angle", [0.1, 1.0, 2.0, 3.0])
def test_it_tends_to_one_at_both_ends_and_stays_above_the_law_of_the_ray(angle: float) -> None:
    shares = [point_failure_probability(angle, ratio) for ratio in np.geomspace(1e-4, 1e10, 57)]
    assert shares[0] == 1.0
    assert 1 - 1e-4 < shares[-1] < 1
    assert min(shares) > bnlib.failure_probability(angle)
    least = int(np.argmin(shares))  # it falls to one lowest value, and rises again
    assert (np.diff(shares[: least + 1]) <= 0).all()
    assert (np.diff(shares[least:]) >= 0).all()
    # 2^(1/4) Γ(3/4) / π √(sin θ / ρ), the width of a needle
    needle = 0.4638683 * np.sqrt(np.sin(angle) / 1e10)
    assert (1 - shares[-1]) / needle == pytest.approx(1, rel=1e-4)


def test_it_is_one_where_both_optima_are_on_one_line_and_continuous_there() -> None:
    for ratio in (1e-300, 0.1, 1.0, 1e3, 1e300):
        assert point_failure_probability(0.0, ratio) == 1.0
        assert point_failure_probability(np.pi, ratio) == pytest.approx(1.0, abs=1e-12)
        for off in (1e-12, 1e-300):
            assert 0 <= 1 - point_failure_probability(off, ratio) < np.sqrt(off) + 1e-15
            assert 1 - point_failure_probability(np.pi - off, ratio) < np.sqrt(off) + 1e-15


@pytest.mark.parametrize(
    ("angle", "ratio", "message"),
    [
        (-0.1, 1.0, r"^angle: must lie in \[0, π\]"),
        (180.0, 1.0, "^angle: .*degrees"),
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
        point_failure_probability(angle, ratio)
