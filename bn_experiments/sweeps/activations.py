"""How often the lemma fails, for each activation, over thousands of random learning sets.

For every learning set of six examples with two inputs: all local optima W* that a search finds
from a fine grid and from random starts, all BN rays, the angles between them, and the share of
random initializations W₀ at which the lemma is false. γ = 1 and β = 0 are frozen.

Two things are read in more than one way. *No ray is closest* to a start behind all of them: with
the infimum for the left side the inequality is false there, read strictly the lemma says nothing.
With one W* and one ray the shares of failing starts are then 1/2 + θ/(2π) and 1/2 − θ/(2π), and,
given that a ray is closest, one half (`bnlib.failure_probability`). With several of either nothing
is proved, and the first formula, with the W* of lowest loss and the ray nearest to it, is only a
guess, compared with what was counted. *Flat minima* of ReLU count among the W* in the ways that
`bn_experiments.sweeps.flat_minima` defines; all else is about isolated ones.
"""

from collections import Counter
from typing import Any

import numpy as np

from bn_experiments.datasets.random import RandomLearningSets
from bn_experiments.probability.estimate import Estimate
from bn_experiments.search import numerical_optima, scan_directions, search_weights
from bn_experiments.sweeps.flat_minima import READINGS, Verdicts, judge
from bn_experiments.sweeps.run import sweep
from bn_solver.arrays import Array, whole_number
from bnlib.activations import activation
from bnlib.batch_norm import BatchNorm
from bnlib.laws import failure_probability
from bnlib.learning_set import LearningSet
from bnlib.lemma import check_lemma
from bnlib.neuron import Neuron
from bnlib.optima import Point, angle

DESCRIPTION = "Nine activations: how often the lemma fails on random learning sets."
SEED = 20250226
SETS = 1000
"""Learning sets for each activation in the full sweep."""
BLOCK = 10
"""Learning sets in one case."""

NAMES = (
    *("identity", "tanh", "sigmoid", "softplus"),
    *("relu", "leaky_relu", "gelu", "silu", "elu"),
)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HISTOGRAM = tuple(range(0, 181, 5))
"""Ends of the bins of the histograms of angles, in degrees."""
BINS = tuple(range(0, 181, 10))
"""Ends of the bins in which shares are pooled, in degrees."""


def cases(sets: int = SETS) -> list[dict[str, Any]]:
    """Return the cases: the activations in turn, a block of their learning sets each."""
    whole_number("sets", sets, at_least=1)
    sizes = [min(BLOCK, sets - begin) for begin in range(0, sets, BLOCK)]
    fixed = {"m": 6, "d": 2, "offset": 1.0, "level": 0.5, "noise": 0.3, "starts": 8, "draws": 4000}
    return [
        {"activation": name, "block": block, "sets": size, **fixed}
        for block, size in enumerate(sizes)
        for name in NAMES
    ]


def task(case: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Draw the learning sets of a case and examine each."""
    family = [case[key] for key in ("m", "d", "offset", "level", "noise", "activation")]
    inputs, targets = RandomLearningSets(*family).sample(rng, case["sets"])
    found = [
        examine(case["activation"], LearningSet(x, t), case["starts"], case["draws"], rng)
        for x, t in zip(inputs, targets, strict=True)
    ]
    return {"activation": case["activation"], "sets": found}


def examine(
    name: str, data: LearningSet, starts: int, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Find the optima of one learning set and count the W₀ ~ N(0, I) with a false lemma.

    The search for W* has random starts of lengths from 0.1 to 10, beside those that
    `numerical_optima` makes; ``outcomes`` counts what became of these and of one start at each
    W* found before. `rng` gives the same numbers whatever is found. ``readings`` has the counts
    with isolated W* and, for piecewise linear activations, with flat ones too.
    """
    directions = rng.standard_normal((starts, data.d))
    lengths = 10.0 ** rng.uniform(-1.0, 1.0, (starts, 1))
    begin = directions / np.linalg.norm(directions, axis=1, keepdims=True) * lengths
    random = rng.standard_normal((draws, data.d))

    neuron = Neuron(name)
    # Minima far out, where an activation saturates, are found from a grid, hardly at random.
    optima = numerical_optima(neuron, data, rng)
    known = [each.weights for each in optima if isinstance(each, Point)]
    land = search_weights(neuron, data, np.array([*begin, *known]))
    scan = scan_directions(Neuron(name, BatchNorm()), data)
    stars = [star.weights for star in land.minima]
    result: dict[str, Any] = {
        "outcomes": dict(sorted(land.outcomes.items())),
        "kinks": land.kinds.count("kink"),
        # From each W*, by increasing loss, to each ray; W* = 0 has no direction.
        "angles": [
            [angle(w, ray.direction) for ray in scan.minima] if w.any() else None for w in stars
        ],
        "rays": len(scan.minima),
        "flat_arcs": len(scan.flat),
        "readings": {},
    }
    if stars and scan.minima:
        at_star = check_lemma(stars, land.minima, scan.minima)
        check = check_lemma(random, land.minima, scan.minima)
        result["violated_at_stars"] = int(at_star.violated.sum())
        result["applies"] = int(check.applies.sum())
        result["violated"] = int(check.violated.sum())
        result["strictly_violated_at_stars"] = int((at_star.violated & at_star.exists).sum())
        verdicts = Verdicts(check.applies, check.violated, check.exists, np.zeros(draws, bool))
        result["readings"]["isolated"] = verdicts.counts()
    if activation(name).slopes is not None and scan.minima:
        for reading in READINGS[1:]:
            verdicts = judge(reading, random, neuron, data, land, scan.minima)
            result["readings"][reading] = verdicts.counts()
    return result


def live(sets: int) -> dict[str, Any]:
    """Run a small sweep at once and return its summary.

    A multiple of `BLOCK` gives the first learning sets of the full sweep.
    """
    return summary(sweep(task, cases(sets), seed=SEED))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts, angles and shares for each activation, and for all, from any of the cases."""
    there = {row["activation"] for row in rows}
    sets: dict[str, list[Any]] = {name: [] for name in NAMES if name in there}
    for row in rows:
        sets[row["activation"]] += row["sets"]
    every = [each for name in sets for each in sets[name]]
    return {
        "activations": {name: describe(each) for name, each in sets.items()},
        "all": {"one_one": compare([each for each in every if is_one_one(each)])},
        "angle_bins_degrees": list(HISTOGRAM),
        "share_bins_degrees": list(BINS),
        "quantiles": list(QUANTILES),
    }


def describe(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts, angles and shares of the learning sets of one activation."""
    # Without a W* or a ray the lemma says nothing.
    tested = [each for each in sets if "applies" in each]
    violated = [each for each in tested if each["violated_at_stars"] or each["violated"]]
    closest = [each["readings"]["isolated"]["violated_closest"] for each in tested]
    strictly = np.add(closest, [each["strictly_violated_at_stars"] for each in tested])
    one_one = [each for each in tested if is_one_one(each)]
    several = [each for each in tested if not is_one_one(each)]
    outcomes = sum((Counter(each["outcomes"]) for each in sets), Counter[str]())
    nearest = [min(row) for each in tested for row in each["angles"] if row]
    return {
        "sets": len(sets),
        "without_star": sum(not each["angles"] for each in sets),
        "without_ray": sum(not each["rays"] for each in sets),
        "tested": len(tested),
        "violated": len(violated),
        "strictly_violated": int((strictly > 0).sum()),
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
        "readings": {name: shares(sets, name) for name in READINGS},
    }


def shares(sets: list[dict[str, Any]], reading: str) -> dict[str, Any]:
    """Return mean shares of failing starts over the sets on which a reading counts any.

    ``infimum``: of the starts with the hypothesis, those that fail; ``strict``: those that fail
    and to which a ray is closest. ``given_closest``: of those to which a ray is closest.
    ``without``: of all starts, those without a closest W*.
    """
    found = [each["readings"][reading] for each in sets if reading in each["readings"]]
    found = [each for each in found if each["closest"]]
    parts = {
        "infimum": ("violated", "applies"),
        "strict": ("violated_closest", "applies"),
        "given_closest": ("violated_closest", "closest"),
    }
    result: dict[str, Any] = {"sets": len(found)}
    if len(found) > 1:
        for name, (part, whole) in parts.items():
            each = np.array([counts[part] / counts[whole] for counts in found])
            result[name] = _stated(Estimate.of_mean(each.sum(), (each**2).sum(), len(each)))
        without = [counts["without"] / counts["starts"] for counts in found]
        result["without"] = float(np.mean(without))
    return result


def is_one_one(each: dict[str, Any]) -> bool:
    """Say whether a learning set has one W*, not 0, and one ray: what the law is about."""
    return "applies" in each and [len(row or ()) for row in each["angles"]] == [1]


def compare(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the share of failing starts, with the infimum, with 1/2 + θ/(2π)."""
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
        "shares": shares(usable, "isolated"),
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
    return _stated(Estimate.of_proportion(count, n)) if n >= 2 else {}


def _stated(mean: Estimate) -> dict[str, float]:
    return {"value": mean.value, "standard_error": mean.standard_error}


def _tally(numbers: list[int]) -> dict[str, int]:
    return {str(number): count for number, count in sorted(Counter(numbers).items())}
