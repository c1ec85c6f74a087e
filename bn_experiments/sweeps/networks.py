"""Batch normalization inserted into trained networks, and the lemma for networks.

Two kinds of cases. *Insertion*: train a plain network to a stationary point, insert batch norm
into each layer in turn, in four forms, and compare the gradient with the formula and with what
the theorem says; then train on with batch norm in the hidden layers and see how far the weights
turn. *Lemma*: train networks with and without batch norm from the same starts and compare both
sides of the inequality, at the optima that are reached.
"""

from collections import defaultdict
from dataclasses import replace
from itertools import product
from typing import Any

import jax
import numpy as np
import optax

from bn_experiments import networks
from bn_experiments.networks.network import Network
from bn_experiments.networks.stationary import StationaryPoint
from bn_experiments.probability import Estimate
from bn_experiments.sweeps.activations import BINS, QUANTILES
from bn_experiments.sweeps.network_problems import Case, insertion_case, lemma_case, problem
from bn_solver.arrays import Array, angle_between, unit
from bnlib.batch_norm import BatchNorm

Row = dict[str, Any]

DESCRIPTION = "Batch norm inserted into trained networks; the lemma for networks."
SEED = 20250227

FORMS = {
    "full": BatchNorm(),
    "full, ε = 0.1": BatchNorm(epsilon=0.1),
    "centre": BatchNorm(scale=False),
    "scale": BatchNorm(center=False),
}
"""What is inserted."""
ACTIVATIONS = ("tanh", "softplus", "gelu", "silu")
HIDDEN = ((2,), (3,), (2, 2), (3, 3), (2, 2, 2))
SEEDS, ITERATIONS = 3, 500
"""Seeds of each kind of insertion case; iterations after which one counts as not converged."""
ZERO = 1e-8
"""Share of the gradient at the start below which a gradient counts as 0."""
SAME = 1e-12
"""Largest change of an output, relative to the largest, that is called none."""
SETS, STARTS = 10, 50
"""Learning sets of the lemma for each architecture, and starts on each."""


def cases() -> list[Case]:
    """Return all cases: every combination of data, architecture and loss, `SEEDS` times."""
    kinds = [
        *[("teacher", loss, hidden) for loss in ("squared", "cross-entropy") for hidden in HIDDEN],
        *[(data, "cross-entropy", (2,)) for data in ("iris", "wine")],
        *[("diabetes", "squared", (2,)), ("few", "squared", (6,)), ("centred", "squared", (3,))],
    ]
    insertions = [
        insertion_case(data, hidden, activation, loss, bias, seed)
        for seed in range(SEEDS)
        for data, loss, hidden in kinds
        for activation in ACTIVATIONS
        for bias in (False, True)
    ]
    lemmas = [
        lemma_case(activation, bias, seed, STARTS)
        for seed in range(SETS)
        for activation in ("tanh", "gelu")
        for bias in (False, True)
    ]
    return insertions + lemmas


def task(case: Case, rng: np.random.Generator) -> Row:  # noqa: ARG001
    """Run a case. All randomness comes from its own seed, so that a chapter can run it alone."""
    try:
        return {"case": case} | (examine if case["kind"] == "insertion" else lemma)(case)
    finally:
        # What is compiled for hundreds of cases is gigabytes.
        jax.clear_caches()  # type: ignore[no-untyped-call]


def balanced(network: Network, params: Any) -> Any:
    """Return the same network with outputs of mean 0, where a softmax does not see the mean.

    Without this, rounding would decide which of many equal points the training ends at, and
    batch norm in the last layer does not treat them alike.
    """
    if network.objective != "cross-entropy":
        return params
    last = {key: each - each.mean(axis=-1, keepdims=True) for key, each in params[-1].items()}
    return [*params[:-1], last]


def examine(case: Case, *, further: bool = True) -> Row:
    """Run an insertion case: train, insert batch norm, and train on with it if `further` is true.

    If an isolated minimum or a perfect fit is reached, the row has ``checks``, one for each layer
    and form, which say what the theorem does, too; and the ``move`` to the optimum with batch norm.
    """
    network, start, x, t = problem(case)
    point = networks.stationary_point(network, start, x, t, iterations=ITERATIONS)
    point = replace(point, params=balanced(network, point.params))
    interpolates = bool(point.loss <= 1e-18)
    names = "converged", "isolated", "relative_gradient", "iterations", "loss"
    row: Row = {name: getattr(point, name) for name in names} | {"interpolates": interpolates}
    row["parameters"] = sum(each.size for each in jax.tree.leaves(start))
    if not (point.isolated or (interpolates and point.converged)):
        return row
    row["checks"] = []
    for (layer, has_bias), form in product(enumerate(network.biases), FORMS):
        check = networks.check_insertion(network, point.params, x, t, layer, FORMS[form])
        found = {
            "layer": layer,
            "form": form,
            "must_stay": interpolates or form == "scale" or has_bias,
            "gradient": check.gradient_norm / point.reference,
            "weights": check.weights_norm / point.reference,
            "error": check.relative_error,
            "output_change": check.output_change,
        }
        row["checks"].append(found)
    row["move"] = {} if interpolates or not further else move(network, point, x, t)
    return row


def move(network: Network, point: StationaryPoint, x: Array, t: Array) -> Row:
    """Train on from a stationary point of a plain network with batch norm in all hidden layers.

    Returns ``converged``; then ``angles``, in degrees, between the weights of each hidden unit
    before and after, which do not depend on the scale of either; ``gain``, the share of the loss
    that is lost; and ``absorbed``, the gradient norm, relative to that at the start, of the plain
    network with biases that computes the same.
    """
    normalized, params = network, point.params
    for layer in range(network.depth - 1):
        normalized, params = networks.insert(normalized, params, x, layer, BatchNorm())
    end = networks.stationary_point(
        normalized, params, x, t, iterations=ITERATIONS, reference=point.reference
    )
    if not end.isolated:
        return {"converged": False}
    angles = [
        angle_between(unit(np.asarray(old["weights"]).T), unit(np.asarray(new["weights"]).T))
        for old, new in zip(point.params[:-1], end.params[:-1], strict=True)
    ]
    biased, equal = networks.fold(normalized, end.params, x)
    gradient = jax.tree.leaves(jax.grad(biased.loss)(equal, x, t))
    norm = np.sqrt(sum(float((each**2).sum()) for each in gradient))
    return {
        "converged": True,
        "angles": np.degrees(np.concatenate(angles)).tolist(),
        "gain": 1.0 - end.loss / point.loss,
        "absorbed": float(norm) / point.reference,
    }


def lemma(case: Case) -> Row:
    """Run a lemma case: the same starts, with and without batch norm.

    The row has the numbers of starts and of pairs of isolated minima reached, and for the optima
    ``reached`` and ``pooled`` what a `LemmaCheck` says of each pair; ``exists`` where it applies.
    """
    plain, _, x, t = problem(case)
    normalized = replace(plain, normalization=(BatchNorm(), None))
    key = jax.random.key(case["seed"])
    keys = [jax.random.fold_in(key, i) for i in range(case["starts"])]
    starts = [plain.initialize(key) for key in keys]
    ends = (_reached(network, keys, x, t) for network in (plain, normalized))
    every = zip(starts, *ends, strict=True)
    trios = [(start, star, bn) for start, star, bn in every if star.isolated and bn.isolated]
    row: Row = {"starts": case["starts"], "pairs": len(trios)}
    if not trios:
        return row
    first = [(start, star.params, bn.params) for start, star, bn in trios]
    w, star, bn = (np.stack([each[0]["weights"] for each in of]) for of in zip(*first, strict=True))
    size = np.sum(w**2, axis=(1, 2))
    sides = {
        "reached": networks.reached_sides(w, star, bn),
        "pooled": networks.pooled_sides(w, star, bn, odd=plain.activation == "tanh"),
    }
    for name, each in sides.items():
        relative = {"left": each.left / size, "right": each.right / size}
        shown = vars(each) | relative | {"exists": each.applies & each.exists}
        order = ("applies", "exists", "violated", "undecided", "left", "right")
        row[name] = {key: shown[key].tolist() for key in order}
    row["lower"] = sum(bn.loss < star.loss * (1 - 1e-9) for _, star, bn in trios)
    return row


def _reached(network: Network, keys: list[Any], x: Array, t: Array) -> list[StationaryPoint]:
    """Train from all starts side by side with Adam, then finish one by one."""
    stack = jax.tree.map(lambda *each: np.stack(each), *map(network.initialize, keys))
    run = networks.train(network, stack, x, t, 0.02, steps=1000, optimizer=optax.adam)
    return [
        networks.stationary_point(network, each, x, t, iterations=100)
        for each in networks.unstacked(run.params)
    ]


def summary(rows: list[Row]) -> Row:
    """Return counts, the extremes of what must be 0 and must not be, angles and shares."""
    kinds, groups = defaultdict(list), defaultdict(list)
    for row in rows:
        case = row["case"]
        if case["kind"] == "insertion":
            depth = f"{len(case['hidden'])} hidden"
            kinds[f"{case['data']}, {case['objective']}, {depth}"].append(row)
        else:
            bias = "with bias" if case["bias"] else "without bias"
            groups[f"{case['activation']}, {bias}"].append(row)
    trained = {
        name: {
            "trained": len(each),
            "converged": sum(row["converged"] for row in each),
            "kept": sum("checks" in row for row in each),
        }
        for name, each in kinds.items()
    }
    result: Row = {"trained": trained}
    insertions = [row for each in kinds.values() for row in each]
    checks = [check for row in insertions for check in row.get("checks", [])]
    if checks:
        result["checks"] = count_checks(checks)
        result["moves"] = {
            word: _moves([row for row in insertions if row["case"]["bias"] is bias])
            for word, bias in (("without bias", False), ("with bias", True))
        }
    return result | {"lemma": {name: count_lemma(each) for name, each in groups.items()}}


def count_checks(checks: list[Row]) -> Row:
    """Return how many insertions had to keep the point, how many did, and what the others did."""
    stay = [each for each in checks if each["must_stay"]]
    leave = [each for each in checks if not each["must_stay"]]
    return {
        "must_stay": len(stay),
        "stay": sum(each["gradient"] <= ZERO for each in stay),
        "must_not_stay": len(leave),
        "do_not_stay": sum(each["gradient"] > ZERO for each in leave),
        "smallest_gradient": min((each["gradient"] for each in leave), default=None),
        "agree": sum(each["error"] <= ZERO for each in leave),
        "outputs_kept": sum(each["output_change"] <= SAME for each in checks),
    }


def _moves(rows: list[Row]) -> Row:
    tried = [row["move"] for row in rows if row.get("move")]
    done = [each for each in tried if each["converged"]]
    result: Row = {
        "tried": len(tried),
        "done": len(done),
        "absorbed": sum(each["absorbed"] <= ZERO for each in done),
    }
    if done:
        # Rounded to 6 places: with biases nothing but rounding is left of either.
        largest = np.abs([max(each["angles"]) for each in done])
        gains = np.array([each["gain"] for each in done])
        for name, values in (("largest_angles", largest), ("gains", gains)):
            result[name] = (np.quantile(values, QUANTILES).round(6) + 0.0).tolist()
        result["histogram"] = np.histogram(largest, BINS)[0].tolist()
    return result


def count_lemma(rows: list[Row]) -> Row:
    """Return pairs of optima, violations, and the mean share (with the infimum) over the sets.

    The counts ``exists`` and ``violated_exists`` are of pairs that have a closest BN optimum.
    """
    result: Row = {
        "sets": len(rows),
        "starts": sum(row["starts"] for row in rows),
        "pairs": sum(row["pairs"] for row in rows),
        "lower": sum(row.get("lower", 0) for row in rows),
    }
    for name in ("reached", "pooled"):
        found = [row[name] for row in rows if name in row and any(row[name]["applies"])]
        applies = np.array([sum(each["applies"]) for each in found])
        violated = np.array([sum(each["violated"]) for each in found])
        result[name] = {"applies": int(applies.sum()), "violated": int(violated.sum())}
        closest = [(np.array(each["exists"]), np.array(each["violated"])) for each in found]
        result[name] |= {
            "exists": sum(int(exists.sum()) for exists, _ in closest),
            "violated_exists": sum(int((exists & false).sum()) for exists, false in closest),
            "undecided": sum(sum(each["undecided"]) for each in found),
        }
        if len(found) > 1:
            share = violated / applies  # starts on one learning set are not independent
            mean = Estimate.of_mean(share.sum(), (share**2).sum(), len(share))
            result[name] |= {"share": mean.value, "standard_error": mean.standard_error}
    return result
