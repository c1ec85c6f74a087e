"""The summary of many learning sets: counts, angles, and shares of failing starts beside the law.

A learning set is here what `bn_experiments.sweeps.activations.examine` returns of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from bn_experiments.probability.estimate import Estimate
from bnlib._arrays import Array
from bnlib.laws import failure_probability

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HISTOGRAM = tuple(range(0, 181, 5))
"""Ends of the bins of the histograms of angles, in degrees."""
BINS = tuple(range(0, 181, 10))
"""Ends of the bins in which shares are pooled, in degrees."""


def describe(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts, angles and shares of the learning sets of one activation."""
    # Without a W* or without a ray the lemma says nothing: such sets are no violations.
    tested = [each for each in sets if "applies" in each]
    violated = [each for each in tested if each["violated_at_stars"] or each["violated"]]
    one_one = [each for each in tested if is_one_one(each)]
    several = [each for each in tested if not is_one_one(each)]
    outcomes: Counter[str] = Counter()
    for each in sets:
        outcomes.update(each["outcomes"])
    nearest = [min(row) for each in tested for row in each["angles"] if row]
    return {
        "sets": len(sets),
        "without_star": sum(not each["angles"] for each in sets),
        "without_ray": sum(not each["rays"] for each in sets),
        "tested": len(tested),
        "violated": len(violated),
        "violated_at_a_star": sum(each["violated_at_stars"] > 0 for each in tested),
        "share_violated": proportion(len(violated), len(tested)),
        "numbers_of_stars": _tally([len(each["angles"]) for each in sets]),
        "numbers_of_rays": _tally([each["rays"] for each in sets]),
        "stars_at_kinks": sum(each["kinks"] for each in sets),
        "stars_at_zero": sum(row is None for each in sets for row in each["angles"]),
        "with_flat_arcs": sum(each["flat_arcs"] > 0 for each in sets),
        "outcomes": dict(sorted(outcomes.items())),
        "nearest_angles": distribution(nearest),
        "one_one_angles": distribution([each["angles"][0][0] for each in one_one]),
        "one_one": compare(one_one),
        "several": compare(several),
    }


def is_one_one(each: dict[str, Any]) -> bool:
    """Say whether a learning set has one W*, not 0, and one ray: what the law is about."""
    return "applies" in each and [len(row or ()) for row in each["angles"]] == [1]


def compare(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the share of failing starts with 1/2 + θ/(2π)."""
    # θ: from the W* of lowest loss to the ray nearest to it.
    usable = [each for each in sets if each["applies"] and each["angles"][0]]
    result: dict[str, Any] = {"sets": len(sets), "compared": len(usable)}
    if len(usable) < 2:
        return result
    from scipy import stats  # on first use: SciPy is half of the import time

    theta = np.array([min(each["angles"][0]) for each in usable])
    applies = np.array([each["applies"] for each in usable])
    violated = np.array([each["violated"] for each in usable])
    law = failure_probability(theta)
    difference = violated / applies - law
    # Given the number of starts with the hypothesis, the violations are binomial if the law holds.
    variance = np.maximum(law * (1 - law), 0.25 / applies) / applies
    chi_squared = float((difference**2 / variance).sum())
    mean = Estimate.of_mean(difference.sum(), (difference**2).sum(), len(usable))
    return result | {
        "mean_share": float((violated / applies).mean()),
        "mean_law": float(law.mean()),
        "mean_difference": mean.value,
        "standard_error": mean.standard_error,
        "standard_deviation": float(difference.std(ddof=1)),
        "rms_in_standard_errors": float(np.sqrt(chi_squared / len(usable))),
        "chi_squared": chi_squared,
        "p_value": float(stats.chi2.sf(chi_squared, len(usable))),
        "difference_quantiles": np.quantile(difference, QUANTILES).tolist(),
        "largest_difference": float(np.abs(difference).max()),
        "binned": _binned(theta, applies, violated, law),
    }


def _binned(theta: Array, applies: Array, violated: Array, law: Array) -> dict[str, list[float]]:
    """Return the shares of the learning sets whose angles fall into one bin, pooled.

    The standard error is that of the random starts alone; the spread is the standard deviation
    of the shares of the learning sets.
    """
    keys = ("degrees", "share", "standard_error", "spread", "law", "sets")
    columns: dict[str, list[float]] = {key: [] for key in keys}
    which = np.digitize(np.degrees(theta), BINS[1:-1])
    for bin_number in np.unique(which):
        there = which == bin_number
        weight = applies[there] / applies[there].sum()
        share = Estimate.of_proportion(int(violated[there].sum()), int(applies[there].sum()))
        columns["degrees"].append(float(np.degrees(theta[there]) @ weight))
        columns["share"].append(share.value)
        columns["standard_error"].append(share.standard_error)
        columns["spread"].append(float((violated[there] / applies[there]).std()))
        columns["law"].append(float(law[there] @ weight))
        columns["sets"].append(int(there.sum()))
    return columns


def distribution(angles: list[float]) -> dict[str, Any]:
    """Return quantiles and a histogram of angles, in degrees."""
    degrees = np.degrees(angles)
    counts, _ = np.histogram(degrees, HISTOGRAM)
    quantiles = np.quantile(degrees, QUANTILES).tolist() if len(degrees) else []
    return {
        "n": len(degrees),
        "smallest_degrees": float(degrees.min()) if len(degrees) else None,
        "degrees_at_quantiles": quantiles,
        "histogram": counts.tolist(),
    }


def proportion(count: int, n: int) -> dict[str, float]:
    """Return a share with its standard error, nothing for fewer than two trials."""
    if n < 2:
        return {}
    share = Estimate.of_proportion(count, n)
    return {"value": share.value, "standard_error": share.standard_error}


def _tally(numbers: list[int]) -> dict[str, int]:
    return {str(number): count for number, count in sorted(Counter(numbers).items())}
