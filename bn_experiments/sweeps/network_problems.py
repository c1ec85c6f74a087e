"""Which networks are trained on what: the cases of the sweep `networks`, as JSON can hold them."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np

from bn_experiments.datasets import load
from bn_experiments.networks import Network
from bn_solver.arrays import Array

Case = dict[str, Any]
EXAMPLES = 100
"""Examples of a synthetic learning set."""


def insertion_case(
    data: str,
    hidden: tuple[int, ...],
    activation: str,
    objective: str,
    bias: bool | tuple[bool, ...],
    seed: int,
) -> Case:
    """Return one insertion case.

    Its data are ``"teacher"``: examples with 3 inputs, targets from a network with biases of the
    same widths, disturbed; ``"centred"``: the same with centred inputs; ``"few"``: 6 examples with
    random targets; or ``"iris"``, ``"wine"``, ``"diabetes"``. `hidden` has the widths of the hidden
    layers; activation, objective and bias are those of the plain `Network`. The seed is for the
    data, the teacher and the start.
    """
    biases = bias if isinstance(bias, bool) else list(bias)
    case = {"kind": "insertion", "data": data, "hidden": list(hidden), "activation": activation}
    return case | {"objective": objective, "bias": biases, "seed": seed}


def lemma_case(activation: str, bias: bool, seed: int, starts: int) -> Case:
    """Return one lemma case: a learning set from a teacher with 3 hidden units, many starts."""
    base = insertion_case("teacher", (3,), activation, "squared", bias, seed)
    return base | {"kind": "lemma", "starts": starts}


def problem(case: Case) -> tuple[Network, Any, Array, Array]:
    """Return the plain network of a case, where to start, the inputs and the targets."""
    rng = np.random.default_rng(case["seed"])
    name, classes = case["data"], case["objective"] == "cross-entropy"
    t: Array | None = None
    if name in ("iris", "wine", "diabetes"):
        x, t = _real(name)
    else:
        x = rng.normal(0.5, 1.0, (6 if name == "few" else EXAMPLES, 3))
        x = x - x.mean(axis=0) if name == "centred" else x
        t = rng.normal(size=(len(x), 1)) if name == "few" else None
    widths = (x.shape[1], *case["hidden"], 3 if classes else 1)
    bias = case["bias"] if isinstance(case["bias"], bool) else tuple(case["bias"])
    network = Network(widths, case["activation"], bias, case["objective"])
    if t is not None:
        return network, network.initialize(case["seed"]), x, t
    # A teacher of the same widths with biases, whose answers are disturbed. The training
    # starts near it: from afar many a training leads to weights at infinity.
    guide = replace(network, bias=True)
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
        {key: value for key, value in layer.items() if key == "weights" or has_bias}
        for layer, has_bias in zip(near, network.biases, strict=True)
    ]
    return network, start, x, np.asarray(jax.nn.softmax(answers)) if classes else answers


def _real(name: str) -> tuple[Array, Array]:
    bunch = load(name)
    x, t = bunch.data[:, [2, 3, 8] if name == "diabetes" else slice(4)], bunch.target
    targets = (t / t.std())[:, None] if name == "diabetes" else 0.9 * np.eye(3)[t] + 0.1 / 3
    return x / x.std(axis=0), targets
