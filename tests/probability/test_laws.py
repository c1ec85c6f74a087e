"""The laws of a single BN optimum and of the weaker statement: by quadrature and by counting."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import bnlib
from bn_experiments import probability
from bn_experiments.probability import point_failure_probability, weaker_failure_probability
from tests import oracles
from tests.oracles import sampling


def polar(angle, ratio, *, planted=""):
    """Return the probability from the direction and the length of W₀, with 20 digits.

    In units of the BN optimum, at the angle ψ from W*, the lemma holds where
    r² cos²ψ − 2r cos(ψ − θ) + 1 ≤ 0: for r between two roots, if θ/2 < ψ < π/2. The length has
    a Rayleigh law, ψ is uniform. The library integrates over ⟨W₀, W*⟩ instead.
    """
    mp.mp.dps = 20
    theta, rho = mp.mpf(angle), mp.mpf(ratio)

    def holds(psi):
        toward = mp.cos(psi - theta)
        root = mp.sqrt(max(mp.sin(theta) * mp.sin(2 * psi - theta), 0))  # of cos² − cos²
        nearer = 1 / (toward + root)
        farther = (toward + root) / mp.cos(psi) ** 2
        beyond = 0 if planted == "one root" else mp.exp(-((farther / rho) ** 2) / 2)
        return mp.exp(-((nearer / rho) ** 2) / 2) - beyond

    begin, end = theta / 2, mp.pi / 2
    steps = [mp.mpf(10) ** k for k in range(-14, 0)]
    inside = [*steps, *(1 - step for step in reversed(steps))]
    edges = [begin, *(begin + (end - begin) * step for step in inside), end]
    share = mp.quad(holds, edges) / mp.pi
    return float(1 - (2 * share if planted == "no hypothesis" else share))


# Where the parabola is a needle, a quadrature that does not know it misses it altogether.
@oracles.each([1e-9, 1e-6, 1e-3, 0.05, np.arctan(2 / 9), 1.0, np.pi / 2, 2.5, 3.1, 3.14159])
def test_the_law_of_a_point_agrees_with_polar_quadrature(angle):
    for ratio in (0.02, 0.1, 0.3, 1.0, 3.0, 30.0, 1e3, 1e6, 1e12):
        found = point_failure_probability(angle, ratio)
        oracles.agree(f"ρ = {ratio}", found, polar(angle, ratio), 1e-11)


@oracles.each(["one root", "no hypothesis"])
def test_the_quadrature_tells_a_wrong_law(planted):
    wrong = polar(1.0, 1.0, planted=planted)
    with pytest.raises(oracles.Disagreement):
        oracles.agree("law", point_failure_probability(1.0, 1.0), wrong, 1e-3)


def count_violations(star, point, ratio, n, seed):
    """Compare the law of a point with the share of n starts that violate the lemma."""
    law = probability.Gaussian(ratio * float(np.linalg.norm(point.weights)))
    found = probability.simulate(law, [star], [point], n, np.random.default_rng(seed))
    expected = point_failure_probability(bnlib.angle(star.weights, point.weights), ratio)
    sampling.within("violated", found.violated, expected)


@oracles.each(itertools.product([np.arctan(2 / 9), 1.2, 2.6], [0.4, 1.0, 8.0], [2, 20]))
def test_the_law_of_a_point_agrees_with_counting(angle, ratio, d):
    star, ray = sampling.plane_with(angle, d, seed=d)
    point, n = bnlib.Point(0.7 * ray.direction), 2_000_000 // (d + 8)
    count_violations(star, point, ratio, n, seed=d + int(10 * ratio))


@oracles.each([{"scale": False}, {"epsilon": 0.01, "gamma": 3.0}])
def test_neurons_whose_optimum_is_a_point_have_this_law(options):
    data = oracles.normal_set(6, m=9, d=3)
    (star,) = bnlib.Neuron().optima(data)
    (point,) = bnlib.Neuron(normalization=bnlib.BatchNorm(**options)).optima(data)
    count_violations(star, point, 1.5, 200_000, seed=4)


@oracles.each([0.1, 1.0, 2.0, 3.0])
def test_it_tends_to_one_at_both_ends_and_stays_above_the_law_of_the_ray(angle):
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


@oracles.each([1e-300, 0.1, 1.0, 1e3, 1e300])
def test_it_is_one_where_both_optima_are_on_one_line_and_continuous_there(ratio):
    assert point_failure_probability(0.0, ratio) == 1.0
    assert point_failure_probability(np.pi, ratio) == pytest.approx(1.0, abs=1e-12)
    for angle, off in itertools.product((0.0, np.pi), (1e-12, 1e-300)):
        share = point_failure_probability(abs(angle - off), ratio)
        assert 0 <= 1 - share < np.sqrt(off) + 1e-15


ANGLES = [0.05, np.arctan(2 / 9), 1.0, np.pi / 2, 2.5, 3.1]
# For small angles the integrand is a peak of width √(θ/ρ), which a quadrature can miss altogether.
EXTREME = [1e-10, 1e-6, 1e-4, 0.01, 1.0, 3.0, 3.14159], [0.5, 1.0, 300.0, 1e4, 1e6]


@oracles.each([*itertools.product(ANGLES, [0.1, 0.5, 1, 3, 30]), *itertools.product(*EXTREME)])
def test_the_weaker_law_agrees_with_quadrature_along_the_ray(case):
    sampling.compare_weaker_with_quadrature(*case)


@oracles.each(itertools.product([np.arctan(2 / 9), 1.2, 2.5], [0.3, 1.0, 10.0], [2, 40]))
def test_the_weaker_law_agrees_with_simulation(case):
    d = case[-1]
    sampling.compare_weaker_with_simulation(*case, seed=d, n=2_000_000 // (d + 8))


@oracles.each(ANGLES)
def test_it_tends_to_zero_for_small_weights_and_to_a_share_for_large(angle):
    sampling.compare_weaker_with_its_limit(angle)
    gaps = [weaker_failure_probability(angle, 10.0**k) - sampling.far_limit(angle) for k in (3, 5)]
    assert abs(gaps[1]) < 0.2 * abs(gaps[0]) + 1e-9  # of order 1/√ρ
    # A violation needs ⟨W₀, W*⟩ > ‖W*‖²/2: a bound, and it is attained at θ = π.
    for ratio in (1e-3, 0.05, 0.2):
        bound = 2 * stats.norm.sf(1 / (2 * ratio))
        assert 0 <= weaker_failure_probability(angle, ratio) <= bound + 1e-11
    assert weaker_failure_probability(angle, 1e-3) == 0.0


def test_the_weaker_law_has_known_values_is_continuous_grows_and_never_overflows():
    for ratio in (1e-300, 0.1, 1.0, 100.0):
        assert weaker_failure_probability(0.0, ratio) == 0.0
        at_pi = 2 * stats.norm.sf(1 / (2 * ratio))
        oracles.agree("π", weaker_failure_probability(np.pi, ratio), at_pi, 1e-12, 1.0)
    # At θ = π/2 the projections p, q are independent: q > (1 + ρ² p₊²)/(2ρ).
    above = quad(lambda p: stats.norm.pdf(p) * stats.norm.sf((1 + p * p) / 2), 0, 12)[0]
    expected = 2 * (above + stats.norm.sf(0.5) / 2)
    oracles.agree("π/2", weaker_failure_probability(np.pi / 2, 1.0), expected, 1e-9)
    for angle in (1e-14, 1e-13, 1e-12, 1e-11):  # P is of order √θ here, and θ is not taken for π
        assert 0 <= weaker_failure_probability(angle, 1.0) < 2 * np.sqrt(angle)
    at_pi = weaker_failure_probability(np.pi, 1.0)
    for gap in (1e-5, 1e-9, 1e-12, 1e-13):
        assert abs(weaker_failure_probability(np.pi - gap, 1.0) - at_pi) < 2 * gap + 1e-8
    for ratio in (0.3, 1.0, 5.0):
        table = [weaker_failure_probability(angle, ratio) for angle in np.linspace(0, np.pi, 9)]
        assert (np.diff(table) > -1e-10).all()
        assert table[-1] <= 1.0
    for ratio in (1e-310, 1e-200, 1e-8, 1e8, 1e160, 1e300):
        share = weaker_failure_probability(1.0, ratio)
        assert abs(share - (1 / np.pi if ratio > 1 else 0.0)) < 1e-3


@oracles.each([point_failure_probability, weaker_failure_probability])
def test_arguments_without_a_probability_are_refused(law):
    for angle in (-0.1, 3.2, 180.0):
        oracles.refused(r"^angle: must lie in \[0, π\] .*degrees", law, angle, 1.0)
    for angle in (np.nan, [0.1, 0.2]):
        oracles.refused("^angle: ", law, angle, 1.0)
    for ratio in (0.0, -1.0):
        oracles.refused("^ratio: must be positive", law, 1.0, ratio)
    oracles.refused("^ratio: ", law, 1.0, np.inf)


@oracles.each(itertools.product([0.0, np.arctan(2 / 9), 1.2, 2.5], [0.3, 1.0, 4.0], [2, 7]))
def test_the_mean_gain_agrees_with_counting(angle, scale, d):
    starts = scale * np.random.default_rng(d).normal(size=(50_000, d))
    star = 2.0 * np.eye(d)[0]
    ray = np.eye(d)[0] * np.cos(angle) + np.eye(d)[1] * np.sin(angle)
    check = bnlib.check_lemma(starts, [bnlib.Point(star)], [bnlib.Ray(ray)])
    distance = np.sum((starts - star) ** 2, axis=1)
    both = check.applies & check.exists
    for reading, kept in (("infimum", check.applies), ("given_closest", both)):
        law = probability.mean_gain(angle, 2.0, scale, reading)
        for side in (check.left, check.right) if reading == "given_closest" else (check.left,):
            gain = (distance - side)[kept]
            assert abs(gain.mean() - law) < 4.5 * gain.std() / np.sqrt(len(gain)), reading


def test_the_mean_gain_is_positive_for_every_scale_up_to_77_and_a_half_degrees():
    edge = float(mp.findroot(lambda x: 2 * x - mp.sin(2 * x) - 2 * mp.pi + 4, 1.35))
    assert round(np.degrees(edge), 2) == 77.51
    scales = np.geomspace(0.1, 10, 4001)
    for angle, positive in ((edge - 1e-3, True), (edge + 1e-3, False)):
        gains = [probability.mean_gain(angle, 1.0, each) for each in scales]
        assert (min(gains) > 0) == positive
    # On the three points the shortfall is at most 0.605 % of what the lemma promises.
    theta, size = np.arctan(2 / 9), np.sqrt(10)
    promised, gained = (
        np.array([probability.mean_gain(each, size, size * s) for s in scales])
        for each in (0.0, theta)
    )
    assert round(100 * np.max((promised - gained) / promised), 3) == 0.605


def test_a_mean_gain_that_does_not_exist_is_refused():
    for arguments, told in (
        ((1.0, 0.0, 1.0), "size, scale: must be positive"),
        ((1.0, 1.0, 0.0), "size, scale: must be positive"),
        ((1.0, "wide", 1.0), "^size: "),
        ((1.0, 1.0, "wide"), "^scale: "),
        ((np.pi, 1.0, 1.0, "given_closest"), "reading: 'given_closest' has no mean"),
        ((1.0, 1.0, 1.0, "strict"), "reading: 'strict' is unknown"),
    ):
        oracles.refused(told, probability.mean_gain, *arguments)


def triangle(star, ray, covariance, *, planted=""):
    """Return the three shares for W₀ ~ N(0, C) from the sides of a triangle, by the cosine rule."""
    inverse = np.linalg.inv(covariance) if planted == "C inverted" else covariance
    e, u = star / np.linalg.norm(star), ray / np.linalg.norm(ray)
    if planted == "not unit vectors":
        e, u = star, ray
    a, b, c = (np.sqrt(v @ inverse @ v) for v in (e, u, e - u))
    at_e = np.arccos((a**2 + c**2 - b**2) / (2 * a * c))
    at_u = np.arccos((b**2 + c**2 - a**2) / (2 * b * c))
    if planted == "corners swapped":
        at_e, at_u = at_u, at_e
    return 1 - at_e / np.pi, at_u / np.pi, at_u / (at_e + at_u)


def compare_covariance(seed, d, *, planted=""):
    """Compare with starts of a random covariance, judged one by one."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(d, d)) * np.geomspace(1, 6, d)
    star, ray = rng.normal(size=(2, d))
    starts = rng.normal(size=(400_000 // d, d)) @ root.T
    check = bnlib.check_lemma(starts, [bnlib.Point(star)], [bnlib.Ray(ray)])
    n, closest = (np.count_nonzero(check.applies & each) for each in (True, check.exists))
    stated = triangle(star, ray, root @ root.T, planted=planted)
    for share, law, size in zip(check.failure_rate, stated, (n, n, closest), strict=True):
        found = probability.Estimate.of_proportion(round(share * size), size)
        sampling.within("share", found, float(law))
    return stated


def test_any_gaussian_start_has_the_angles_of_a_triangle():
    shares = [compare_covariance(seed, d) for seed in range(8) for d in (2, 5)]
    # With any covariance both sides of one half occur: the laws need rotation invariance.
    assert min(each[0] for each in shares) < 0.45
    assert max(each[2] for each in shares) > 0.55


@oracles.each(["C inverted", "not unit vectors", "corners swapped"])
def test_a_wrong_triangle_is_noticed(planted):
    with pytest.raises(oracles.Disagreement):
        compare_covariance(1, 2, planted=planted)


@oracles.each(ANGLES)
def test_the_triangle_of_a_rotation_invariant_start_is_isosceles(angle):
    star, ray = sampling.plane_with(angle, 4, seed=3)
    found = triangle(star.weights, ray.direction, 0.7 * np.eye(4))
    for share, reading in zip(found, bnlib.laws.READINGS, strict=True):
        oracles.agree(reading, share, bnlib.failure_probability(angle, reading), 1e-12, 1.0)


def test_at_an_angle_of_one_half_and_on_the_three_points_it_is_below_one_half():
    star, ray = np.array([1.0, 0.0]), np.array([np.cos(0.5), np.sin(0.5)])
    # Where C prefers a direction across W*, on the side of the ray.
    assert round(triangle(star, ray, np.array([[1.0, 1.0], [1.0, 2.0]]))[0], 4) == 0.2963
    star, ray = np.array([3.0, 1.0]), np.array([5.0, 3.0])
    for scales, expected in (([3, 1], 0.7652), ([1, 1], 0.5348), ([1, 3], 0.2984)):
        assert round(triangle(star, ray, np.diag(np.square(scales)))[0], 4) == expected


def compare_angle(seed, *, planted=""):
    """Compare the sine of the angle between least squares without and with intercept."""
    data = oracles.normal_set(seed, m=9, d=4)
    star, slope, intercept = sampling.fits(data.inputs, data.targets)
    s = np.linalg.solve(np.cov(data.inputs.T, ddof=0), data.inputs.mean(axis=0))
    across = s if planted == "all of s" else s - slope * (s @ slope) / (slope @ slope)
    q = 0.0 if planted == "no q" else data.inputs.mean(axis=0) @ s
    length = np.linalg.norm(slope if planted == "the slope's length" else star)
    sine = abs(intercept) * np.linalg.norm(across) / ((1 + q) * length)
    oracles.agree("sine", np.sin(bnlib.angle(star, slope)), sine, 1e-10)


def test_the_sine_of_the_angle_is_the_intercept_times_what_is_across():
    for seed in range(30):
        compare_angle(seed)


@oracles.each(["all of s", "no q", "the slope's length"])
def test_a_wrong_sine_is_noticed(planted):
    with pytest.raises(oracles.Disagreement):
        compare_angle(1, planted=planted)
