"""Training on the digits with and without batch norm: rates, scales of W₀, curvature, distances.

Every kind of case starts all variants from the same weights. The random generator of a case is
not used: the seeds of the networks are in the case, so that no variant has starts of its own.
"""

from collections import defaultdict
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from bn_experiments import networks
from bn_experiments.datasets import load
from bn_solver.arrays import Array
from bnlib.batch_norm import BatchNorm

DESCRIPTION = "Digits with and without batch norm, over learning rates and scales of W₀"
SEED = 0

WIDTHS = (64, 32, 32, 10)
SMALL = (64, 8, 8, 10)
"""The smaller network, whose Hessian is computed in full."""
VARIANTS = {
    "none": None,
    "full": BatchNorm(),
    "centre": BatchNorm(scale=False),
    "scale": BatchNorm(center=False),
}
INPUTS = ("pixels", "standardised")
RATES = tuple(float(f"{10 ** (each / 2):.4g}") for each in range(-4, 5))
SCALES = (0.1, 0.3162, 1.0, 3.162, 10.0)
FULL_BATCH_SCALES = SCALES[::2]
"""Training on full batches takes six times as long: the middle and the ends only."""
SEEDS = tuple(range(13))
"""With 13, and with 5, the quartiles are values that occurred: nothing is interpolated."""
STEPS, BATCH, SMOOTHING = 200, 100, 0.1
TRAINING_EXAMPLES = 600
ORDER_SEED = 1

CURVATURE_SEEDS = SEEDS[:5]
ALONG_RATES, ALONG_EVERY = (0.1, 1.0), 10
MULTIPLES = (0.5, 1.0, 2.0, 4.0)
RANKS = (1, 2, 3, 5, 10, 20, 50, 100, 200)
LONG_RATE, LONG_SCALES, LONG_STEPS = 0.3162, SCALES[1:4], (200, 800, 2000)


class Digits(NamedTuple):
    """The task: 600 examples for training and 1197 for the test, one class for each digit."""

    inputs: Array
    targets: Array
    """Smoothed: 0.91 for the class, 0.01 for every other."""
    test_inputs: Array
    test_labels: npt.NDArray[np.int64]
    floor: float
    """The entropy of a target: the cross-entropy of predictions that could not be better."""


@cache
def digits(inputs: str) -> Digits:
    """Return the digits with inputs prepared in one of two ways, `INPUTS`.

    "pixels" are divided by 16 and lie in [0, 1]; "standardised" have mean 0 and variance 1 over
    the training set, where they are not constant.
    """
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    if inputs not in INPUTS:
        raise ValueError(f"inputs: {inputs!r} is unknown; use one of {', '.join(INPUTS)}.")
    bunch = load("digits")
    pixels, labels = bunch.data / 16, bunch.target
    x, test, own, other = train_test_split(
        pixels, labels, train_size=TRAINING_EXAMPLES, random_state=0, stratify=labels
    )
    if inputs == "standardised":
        scaler = StandardScaler().fit(x)
        x, test = scaler.transform(x), scaler.transform(test)
    targets = (1 - SMOOTHING) * np.eye(10)[own] + SMOOTHING / 10
    return Digits(x, targets, test, other, float(-(targets[0] * np.log(targets[0])).sum()))


def network(variant: str, widths: tuple[int, ...] = WIDTHS) -> networks.Network:
    """Return the network of a variant; its hidden layers are normalized, its outputs are not."""
    return networks.Network(widths, objective="cross-entropy", normalization=VARIANTS[variant])


def cases() -> list[Any]:
    """Return the cases, the long ones first."""
    setups = [{"variant": v, "inputs": i} for i in INPUTS for v in VARIANTS]
    seeds, few = {"seeds": list(SEEDS)}, {"seeds": list(CURVATURE_SEEDS)}
    grid = {"kind": "grid", **seeds, "rates": list(RATES), "steps": STEPS}
    long = {"kind": "long", **seeds, "rate": LONG_RATE, "steps": list(LONG_STEPS)}
    batches = ((BATCH, SCALES), (TRAINING_EXAMPLES, FULL_BATCH_SCALES))
    return [
        *(long | each | {"scale": scale} for each in setups for scale in LONG_SCALES),
        *(
            grid | each | {"scale": scale, "batch": batch}
            for batch, scales in batches
            for each in setups
            for scale in scales
        ),
        *({"kind": "along", **each, **seeds, "rate": r} for each in setups for r in ALONG_RATES),
        *({"kind": "spectrum", **each, **few, "rate": ALONG_RATES[0]} for each in setups),
        *({"kind": "curvature", **each, **few, "scale": s} for each in setups for s in SCALES),
    ]


def task(case: Any, rng: np.random.Generator) -> Any:  # noqa: ARG001
    """Run one case; its kind says which."""
    kinds = {"grid": grid, "long": long, "along": along, "spectrum": spectra}
    return kinds.get(case["kind"], curvature)(case)


def grid(case: Any) -> Any:
    """Train with every rate and seed; losses above the floor, accuracies."""
    data, net, n = digits(case["inputs"]), network(case["variant"]), len(case["seeds"])
    examples = data.inputs, data.targets
    start = networks.starts(net, list(case["seeds"]) * len(case["rates"]), case["scale"])
    order = None
    if case["batch"] < len(data.inputs):
        order = networks.batch_order(len(data.inputs), case["batch"], case["steps"], ORDER_SEED)
    rates = np.repeat(case["rates"], n)
    end = networks.train(net, start, *examples, rates, steps=case["steps"], batches=order).params
    rows, parts = _measured(net, data, end), range(0, len(rates), n)
    found = {name: [row[i : i + n] for i in parts] for name, row in rows.items()}
    return {"start": _excess(net, data, start)[:n]} | found


def long(case: Any) -> Any:
    """Train long with one rate; how far the weights are from W₀, and how flat it is there."""
    data, net = digits(case["inputs"]), network(case["variant"])
    examples = data.inputs, data.targets
    start = now = networks.starts(net, case["seeds"], case["scale"])

    def gradient_norm(params: Any) -> Any:
        gradient = jax.grad(net.loss)(params, *examples)
        return jax.numpy.sqrt(sum((each**2).sum() for each in jax.tree.leaves(gradient)))

    gradient_norms = jax.jit(jax.vmap(gradient_norm))
    rows: dict[str, list[Any]] = defaultdict(list)
    before, first = 0, gradient_norms(start)
    for steps in case["steps"]:
        for _ in range((steps - before) // STEPS):
            now = networks.train(net, now, *examples, case["rate"], steps=STEPS).params
        before, moved, slopes = steps, networks.travel(net, start, now), gradient_norms(now)
        measured = _measured(net, data, now) | {
            "gradient": _numbers(slopes),
            "relative_gradient": _numbers(slopes / first),
            "distance": _numbers(moved.distance_from_start),
            "modulo_scale": _numbers(moved.modulo_scale),
            "degrees": _numbers(np.degrees(moved.angle)),
        }
        for name, values in measured.items():
            rows[name].append(values)
    return dict(rows)


def along(case: Any) -> Any:
    """Train, and now and then try half to four times the step: losses and gradients met."""
    data, net = digits(case["inputs"]), network(case["variant"])
    examples, sizes = (data.inputs, data.targets), case["rate"] * np.array(MULTIPLES)
    now = networks.starts(net, case["seeds"])
    measure = jax.jit(jax.vmap(lambda w: networks.along_gradient(net, w, *examples, sizes)))
    rows: dict[str, list[Any]] = defaultdict(list)
    for step in range(0, STEPS + 1, ALONG_EVERY):
        if step:
            now = networks.train(net, now, *examples, case["rate"], steps=ALONG_EVERY).params
        met = measure(now)
        rows["highest"].append(_numbers(met.losses.max(axis=1) - data.floor))
        rows["lowest"].append(_numbers(met.losses.min(axis=1) - data.floor))
        rows["change"].append(_numbers(met.gradient_changes.max(axis=1) / met.gradient_norm))
        rows["smoothness"].append(_numbers(met.smoothness))
    return dict(rows)


def spectra(case: Any) -> Any:
    """Return eigenvalues of the whole Hessian of the small network, before and after training."""
    data, net = digits(case["inputs"]), network(case["variant"], SMALL)
    examples = data.inputs, data.targets
    start = networks.starts(net, case["seeds"])
    end = networks.train(net, start, *examples, case["rate"], steps=STEPS).params
    found = {}
    for name, stack in (("start", start), ("end", end)):
        apart = networks.unstacked(stack)
        every = np.array([networks.spectrum(net, each, *examples)[::-1] for each in apart])
        ranked, lowest = every[:, np.array(RANKS) - 1], every[:, -1]
        found[name] = {"ranked": ranked.tolist(), "lowest": _numbers(lowest)}
    return found


def curvature(case: Any) -> Any:
    """Return the largest eigenvalue of the Hessian at W₀."""
    data, net = digits(case["inputs"]), network(case["variant"])
    stack = networks.starts(net, case["seeds"], case["scale"])
    return [
        networks.largest_eigenvalue(net, each, data.inputs, data.targets)
        for each in networks.unstacked(stack)
    ]


def summary(rows: list[Any]) -> dict[str, Any]:
    """Return quartiles over the seeds, by kind, inputs, variant, and scale or rate."""
    found: dict[str, Any] = {}
    for case, row in zip(cases(), rows, strict=False):
        kind, keys = case["kind"], [case["kind"], case["inputs"]]
        keys += [str(case["batch"])] if kind == "grid" else []
        keys += [case["variant"]]
        if kind != "spectrum":
            keys += [f"{case['scale' if 'scale' in case else 'rate']:g}"]
        place = found
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = quartiles(row) if kind == "curvature" else _of_case(kind, row)
    return found


def _of_case(kind: str, row: Any) -> dict[str, Any]:
    if kind == "spectrum":
        return {
            name: {
                "ranked": [quartiles(each) for each in np.transpose(at["ranked"]).tolist()],
                "lowest": quartiles(at["lowest"]),
            }
            for name, at in row.items()
        }
    lists = {name: each for name, each in row.items() if name != "start"}
    shown: dict[str, Any] = {name: [quartiles(v) for v in each] for name, each in lists.items()}
    if kind == "grid":
        shown["start"] = quartiles(row["start"])
        shown["diverged"] = [diverged(each, row["start"]) for each in row["loss"]]
    return shown


def quartiles(values: list[float | None]) -> list[float | None]:
    """Return lower quartile, median and upper quartile; None where one is not finite.

    A value that is missing, None, counts as larger than all others.
    """
    every = [np.inf if each is None else each for each in values]
    found = np.quantile(every, (0.25, 0.5, 0.75), method="nearest")
    return [float(each) if np.isfinite(each) else None for each in found]


def diverged(final: list[float | None], start: list[float | None]) -> int:
    """Count the losses that are not finite, or above the loss at the start."""
    pairs = zip(final, start, strict=True)
    return sum(end is None or (begin is not None and end > begin) for end, begin in pairs)


def _measured(net: networks.Network, data: Digits, stack: Any) -> dict[str, list[Any]]:
    right = networks.accuracies(net, stack, data.test_inputs, data.test_labels, data.inputs)
    return {"loss": _excess(net, data, stack), "accuracy": _numbers(right)}


def _excess(net: networks.Network, data: Digits, stack: Any) -> list[float | None]:
    return _numbers(networks.losses(net, stack, data.inputs, data.targets) - data.floor)


def _numbers(values: Any) -> list[float | None]:
    return [float(each) if np.isfinite(each) else None for each in np.asarray(values).ravel()]
