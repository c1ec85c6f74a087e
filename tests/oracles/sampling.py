"""Comparisons of the rooms of random and stacked learning sets with independent oracles.

Like `tests.oracles`: each ``compare_…`` raises `Disagreement` and names the quantity. Random
comparisons are seeded; they fail beyond `Z` standard errors or below the p-value `P_VALUE`.
"""

import numpy as np
from scipy import stats
from scipy.special import ndtr
from sklearn.linear_model import LinearRegression

import bnlib
from bn_experiments import datasets, probability
from tests.oracles import Disagreement, agree, searched_left_side

Z, P_VALUE = 4.5, 1e-5


def within(quantity, estimate, expected):
    """Raise `Disagreement` if an estimate is too many of its standard errors away."""
    score = abs(estimate.value - expected) / estimate.standard_error
    if not score < Z:
        raise Disagreement(f"{quantity}: {score:.1f} standard errors from {expected:.6g}")


def same_law(quantity, sample, other):
    """Raise `Disagreement` if Kolmogorov–Smirnov tells a sample from a sample or a law."""
    p = (stats.ks_1samp if callable(other) else stats.ks_2samp)(sample, other).pvalue
    if not p > P_VALUE:
        raise Disagreement(f"{quantity}: Kolmogorov–Smirnov p-value {p:.1g}")


def plane_with(angle, d, seed, length=3.0):
    """Return W* and a ray with a given angle, in a random plane of d dimensions."""
    frame = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, 2)))[0]
    ray = np.cos(angle) * frame[:, 0] + np.sin(angle) * frame[:, 1]
    return bnlib.Point(length * frame[:, 0]), bnlib.Ray(ray)


def arc(u, v):
    """Return an angle through the arc cosine, which bnlib does not use."""
    return float(np.arccos(u @ v / np.sqrt((u @ u) * (v @ v))))


def compare_projection(law, d, seed, n=20_000):
    """Compare the drawn coordinates with full draws projected on a random plane."""
    rng = np.random.default_rng(seed)
    frame = np.linalg.qr(rng.normal(size=(d, 2)))[0]
    full, plane = (law.sample(rng, n, d) @ frame).T, law.project(rng, n, d)
    for name, of in {
        "first coordinate": lambda c: c[0],
        "second coordinate": lambda c: c[1],
        "sum of coordinates": lambda c: c[0] + c[1],
        "direction": lambda c: np.arctan2(c[1], c[0]),
        "length": lambda c: np.round(np.hypot(*c), 9),  # on a circle all lengths are equal
    }.items():
        same_law(name, of(plane), of(full))


def compare_estimate(seed, n=7):
    """Compare means and standard errors with NumPy and SciPy."""
    sample = np.random.default_rng(seed).normal(2.0, 3.0, n)
    mean = probability.Estimate.of_mean(sample.sum(), sample @ sample, n)
    agree("mean", mean.value, sample.mean(), 1e-13)
    agree("standard error", mean.standard_error, stats.sem(sample), 1e-12)
    hits = 3
    share = probability.Estimate.of_proportion(hits, n)
    agree("proportion", share.value, hits / n, 1e-15)
    posterior = stats.beta(hits + 1, n - hits + 1)  # the smoothed share is its mean
    error = np.sqrt(posterior.mean() * (1 - posterior.mean()) / n)
    agree("standard error", share.standard_error, error, 1e-13)


def compare_simulation(law, square, angle, d, *, seed, n, shortcut):
    """Compare with both laws; `square` is the mean square of one coordinate of W₀."""
    star, ray = plane_with(angle, d, seed)
    rng = np.random.default_rng(seed)
    found = probability.simulate(law, [star], [ray], n, rng, shortcut=shortcut)
    within("violated", found.violated, float(bnlib.failure_probability(angle)))
    within("excess", found.excess, square * float(bnlib.mean_excess(angle)))


def sherman_morrison(inputs, slope, intercept):
    """Return W* = û + s a / (1 + q), the identity that the book proves."""
    mean, covariance = inputs.mean(axis=0), np.cov(inputs.T, ddof=0).reshape(2 * inputs.shape[1:])
    s = np.linalg.solve(covariance, mean)
    return np.asarray(slope + s * intercept / (1 + mean @ s))


def fits(x, t, **weights):
    """Return W*, û and a of scikit-learn."""
    without = LinearRegression(fit_intercept=False).fit(x, t, **weights)
    line = LinearRegression().fit(x, t, **weights)
    return without.coef_, line.coef_, line.intercept_


def compare_stacked(inputs, targets, tolerance=1e-10):
    """Compare each set with scikit-learn, with and without intercept."""
    found = datasets.stacked_optima(inputs, targets)
    for at in np.ndindex(inputs.shape[:-2]):
        star, slope, a = fits(inputs[at], targets[at])
        agree("W*", found.stars[at], star, tolerance)
        agree("û", found.slopes[at], slope, tolerance)
        agree("intercept", found.intercepts[at], a, tolerance, float(np.abs(targets[at]).max()))


def compare_sherman_morrison(inputs, targets, tolerance=1e-9):
    """Compare W* from scikit-learn with the identity applied to û and a of scikit-learn."""
    for x, t in zip(inputs, targets, strict=True):
        star, *line = fits(x, t)
        agree("identity", sherman_morrison(x, *line), star, tolerance)


def line_probability(angle, ratio):
    """Return the probability of a violation of the weaker statement, given p = ⟨u, W₀⟩/s.

    The other projection, ⟨W₀, W*⟩/(s‖W*‖), is then normal with mean p cos θ and deviation
    sin θ; a violation needs it above (1 + ρ²p₊²)/(2ρ). The library integrates over directions.
    """

    def density(p):
        with np.errstate(over="ignore"):
            threshold = (1 + (ratio * np.maximum(p, 0)) ** 2) / (2 * ratio)
        gap = (p * np.cos(angle) - threshold) / np.sin(angle)
        return np.exp(-(p**2) / 2) / np.sqrt(2 * np.pi) * ndtr(gap)

    # Panels that shrink towards every place where the integrand may be narrow.
    steps = np.geomspace(1e-15, 30.0, 400)
    centres = (0.0, 1 / ratio, np.cos(angle) / ratio, 0.5 / (np.cos(angle) * ratio))
    around = np.concatenate([-steps, [0.0], steps])
    edges = np.unique(np.clip(np.add.outer(centres, around), -30.0, 30.0))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return 2 * float(half @ (density(middle[:, None] + half[:, None] * nodes) @ weights))


def far_limit(angle):
    """Return θ/π, the limit of that probability for large initial weights."""
    return angle / np.pi


def compare_weaker_with_quadrature(angle, ratio, tolerance=1e-8):
    found = probability.weaker_failure_probability(angle, ratio)
    agree("weaker probability", found, line_probability(angle, ratio), tolerance, 1.0)


def compare_weaker_with_its_limit(angle):
    """Compare at ρ = 300, where the distance to the limit is of order 1/√ρ."""
    found = probability.weaker_failure_probability(angle, 300.0)
    agree("limit", found, far_limit(angle), 0.05, 1.0)


def compare_weaker_with_simulation(angle, ratio, d, seed, n=100_000):
    """Compare the formula with draws judged by `check_weaker`."""
    star, ray = plane_with(angle, d, seed, length=2.0)
    law, rng = probability.Gaussian(2.0 * ratio), np.random.default_rng(seed)
    found = probability.simulate(law, [star], [ray], n, rng, check=probability.check_weaker)
    expected = probability.weaker_failure_probability(angle, ratio)
    within("weaker probability", found.violated, expected)


def compare_weaker_check(starts, stars, rays):
    """Compare with a blind search on every ray, and with the distance to every point."""
    points = [bnlib.Point(each) for each in stars]
    check = probability.check_weaker(starts, points, [bnlib.Ray(each) for each in rays])
    for index, start in enumerate(starts):
        size = max(float(start @ start), float((stars**2).sum(axis=1).max()))
        left = min(searched_left_side(start, ray) for ray in rays)
        gaps = [sum((a - b) ** 2 for a, b in zip(start, star, strict=True)) for star in stars]
        applies = bool(start @ stars[int(np.argmin(gaps))] > 0)
        agree("left side", check.left[index], left, 1e-11, size)
        agree("right side", check.right[index], min(gaps), 1e-13, size)
        if bool(check.violated[index]) != (applies and left - min(gaps) > 1e-9 * size):
            raise Disagreement(f"verdict: wrong at {start}")
