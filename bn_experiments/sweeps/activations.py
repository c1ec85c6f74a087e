"""How often the lemma fails, for each activation, over thousands of random learning sets.

For every learning set of six examples with two inputs: all local optima W* that a search finds
from a fine grid and from random starts, all BN rays, the angles between them, and the share of
random initializations W₀ at which the lemma is false. With one W* and one ray that share is
1/2 + θ/(2π) (`bnlib.failure_probability`). With several of either nothing is proved, and the same
formula, with the W* of lowest loss and the ray nearest to it, is only a guess, which `summary`
compares with what was counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_experiments.datasets.random import RandomLearningSets
from bn_experiments.search import numerical_optima, scan_directions, search_weights
from bn_experiments.sweeps import shares
from bn_experiments.sweeps.sweep import sweep
from bnlib._arrays import whole_number
from bnlib.batch_norm import BatchNorm
from bnlib.learning_set import LearningSet
from bnlib.lemma import check_lemma
from bnlib.neuron import Neuron
from bnlib.optima import Point, Ray, angle

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


def cases(sets: int = SETS) -> list[dict[str, Any]]:
    """Return the cases: the activations in turn, a block of learning sets each.

    Parameters
    ----------
    sets : int
        Learning sets for each activation.
    """
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
    """Find the optima of one learning set and count where the lemma is false.

    Parameters
    ----------
    name : str
        The activation.
    data : LearningSet
        Examples with two inputs.
    starts : int
        Number of random starts of the search for W*, of lengths from 0.1 to 10, beside those
        that `numerical_optima` makes. ``outcomes`` counts what became of these and of one
        start at each W* found before.
    draws : int
        Number of W₀ ~ N(0, I).
    rng : numpy.random.Generator
        The source of randomness; it gives the same numbers whatever is found.
    """
    directions = rng.standard_normal((starts, data.d))
    lengths = 10.0 ** rng.uniform(-1.0, 1.0, (starts, 1))
    begin = directions / np.linalg.norm(directions, axis=1, keepdims=True) * lengths
    random = rng.standard_normal((draws, data.d))

    neuron = Neuron(name)
    # Minima far out, where an activation saturates, are found from a grid, hardly at random.
    known = [
        each.weights for each in numerical_optima(neuron, data, rng) if isinstance(each, Point)
    ]
    land = search_weights(neuron, data, np.array([*begin, *known]))
    scan = scan_directions(Neuron(name, BatchNorm()), data)
    result: dict[str, Any] = {
        "outcomes": dict(sorted(land.outcomes.items())),
        "kinks": land.kinds.count("kink"),
        # From each W*, by increasing loss, to each ray; W* = 0 has no direction.
        "angles": [_angles(star, scan.minima) for star in land.minima],
        "rays": len(scan.minima),
        "flat_arcs": len(scan.flat),
    }
    if land.minima and scan.minima:
        at_star = check_lemma([star.weights for star in land.minima], land.minima, scan.minima)
        check = check_lemma(random, land.minima, scan.minima)
        result["violated_at_stars"] = int(at_star.violated.sum())
        result["applies"] = int(check.applies.sum())
        result["violated"] = int(check.violated.sum())
    return result


def _angles(star: Point, rays: list[Ray]) -> list[float] | None:
    if not star.weights.any():
        return None
    return [angle(star.weights, ray.direction) for ray in rays]


def live(sets: int) -> dict[str, Any]:
    """Run a small sweep at once and return its summary.

    Parameters
    ----------
    sets : int
        Learning sets for each activation. A multiple of `BLOCK` gives the first ones of the
        full sweep.
    """
    return summary(sweep(task, cases(sets), seed=SEED))


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts, angles and shares for each activation, and for all together.

    Parameters
    ----------
    rows : list of dict
        What `task` returned, for any number of cases.
    """
    names = [name for name in NAMES if any(row["activation"] == name for row in rows)]
    sets = {
        name: [each for row in rows if row["activation"] == name for each in row["sets"]]
        for name in names
    }
    every = [each for name in names for each in sets[name]]
    return {
        "activations": {name: shares.describe(sets[name]) for name in names},
        "all": {"one_one": shares.compare([each for each in every if shares.is_one_one(each)])},
        "angle_bins_degrees": list(shares.HISTOGRAM),
        "share_bins_degrees": list(shares.BINS),
        "quantiles": list(shares.QUANTILES),
    }
