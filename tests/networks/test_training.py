"""Training side by side, against finite differences, plain loops and identities."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
import pytest

from bn_experiments.networks import network as network_module
from bn_experiments.networks import trained, training
from bn_experiments.networks.network import Network
from bn_experiments.sweeps import training as experiment
from bnlib import BatchNorm

Patch = pytest.MonkeyPatch
Array = npt.NDArray[np.float64]
RESULTS = Path(__file__).resolve().parents[2] / "results" / "training.json"

RNG = np.random.default_rng(4)
X = RNG.normal(0.4, 1.0, (12, 3))
T = RNG.dirichlet(np.ones(2), 12)
NORMS = {
    "none": None,
    "full": BatchNorm(epsilon=0.01),
    "centre": BatchNorm(scale=False),
    "scale": BatchNorm(center=False),
}


def small(norm: str = "full", **changes: Any) -> Network:
    given = {"objective": "cross-entropy", "normalization": NORMS[norm], **changes}
    return Network((3, 4, 5, 2), "tanh", **given)


def arrays(layer: Any) -> dict[str, Array]:
    return {name: np.array(value) for name, value in layer.items()}


def one_of(stack: Any, i: int) -> Any:
    return jax.tree.map(lambda each: each[i], stack)


# ---------------------------------------------------------------- the oracle: NumPy alone


def numpy_outputs(net: Network, params: Any, x: Array) -> Array:
    for layer, of_layer in enumerate(params):
        p = arrays(of_layer)
        y, norm = x @ p["weights"] + p.get("bias", 0.0), net.norm(layer)
        if norm is not None:
            if norm.center:
                y = y - y.mean(0)
            if norm.scale:
                y = y / np.sqrt(np.mean(y**2, 0) + norm.epsilon)
            y = p.get("gamma", 1.0) * y + p.get("beta", 0.0)
        x = np.tanh(y) if layer < net.depth - 1 else y
    return x


def numpy_loss(net: Network, params: Any, x: Array, t: Array) -> float:
    outputs = numpy_outputs(net, params, x)
    if net.objective == "squared":
        return float(np.mean(np.sum((outputs - t) ** 2, 1)))
    logs = outputs - np.log(np.exp(outputs).sum(1, keepdims=True))
    return float(-np.mean(np.sum(t * logs, 1)))


def compare_step(net: Network, rate: float = 0.3) -> None:
    """One step is −η times the central difference of the loss, in every parameter."""
    [start] = [training.starts(net, [5])]
    stack = training.descend(net, start, X, T, rate, steps=1)
    before, after = ([arrays(each) for each in one_of(end, 0)] for end in (start, stack))
    for layer, of_layer in enumerate(before):
        for name, value in of_layer.items():
            for place in np.ndindex(*value.shape):
                ends = []
                for h in (1e-5, -1e-5):
                    moved = [dict(each) for each in before]
                    moved[layer][name] = value.copy()
                    moved[layer][name][place] += h
                    ends.append(numpy_loss(net, moved, X, T))
                slope = (ends[0] - ends[1]) / 2e-5
                step = float(after[layer][name][place] - value[place])
                assert step == pytest.approx(-rate * slope, rel=1e-6, abs=1e-9)


def compare_loop(net: Network, batches: Any = None) -> None:
    """Networks side by side end where each one ends alone, in a loop without map and scan."""
    seeds, scales, rates = [0, 3, 3], [1.0, 0.5, 2.0], [0.1, 0.3, 0.05]
    start = training.starts(net, seeds, scales)
    stack = training.descend(net, start, X, T, rates, steps=7, batches=batches)
    slope = jax.jit(jax.grad(net.loss))
    for i, rate in enumerate(rates):
        params = net.initialize(seeds[i], scales[i])
        for step in range(7):
            rows = np.arange(len(X)) if batches is None else batches[step]
            gradient = slope(params, X[rows], T[rows])
            params = jax.tree.map(lambda p, g, r=rate: p - r * g, params, gradient)
        for found, expected in zip(
            jax.tree.leaves(one_of(stack, i)), jax.tree.leaves(params), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_the_finite_difference(norm: str, objective: str) -> None:
    compare_step(small(norm, objective=objective))


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("norm", NORMS)
def test_side_by_side_is_one_by_one(norm: str, size: int | None) -> None:
    compare_loop(small(norm), None if size is None else training.batch_order(12, size, 7, 2))


@pytest.mark.parametrize("norm", NORMS)
def test_losses_are_those_of_the_oracle(norm: str) -> None:
    net = small(norm)
    stack = training.starts(net, [1, 2])
    expected = [numpy_loss(net, one_of(stack, i), X, T) for i in range(2)]
    np.testing.assert_allclose(training.losses(net, stack, X, T), expected, rtol=1e-12)


# ---------------------------------------------------------------- planted errors


def unbiased(y: Any, norm: BatchNorm, of_layer: Any) -> Any:
    y = y - y.mean(axis=0) if norm.center else y
    y = y / jnp.sqrt(y.var(axis=0, ddof=1) + norm.epsilon)
    return of_layer.get("gamma", 1.0) * y + of_layer.get("beta", 0.0)


SGD = optax.sgd
PLANTS: dict[str, Callable[[Patch], None]] = {
    "momentum": lambda p: p.setattr(optax, "sgd", lambda rate: SGD(rate, momentum=0.9)),
    "half the rate": lambda p: p.setattr(optax, "sgd", lambda rate: SGD(rate / 2)),
    "ascent": lambda p: p.setattr(optax, "sgd", lambda rate: SGD(-rate)),
}


@pytest.fixture
def fresh() -> Any:
    """What was compiled before the plant must not be used, nor what is compiled with it."""
    training._descend.clear_cache()
    yield
    training._descend.clear_cache()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_wrong_optimizer_is_caught(plant: str, monkeypatch: Patch, fresh: Any) -> None:
    PLANTS[plant](monkeypatch)
    with pytest.raises(AssertionError):
        compare_loop(small())


def test_a_wrong_variance_is_caught(monkeypatch: Patch, fresh: Any) -> None:
    monkeypatch.setattr(network_module, "_normalize", unbiased)
    with pytest.raises(AssertionError):
        compare_step(small())


def test_another_order_of_the_batches_is_caught(monkeypatch: Patch) -> None:
    order, descend = training.batch_order(12, 4, 7, 2), training.descend

    def shifted(*given: Any, batches: Any, **options: Any) -> Any:
        return descend(*given, batches=np.roll(batches, 1, axis=0), **options)

    monkeypatch.setattr(training, "descend", shifted)
    with pytest.raises(AssertionError):
        compare_loop(small(), order)


# ---------------------------------------------------------------- identities


def test_all_variants_start_from_the_same_weights() -> None:
    stacks = [training.starts(small(norm), [0, 9], [0.1, 3.0]) for norm in NORMS]
    for stack in stacks[1:]:
        for first, other in zip(stacks[0], stack, strict=True):
            np.testing.assert_array_equal(first["weights"], other["weights"])


def test_the_scale_multiplies_the_weights() -> None:
    one, three = (training.starts(small(), [2], scale) for scale in (1.0, 3.0))
    np.testing.assert_allclose(three[1]["weights"], 3 * one[1]["weights"], rtol=1e-14)


def test_centring_is_a_bias_where_the_inputs_are_centred() -> None:
    centred = X - X.mean(axis=0)
    ends = []
    for norm in (None, BatchNorm(scale=False)):
        net = Network((3, 4, 2), "tanh", objective="cross-entropy", normalization=norm)
        start = training.starts(net, [7])
        ends.append(training.descend(net, start, centred, T, 0.5, steps=20))
    for plain, centring in ((ends[0][0]["weights"], ends[1][0]["weights"]),):
        np.testing.assert_allclose(plain, centring, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(ends[0][0]["bias"], ends[1][0]["beta"], rtol=1e-10, atol=1e-13)


def test_the_length_of_a_scale_invariant_weight_grows_by_pythagoras() -> None:
    net = small(normalization=BatchNorm())
    start = training.starts(net, [1])
    end = training.descend(net, start, X, T, 0.4, steps=1)
    for layer in range(2):
        old, new = (np.asarray(each[layer]["weights"])[0] for each in (start, end))
        squares = [(each**2).sum(axis=0) for each in (old, new - old, new)]
        np.testing.assert_allclose(squares[0] + squares[1], squares[2], rtol=1e-12)


def test_mini_batches_use_every_example_once_in_an_epoch() -> None:
    order = training.batch_order(12, 4, 8, seed=3)
    assert order.shape == (8, 4)
    for epoch in order[:6].reshape(2, 12):
        assert sorted(epoch) == list(range(12))
    assert not np.array_equal(order[:3], order[3:6])
    np.testing.assert_array_equal(order, training.batch_order(12, 4, 9, seed=3)[:8])


@pytest.mark.parametrize("norm", NORMS)
def test_folding_keeps_the_outputs_on_the_reference(norm: str) -> None:
    net = small(norm)
    start = training.starts(net, [3])
    params = one_of(training.descend(net, start, X, T, 0.5, steps=5), 0)
    plain, of_plain = trained.folded(net, params, X)
    expected = numpy_outputs(net, params, X)
    np.testing.assert_allclose(plain.forward(of_plain, X), expected, rtol=1e-10, atol=1e-12)
    alone = np.concatenate([plain.forward(of_plain, X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, expected, rtol=1e-10, atol=1e-12)


def test_frozen_gamma_and_beta_are_folded_too() -> None:
    net = small(normalization=BatchNorm(gamma=1.7, beta=-0.4))
    params = [{"weights": each["weights"]} for each in net.initialize(0)]
    params[-1]["bias"] = jnp.array([0.2, -0.1])
    plain, of_plain = trained.folded(net, params, X)
    np.testing.assert_allclose(plain.forward(of_plain, X), net.forward(params, X), atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_accuracy_counts_the_largest_output(norm: str) -> None:
    net, labels = small(norm), T.argmax(axis=1)
    stack = training.starts(net, [0, 1])
    found = trained.accuracies(net, stack, X, labels, X)
    for i in range(2):
        right = numpy_outputs(net, one_of(stack, i), X).argmax(1) == labels
        assert found[i] == pytest.approx(right.mean(), rel=1e-14)


def test_diverged_networks_are_told_and_have_no_accuracy() -> None:
    net = Network((3, 4, 2), "identity", objective="squared")
    start = training.starts(net, [0, 0])
    stack = training.descend(net, start, X, T, [1e6, 0.01], steps=40)
    lost = training.losses(net, stack, X, T)
    assert not np.isfinite(lost[0])
    assert np.isfinite(lost[1])
    right = trained.accuracies(net, stack, X, T.argmax(axis=1), X)
    assert right[0] == 0.0 < right[1]


def test_travel_is_what_the_definition_says() -> None:
    net = small()
    start = training.starts(net, [0, 1])
    end = training.descend(net, start, X, T, 0.5, steps=30)
    found = trained.travel(net, start, end)
    for i in range(2):
        pairs = [
            (np.asarray(one_of(start, i)[j]["weights"]), np.asarray(one_of(end, i)[j]["weights"]))
            for j in range(3)
        ]
        length = np.sqrt(sum(np.sum(a**2) for a, _ in pairs))
        gap = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs))
        assert found.distance[i] == pytest.approx(gap / length, rel=1e-12)
        # The nearest point of each ray, by trying lengths instead of projecting.
        best, lengths = np.sum((pairs[2][0] - pairs[2][1]) ** 2), np.linspace(0, 3, 30001)
        angles = []
        for a, b in pairs[:2]:
            for u, v in zip(a.T, b.T, strict=True):
                v = v / np.linalg.norm(v)
                best += np.min(((u[:, None] - v[:, None] * lengths) ** 2).sum(0))
                angles.append(np.arccos(u @ v / np.linalg.norm(u)))
        assert found.modulo_scale[i] == pytest.approx(np.sqrt(best) / length, rel=1e-6)
        assert found.angle[i] == pytest.approx(np.mean(angles), rel=1e-9)


def test_a_longer_weight_is_no_travel_modulo_scale() -> None:
    net = small()
    start = training.starts(net, [0])
    longer = [{**each, "weights": each["weights"] * (3.0 if i < 2 else 1.0)}
              for i, each in enumerate(start)]  # fmt: skip
    found = trained.travel(net, start, longer)
    assert found.modulo_scale[0] < 1e-7 < found.distance[0]
    assert found.angle[0] < 1e-7
    plain = trained.travel(small("none"), start, longer)
    assert plain.modulo_scale[0] == plain.distance[0] == found.distance[0]
    # A ray ends at the origin: opposite weights are as far as the origin is.
    back = [{**each, "weights": -each["weights"]} for each in start[:2]] + start[2:]
    squares = [float((each["weights"] ** 2).sum()) for each in start]
    expected = np.sqrt(sum(squares[:2]) / sum(squares))
    assert trained.travel(net, start, back).modulo_scale[0] == pytest.approx(expected)


# ---------------------------------------------------------------- bad input

NET = small()
STACK = training.starts(NET, [0, 1])
BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "seed": (lambda: training.starts(NET, [-1]), "seeds: must be at least 0"),
    "scales": (lambda: training.starts(NET, [0, 1], [1.0]), "scales: expected one number or 2"),
    "scale 0": (lambda: training.starts(NET, [0], 0.0), "scales: must be positive"),
    "rates": (
        lambda: training.descend(NET, STACK, X, T, [1, 2, 3], steps=1),
        "rates: expected one number or 2",
    ),
    "rate": (lambda: training.descend(NET, STACK, X, T, -1.0, steps=1), "rates: must be positive"),
    "steps": (lambda: training.descend(NET, STACK, X, T, 1.0, steps=0), "steps: must be at least"),
    "inputs": (lambda: training.losses(NET, STACK, X[:, :2], T), "inputs: expected shape"),
    "targets": (lambda: training.losses(NET, STACK, X, T[:5]), "targets: 5 for 12 inputs"),
    "not finite": (lambda: training.losses(NET, STACK, X * np.nan, T), "inputs: entry"),
    "no stack": (lambda: training.losses(NET, NET.initialize(0), X, T), "stack: weights of"),
    "labels": (
        lambda: trained.accuracies(NET, STACK, X, T.argmax(1)[:3], X),
        "labels: expected 12 whole",
    ),
    "divisor": (lambda: training.batch_order(12, 5, 3, 0), "size: 5 does not divide the 12"),
    "batches": (
        lambda: training.descend(NET, STACK, X, T, 1.0, steps=2, batches=[[0, 1]]),
        "batches: expected whole numbers of shape",
    ),
    "batches too large": (
        lambda: training.descend(NET, STACK, X, T, 1.0, steps=1, batches=[[0, 12]]),
        "batches: the 12 examples",
    ),
    "other stack": (
        lambda: trained.travel(NET, STACK, training.starts(NET, [0])),
        "stack: has another shape",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    call, message = BAD[name]
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


# ---------------------------------------------------------------- the experiment


def test_cases_are_what_json_holds_and_cover_the_grid() -> None:
    every = experiment.cases()
    assert json.loads(json.dumps(every)) == every
    setups = {
        (each["variant"], each["inputs"], each["batch"], each["scale"])
        for each in every
        if each["kind"] == "grid"
    }
    assert len(setups) == 4 * 2 * (5 + 3)
    assert all(len(each["seeds"]) >= 10 for each in every if each["kind"] in ("grid", "long"))


def test_the_digits_are_what_they_are_said_to_be() -> None:
    raw, prepared = experiment.digits("pixels"), experiment.digits("standardised")
    assert raw.inputs.shape == (600, 64)
    assert raw.test_inputs.shape == (1197, 64)
    assert (raw.inputs.min(), raw.inputs.max()) == (0.0, 1.0)
    np.testing.assert_allclose(prepared.inputs.mean(axis=0), 0.0, atol=1e-12)
    spread = prepared.inputs.std(axis=0)
    np.testing.assert_allclose(spread[spread > 0], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(raw.targets, prepared.targets)
    np.testing.assert_allclose(raw.targets.sum(axis=1), 1.0, rtol=1e-14)
    assert raw.floor == pytest.approx(-0.91 * np.log(0.91) - 0.09 * np.log(0.01))
    with pytest.raises(ValueError, match="^inputs: 'raw' is unknown"):
        experiment.digits("raw")


def test_quartiles_count_what_is_missing_as_largest() -> None:
    assert experiment.quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == [2.0, 3.0, 4.0]
    assert experiment.quartiles([None, 1.0, 2.0, None, 3.0]) == [2.0, 3.0, None]
    thirteen = [float(each) for each in np.random.default_rng(0).permutation(13)]
    assert experiment.quartiles(thirteen) == [3.0, 6.0, 9.0]


def test_divergence_is_a_loss_above_the_start_or_none() -> None:
    assert experiment.diverged([1.0, 3.0, None, 2.0], [2.0, 2.0, 2.0, 2.0]) == 2


def shortened(kind: str) -> Any:
    [first, *_] = [each for each in experiment.cases() if each["kind"] == kind]
    short = {**first, "seeds": [0, 1], "variant": "full", "inputs": "standardised"}
    short |= {"rates": [0.1, 100.0], "steps": 3, "batch": 100} if kind == "grid" else {}
    return short | ({"steps": [200]} if kind == "long" else {})


@pytest.mark.parametrize("kind", ["grid", "along", "long", "curvature"])
def test_a_task_gives_what_json_can_hold(kind: str) -> None:
    row = experiment.task(shortened(kind), np.random.default_rng(0))
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    if kind == "grid":
        assert np.shape(row["loss"]) == np.shape(row["accuracy"]) == (2, 2)
        net, data = experiment.network("full"), experiment.digits("standardised")
        start = training.starts(net, [0, 1], shortened(kind)["scale"])
        order = training.batch_order(600, 100, 3, experiment.ORDER_SEED)
        end = training.descend(net, start, data.inputs, data.targets, 0.1, steps=3, batches=order)
        lost = training.losses(net, end, data.inputs, data.targets) - data.floor
        np.testing.assert_allclose(row["loss"][0], lost, rtol=1e-9)


def test_all_variants_share_one_network_but_the_normalization() -> None:
    plain = experiment.network("none")
    for variant in experiment.VARIANTS:
        net = experiment.network(variant)
        assert replace(net, normalization=None) == replace(plain, normalization=None)
        assert net.norm(2) is None


def test_the_stored_summary_is_what_the_code_gives() -> None:
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    every = experiment.cases()
    assert (document["experiment"], document["cases"]) == ("training", len(every))
    [case] = [
        each
        for each in every
        if each["kind"] == "grid"
        and (each["variant"], each["inputs"]) == ("full", "standardised")
        and (each["batch"], each["scale"]) == (experiment.BATCH, 1.0)
    ]
    [column] = [i for i, rate in enumerate(experiment.RATES) if rate == 0.1]
    row = experiment.task({**case, "rates": [0.1]}, np.random.default_rng(0))
    stored = document["summary"]["grid"]["standardised"]["100"]["full"]["1"]
    for name in ("loss", "accuracy"):
        expected = stored[name][column]
        assert experiment.quartiles(row[name][0]) == pytest.approx(expected, rel=1e-5)
    assert stored["diverged"][column] == experiment.diverged(row["loss"][0], row["start"])
