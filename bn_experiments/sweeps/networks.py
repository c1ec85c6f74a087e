"""Batch normalization inserted into trained networks, and the lemma for networks.

Two kinds of cases. *Insertion*: train a plain network to a stationary point, insert batch norm
into each layer in turn, in four forms, and compare the gradient with the formula and with what
the theorem says; then train on with batch norm in the hidden layers and see how far the weights
turn. *Lemma*: train networks with and without batch norm from the same starts and compare both
sides of the inequality, at the optima that are reached.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax

from bn_experiments.datasets import load
from bn_experiments.networks.descent import initialize_many, select, train_many
from bn_experiments.networks.insertion import absorb, check_insertion, insert
from bn_experiments.networks.network import Network, Parameters
from bn_experiments.networks.network_lemma import pooled_sides, reached_sides
from bn_experiments.networks.stationary import StationaryPoint, stationary_point
from bn_experiments.probability.estimate import Estimate
from bnlib._numeric import angle_between, unit
from bnlib._validation import Array
from bnlib.batch_norm import BatchNorm

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
EXAMPLES = 100
"""Examples of a synthetic learning set."""
SEEDS = 3
"""Seeds of each kind of insertion case."""
ITERATIONS = 500
"""Iterations after which a training counts as not converged."""
ZERO = 1e-8
"""Share of the gradient at the start below which a gradient counts as 0."""
SAME = 1e-12
"""Largest change of an output, relative to the largest, that is called none."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = tuple(range(0, 181, 10))
"""Ends of the bins of the histograms of angles, in degrees."""
SETS, STARTS = 10, 50
"""Learning sets of the lemma for each architecture, and starts on each."""


def cases() -> list[dict[str, Any]]:
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
        lemma_case(activation, bias, seed)
        for seed in range(SETS)
        for activation in ("tanh", "gelu")
        for bias in (False, True)
    ]
    return insertions + lemmas


def insertion_case(
    data: str,
    hidden: tuple[int, ...],
    activation: str,
    objective: str,
    bias: bool | tuple[bool, ...],
    seed: int,
) -> dict[str, Any]:
    """Return one insertion case, as JSON can hold it.

    Parameters
    ----------
    data : str
        ``"teacher"``: 100 examples with 3 inputs, targets from a network with biases of the
        same widths, disturbed; ``"centred"``: the same with centred inputs; ``"few"``: 6
        examples with random targets; or ``"iris"``, ``"wine"``, ``"diabetes"``.
    hidden : tuple of int
        Widths of the hidden layers.
    activation, objective : str
        As for `Network`.
    bias : bool or tuple of bool
        As for `Network`, of the plain network.
    seed : int
        For the data, the teacher and the start.

    Returns
    -------
    dict
    """
    return {
        "kind": "insertion",
        "data": data,
        "hidden": list(hidden),
        "activation": activation,
        "objective": objective,
        "bias": bias if isinstance(bias, bool) else list(bias),
        "seed": seed,
    }


def lemma_case(activation: str, bias: bool, seed: int, starts: int = STARTS) -> dict[str, Any]:
    """Return one lemma case: a learning set from a teacher with 3 hidden units, many starts."""
    base = insertion_case("teacher", (3,), activation, "squared", bias, seed)
    return base | {"kind": "lemma", "starts": starts}


def task(case: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:  # noqa: ARG001
    """Run a case. All randomness comes from its own seed, so that a chapter can run it alone."""
    try:
        return {"case": case} | (examine if case["kind"] == "insertion" else lemma)(case)
    finally:
        # What is compiled for hundreds of cases is gigabytes.
        jax.clear_caches()  # type: ignore[no-untyped-call]


def problem(case: dict[str, Any]) -> tuple[Network, Parameters, Array, Array]:
    """Return the network of a case, where to start, the inputs and the targets.

    Parameters
    ----------
    case : dict
        See `insertion_case`.
    """
    rng = np.random.default_rng(case["seed"])
    name, classes = case["data"], case["objective"] == "cross-entropy"
    bias = case["bias"] if isinstance(case["bias"], bool) else tuple(case["bias"])
    if name in ("teacher", "centred", "few"):
        x = rng.normal(0.5, 1.0, (6 if name == "few" else EXAMPLES, 3))
        x = x - x.mean(axis=0) if name == "centred" else x
        widths = (3, *case["hidden"], 3 if classes else 1)
    else:
        x, t = _real(name)
        widths = (x.shape[1], *case["hidden"], t.shape[1])
    network = Network(widths, case["activation"], bias, case["objective"])
    start = network.initialize(case["seed"])
    if name == "few":
        return network, start, x, rng.normal(size=(len(x), widths[-1]))
    if name not in ("teacher", "centred"):
        return network, start, x, t
    # A teacher of the same widths with biases, whose answers are disturbed. The training
    # starts near it: from afar many a training leads to weights at infinity.
    guide = Network(widths, case["activation"], True, case["objective"])
    teacher = guide.initialize(case["seed"], scale=2.0)
    for layer in teacher:
        layer["bias"] = jax.numpy.asarray(rng.normal(0.0, 0.3, layer["bias"].shape))
    answers = np.asarray(guide.forward(teacher, x))
    answers = answers + rng.normal(0.0, 0.05 * answers.std(), answers.shape)
    near = [
        {key: value + rng.normal(0.0, 0.05, value.shape) for key, value in layer.items()}
        for layer in teacher
    ]
    start = [
        {key: value for key, value in layer.items() if key == "weights" or network.has_bias(i)}
        for i, layer in enumerate(near)
    ]
    return network, start, x, np.asarray(jax.nn.softmax(answers)) if classes else answers


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts, the extremes of what must be 0 and must not be, angles and shares.

    Parameters
    ----------
    rows : list of dict
        What `task` returned, for any cases.
    """
    insertions = [row for row in rows if row["case"]["kind"] == "insertion"]
    lemmas = [row for row in rows if row["case"]["kind"] == "lemma"]
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in insertions:
        case = row["case"]
        depth = f"{len(case['hidden'])} hidden"
        kinds.setdefault(f"{case['data']}, {case['objective']}, {depth}", []).append(row)
    result: dict[str, Any] = {"trained": {name: _trained(each) for name, each in kinds.items()}}
    checks = [check for row in insertions for check in row.get("checks", [])]
    if checks:
        result["checks"] = count_checks(checks)
        result["moves"] = {
            word: _moves([row for row in insertions if row["case"]["bias"] is bias])
            for word, bias in (("without bias", False), ("with bias", True))
        }
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in lemmas:
        bias = "with bias" if row["case"]["bias"] else "without bias"
        groups.setdefault(f"{row['case']['activation']}, {bias}", []).append(row)
    result["lemma"] = {name: count_lemma(each) for name, each in groups.items()}
    return result


def count_checks(checks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many insertions had to keep the point, how many did, and what the others did.

    Parameters
    ----------
    checks : list of dict
        From the ``checks`` of `examine`.
    """
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


def count_lemma(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return pairs of optima, violations, and the mean share over the learning sets.

    Parameters
    ----------
    rows : list of dict
        What `lemma` returned.
    """
    result: dict[str, Any] = {
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
        if len(found) > 1:
            share = violated / applies  # starts on one learning set are not independent
            mean = Estimate.of_mean(share.sum(), (share**2).sum(), len(share))
            result[name] |= {"share": mean.value, "standard_error": mean.standard_error}
    return result


def _trained(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {
        "trained": len(rows),
        "converged": sum(row["converged"] for row in rows),
        "kept": sum("checks" in row for row in rows),
    }


def _moves(rows: list[dict[str, Any]]) -> dict[str, Any]:
    tried = [row["move"] for row in rows if row.get("move")]
    done = [each for each in tried if each["converged"]]
    result: dict[str, Any] = {
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


def examine(case: dict[str, Any], *, further: bool = True) -> dict[str, Any]:
    """Run an insertion case.

    Parameters
    ----------
    case : dict
        See `insertion_case`.
    further : bool
        Whether to train on with batch norm.

    Returns
    -------
    dict
        What was reached; if it is an isolated minimum, or interpolates, also ``checks``, one
        for each layer and form, and ``move``, from there to the optimum with batch norm.
    """
    network, start, x, t = problem(case)
    point = stationary_point(network, start, x, t, iterations=ITERATIONS)
    point = replace(point, params=_balanced(network, point.params))
    interpolates = bool(point.loss <= 1e-18)
    result: dict[str, Any] = {
        "parameters": sum(each.size for each in jax.tree.leaves(start)),
        "converged": point.converged,
        "isolated": point.isolated,
        "interpolates": interpolates,
        "relative_gradient": point.relative_gradient,
        "iterations": point.iterations,
        "loss": point.loss,
    }
    if not (point.isolated or (interpolates and point.converged)):
        return result
    checks = []
    for layer in range(network.depth):
        for form, norm in FORMS.items():
            check = check_insertion(network, point.params, x, t, layer, norm)
            checks.append(
                {
                    "layer": layer,
                    "form": form,
                    # What the theorem says, from the architecture alone.
                    "must_stay": interpolates or form == "scale" or network.has_bias(layer),
                    "gradient": check.gradient_norm / point.reference,
                    "weights": check.weights_norm / point.reference,
                    "error": check.relative_error,
                    "output_change": check.output_change,
                }
            )
    result["checks"] = checks
    result["move"] = {} if interpolates or not further else move(network, point, x, t)
    return result


def move(network: Network, point: StationaryPoint, x: Array, t: Array) -> dict[str, Any]:
    """Train on from a stationary point with batch norm in all hidden layers.

    Parameters
    ----------
    network : Network
        The plain network.
    point : StationaryPoint
        Its stationary point.
    x, t : ndarray
        The data.

    Returns
    -------
    dict
        ``converged``; then ``angles``, in degrees, between the weights of each hidden unit
        before and after, which do not depend on the scale of either; ``gain``, the share of
        the loss that is lost; and ``absorbed``, the gradient norm, relative to that at the
        start, of the plain network with biases that computes the same.
    """
    normalized, params = network, point.params
    for layer in range(network.depth - 1):
        normalized, params = insert(normalized, params, x, layer, BatchNorm())
    end = stationary_point(
        normalized, params, x, t, iterations=ITERATIONS, reference=point.reference
    )
    if not end.isolated:
        return {"converged": False}
    angles = [
        angle_between(unit(np.asarray(old["weights"]).T), unit(np.asarray(new["weights"]).T))
        for old, new in zip(point.params[:-1], end.params[:-1], strict=True)
    ]
    biased, equal = normalized, end.params
    for layer in range(network.depth - 1):
        biased, equal = absorb(biased, equal, x, layer)
    slopes = jax.tree.leaves(jax.grad(biased.loss)(equal, x, t))
    norm = np.sqrt(sum(float((each**2).sum()) for each in slopes))
    return {
        "converged": True,
        "angles": np.degrees(np.concatenate(angles)).tolist(),
        "gain": 1.0 - end.loss / point.loss,
        "absorbed": norm / point.reference,
    }


def lemma(case: dict[str, Any]) -> dict[str, Any]:
    """Run a lemma case: the same starts, with and without batch norm.

    Parameters
    ----------
    case : dict
        See `lemma_case`.

    Returns
    -------
    dict
        Numbers of starts, of pairs of isolated minima reached, of those with the hypothesis,
        and of violations; and both sides for each pair.
    """
    plain, _, x, t = problem(case)
    normalized = Network(
        plain.widths, plain.activation, plain.bias, plain.objective, (BatchNorm(), None)
    )
    ends = [_optima(network, case, x, t) for network in (plain, normalized)]
    both = [i for i in range(case["starts"]) if ends[0][i].isolated and ends[1][i].isolated]
    result: dict[str, Any] = {"starts": case["starts"], "pairs": len(both)}
    if not both:
        return result
    starts = initialize_many(plain, case["seed"], case["starts"])[0]["weights"]
    w, star, bn = (
        np.stack([np.asarray(each) for each in stack])
        for stack in (
            [starts[i] for i in both],
            [ends[0][i].params[0]["weights"] for i in both],
            [ends[1][i].params[0]["weights"] for i in both],
        )
    )
    size = np.sum(w**2, axis=(1, 2))
    sides = {
        "reached": reached_sides(w, star, bn),
        "pooled": pooled_sides(w, star, bn, odd=plain.activation == "tanh"),
    }
    for name, each in sides.items():
        result[name] = {
            "applies": each.applies.tolist(),
            "violated": each.violated.tolist(),
            "left": (each.left / size).tolist(),
            "right": (each.right / size).tolist(),
        }
    result["lower"] = sum(ends[1][i].loss < ends[0][i].loss * (1 - 1e-9) for i in both)
    return result


def _optima(network: Network, case: dict[str, Any], x: Array, t: Array) -> list[StationaryPoint]:
    """Train from all starts side by side with Adam, then finish one by one."""
    starts = initialize_many(network, case["seed"], case["starts"])
    run = train_many(network, starts, x, t, learning_rates=0.02, steps=1000, optimizer=optax.adam)
    return [
        stationary_point(network, select(run.params, i), x, t, iterations=100)
        for i in range(case["starts"])
    ]


def _balanced(network: Network, params: Parameters) -> Parameters:
    """Return the same network with outputs of mean 0, where a softmax does not see the mean.

    Without this, rounding would decide which of many equal points the training ends at, and
    batch norm in the last layer does not treat them alike.
    """
    if network.objective != "cross-entropy":
        return params
    last = {key: each - each.mean(axis=-1, keepdims=True) for key, each in params[-1].items()}
    return [*params[:-1], last]


def _real(name: str) -> tuple[Array, Array]:
    bunch = load(name)
    x, t = bunch.data[:, [2, 3, 8] if name == "diabetes" else slice(4)], bunch.target
    targets = (t / t.std())[:, None] if name == "diabetes" else 0.9 * np.eye(3)[t] + 0.1 / 3
    return x / x.std(axis=0), targets
