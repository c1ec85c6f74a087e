"""Training side by side, against finite differences, plain loops and identities."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
import pytest

from bn_experiments.networks import Network, fold, training
from bn_experiments.networks import network as network_module
from bn_experiments.sweeps import training as experiment
from bnlib import BatchNorm
from tests.networks.written_out import normalized_by, unbiased, written_loss, written_out
from tests.oracles import refused

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


def small(norm="full", **changes):
    given = {"objective": "cross-entropy", "normalization": NORMS[norm], **changes}
    return Network((3, 4, 5, 2), "tanh", **given)


def arrays(layer):
    return {name: np.array(value) for name, value in layer.items()}


def one_of(stack, i):
    return jax.tree.map(lambda each: np.asarray(each)[i], stack)


def stacked(*networks):
    return jax.tree.map(lambda *each: np.stack(each), *networks)


def starts(net, *seeds):
    """Return what `training.starts` does, up to rounding, without compiling for each network."""
    return stacked(*map(net.initialize, seeds))


def trained_by(net, start, rate=0.5, steps=20, x=X):
    return training.train(net, start, x, T, rate, steps=steps).params


def compare_step(net, rate=0.3):
    """One step is −η times the central difference of the loss, in every parameter."""
    start = starts(net, 5)
    end = trained_by(net, start, rate, 1)
    before, after = ([arrays(each) for each in one_of(each, 0)] for each in (start, end))
    for layer, of_layer in enumerate(before):
        for name, value in of_layer.items():
            for place in np.ndindex(*value.shape):
                ends = []
                for h in (1e-5, -1e-5):
                    moved = [dict(each) for each in before]
                    moved[layer][name] = value.copy()
                    moved[layer][name][place] += h
                    ends.append(written_loss(net, moved, X, T))
                slope = (ends[0] - ends[1]) / 2e-5
                step = float(after[layer][name][place] - value[place])
                assert step == pytest.approx(-rate * slope, rel=1e-6, abs=1e-9)


def compare_loop(net, batches=None, rule=optax.sgd):
    """Networks side by side end where each one ends alone, in a loop without map and scan."""
    rates = [0.1, 0.3, 0.05]
    start = [net.initialize(seed, scale) for seed, scale in ((0, 1.0), (3, 0.5), (3, 2.0))]
    given = {"batches": batches, "optimizer": rule, "watch": batches is None}
    run = training.train(net, stacked(*start), X, T, rates, steps=7, **given)
    derive = jax.jit(jax.value_and_grad(net.loss))
    for i, (params, rate) in enumerate(zip(start, rates, strict=True)):
        losses = []
        for step in range(7):
            rows = np.arange(len(X)) if batches is None else batches[step]
            loss, gradient = derive(params, X[rows], T[rows])
            params = jax.tree.map(lambda p, g, r=rate: p - r * g, params, gradient)
            losses.append(loss)
        losses.append(written_loss(net, params, X, T))
        if run.losses is not None:
            np.testing.assert_allclose(run.losses[i], losses, rtol=1e-9)
        close = partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12)
        jax.tree.map(close, one_of(run.params, i), params)


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("norm", NORMS)
def test_a_step_is_the_finite_difference(norm, objective):
    compare_step(small(norm, objective=objective))


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("norm", NORMS)
def test_side_by_side_is_one_by_one(norm, size):
    compare_loop(small(norm), None if size is None else training.batch_order(12, size, 7, 2))


@pytest.mark.parametrize("norm", NORMS)
def test_losses_are_those_of_the_oracle(norm):
    net = small(norm)
    stack = starts(net, 1, 2)
    expected = [written_loss(net, one_of(stack, i), X, T) for i in range(2)]
    np.testing.assert_allclose(training.losses(net, stack, X, T), expected, rtol=1e-12)


PLANTS = {
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "half the rate": lambda rate: optax.sgd(rate / 2),
    "ascent": lambda rate: optax.sgd(-rate),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_wrong_optimizer_is_caught(plant):
    with pytest.raises(AssertionError):
        compare_loop(small("none"), rule=PLANTS[plant])


def test_a_wrong_variance_is_caught(monkeypatch):
    monkeypatch.setattr(network_module, "_normalize", normalized_by(unbiased))
    net = Network((3, 4, 2), normalization=BatchNorm(epsilon=0.02))  # compiled nowhere else
    with pytest.raises(AssertionError):
        compare_step(net)


def test_another_order_of_the_batches_is_caught(monkeypatch):
    order, train = training.batch_order(12, 4, 7, 2), training.train

    def shifted(*given, batches, **options):
        return train(*given, batches=np.roll(batches, 1, axis=0), **options)

    monkeypatch.setattr(training, "train", shifted)
    with pytest.raises(AssertionError):
        compare_loop(small(), order)


def test_all_variants_start_from_the_same_float64_weights_times_the_scale():
    plain = starts(small("none"), 9)
    for norm in NORMS:
        for first, other in zip(plain, starts(small(norm), 9), strict=True):
            np.testing.assert_array_equal(first["weights"], other["weights"])
    compiled = [training.starts(small(norm), [0, 9], [0.1, 3.0]) for norm in ("none", "full")]
    for layer, one, other in zip(plain, *compiled, strict=True):
        np.testing.assert_array_equal(one["weights"], other["weights"])
        np.testing.assert_allclose(one["weights"][1], 3 * layer["weights"][0], rtol=1e-14)
    stack = starts(small(), 0, 1, 2)
    apart = training.unstacked(stack)
    losses = training.losses(small(), stack, X, T)
    assert losses.dtype == apart[0][0]["weights"].dtype == np.float64
    for i, each in enumerate(apart):
        jax.tree.map(np.testing.assert_array_equal, each, one_of(stack, i))
        np.testing.assert_allclose(small().loss(each, X, T), losses[i], rtol=1e-13)


def test_centring_is_a_bias_where_the_inputs_are_centred():
    ends = []
    for norm in (None, BatchNorm(scale=False)):
        net = Network((3, 4, 2), "tanh", objective="cross-entropy", normalization=norm)
        ends.append(trained_by(net, starts(net, 7), x=X - X.mean(axis=0))[0])
    plain, centring = ends
    for one, other in (("weights", "weights"), ("bias", "beta")):
        np.testing.assert_allclose(plain[one], centring[other], rtol=1e-10, atol=1e-13)


def test_the_length_of_a_scale_invariant_weight_grows_by_pythagoras():
    net = small(normalization=BatchNorm())
    start = starts(net, 1)
    end = trained_by(net, start, 0.4, 1)
    for layer in range(2):
        old, new = (np.asarray(each[layer]["weights"])[0] for each in (start, end))
        squares = [(each**2).sum(axis=0) for each in (old, new - old, new)]
        np.testing.assert_allclose(squares[0] + squares[1], squares[2], rtol=1e-12)


def test_mini_batches_use_every_example_once_in_an_epoch():
    order = training.batch_order(12, 4, 8, seed=3)
    assert order.shape == (8, 4)
    for epoch in order[:6].reshape(2, 12):
        assert sorted(epoch) == list(range(12))
    assert not np.array_equal(order[:3], order[3:6])
    np.testing.assert_array_equal(order, training.batch_order(12, 4, 9, seed=3)[:8])


@pytest.mark.parametrize("norm", NORMS)
def test_folding_keeps_outputs_and_accuracy_one_example_at_a_time(norm):
    net, labels = small(norm), T.argmax(axis=1)
    stack = trained_by(net, starts(net, 3, 0))
    found = training.accuracies(net, stack, X, labels, X)
    for params, accuracy in zip(training.unstacked(stack), found, strict=True):
        expected = written_out(net, params, X)
        assert accuracy == pytest.approx((expected.argmax(1) == labels).mean(), rel=1e-14)
        plain, of_plain = fold(net, params, X)
        np.testing.assert_allclose(plain.forward(of_plain, X), expected, rtol=1e-10, atol=1e-12)
    alone = np.concatenate([plain.forward(of_plain, X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(alone, expected, rtol=1e-10, atol=1e-12)


def test_frozen_gamma_and_beta_are_folded_too():
    net = small(normalization=BatchNorm(gamma=1.7, beta=-0.4))
    params = [{"weights": each["weights"]} for each in net.initialize(0)]
    params[-1]["bias"] = jax.numpy.array([0.2, -0.1])
    plain, of_plain = fold(net, params, X)
    np.testing.assert_allclose(plain.forward(of_plain, X), net.forward(params, X), atol=1e-12)


def test_diverged_networks_are_told_and_have_no_accuracy():
    net = Network((3, 4, 2), "identity", objective="squared")
    run = training.train(net, starts(net, 0, 0), X, T, [1e6, 0.01], steps=40, watch=True)
    for lost in (run.losses[:, -1], training.losses(net, run.params, X, T)):
        assert not np.isfinite(lost[0])
        assert np.isfinite(lost[1])
    right = training.accuracies(net, run.params, X, T.argmax(axis=1), X)
    assert right[0] == 0.0 < right[1]


def test_travel_is_what_the_definition_says():
    net = small()
    start = starts(net, 0, 1)
    end = trained_by(net, start)
    found = training.travel(net, start, end)
    for i in range(2):
        layers = zip(one_of(start, i), one_of(end, i), strict=True)
        pairs = [(one["weights"], other["weights"]) for one, other in layers]
        length = np.sqrt(sum(np.sum(a**2) for a, _ in pairs))
        gap = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs))
        assert found.distance_from_start[i] == pytest.approx(gap / length, rel=1e-12)
        # The nearest point of each ray, by trying lengths instead of projecting.
        best, lengths = np.sum((pairs[2][0] - pairs[2][1]) ** 2), np.linspace(0, 3, 30001)
        angles, hidden = [], 0.0
        for a, b in pairs[:2]:
            for u, v in zip(a.T, b.T, strict=True):
                v = v / np.linalg.norm(v)
                hidden += np.min(((u[:, None] - v[:, None] * lengths) ** 2).sum(0))
                angles.append(np.arccos(u @ v / np.linalg.norm(u)))
        assert found.modulo_scale[i] == pytest.approx(np.sqrt(best + hidden) / length, rel=1e-6)
        of_hidden = np.sqrt(sum(np.sum(a**2) for a, _ in pairs[:2]))
        assert found.hidden_modulo_scale[i] == pytest.approx(np.sqrt(hidden) / of_hidden, rel=1e-6)
        assert found.angle[i] == pytest.approx(np.mean(angles), rel=1e-9)


def test_a_longer_weight_is_no_travel_modulo_scale():
    net = small()
    start = starts(net, 0)
    longer = [{**each, "weights": 3.0 * each["weights"]} for each in start[:2]] + start[2:]
    found = training.travel(net, start, longer)
    assert found.modulo_scale[0] < 1e-7 < found.distance_from_start[0]
    assert found.angle[0] < 1e-7
    plain = training.travel(small("none"), start, longer)
    assert plain.modulo_scale[0] == plain.distance_from_start[0] == found.distance_from_start[0]
    assert plain.hidden_modulo_scale[0] == found.hidden_modulo_scale[0] < 1e-7  # free in both
    # A ray ends at the origin: opposite weights are as far as the origin is.
    back = [{**each, "weights": -each["weights"]} for each in start[:2]] + start[2:]
    squares = [float((each["weights"] ** 2).sum()) for each in start]
    expected = np.sqrt(sum(squares[:2]) / sum(squares))
    turned = training.travel(net, start, back)
    assert turned.modulo_scale[0] == pytest.approx(expected)
    assert turned.hidden_modulo_scale[0] == pytest.approx(1.0)


NET = small()
STACK = starts(NET, 0, 1)


def train(rates=1.0, steps=1, batches=None):
    return training.train(NET, STACK, X, T, rates, steps=steps, batches=batches)


BAD = [
    (lambda: training.starts(NET, [-1]), "seeds: must be at least 0"),
    (lambda: training.starts(NET, [0, 1], [1.0]), "scales: expected one number or 2"),
    (lambda: training.starts(NET, [0], 0.0), "scales: must be positive"),
    (lambda: train([1, 2, 3]), "rates: expected one number or 2"),
    (lambda: train(-1.0), "rates: must be positive"),
    (lambda: train(steps=0), "steps: must be at least"),
    (lambda: train(steps=2, batches=[[0, 1]]), "batches: expected whole numbers of shape"),
    (lambda: train(batches=[[0, 12]]), "batches: the 12 examples"),
    (lambda: training.losses(NET, STACK, X[:, :2], T), "inputs: expected shape"),
    (lambda: training.losses(NET, STACK, X, T[:5]), "targets: 5 for 12 inputs"),
    (lambda: training.losses(NET, STACK, X, T[:, :1]), "targets: expected shape"),
    (lambda: training.losses(NET, STACK, X * np.nan, T), "inputs: entry"),
    (lambda: training.losses(NET, NET.initialize(0), X, T), "stack: weights of"),
    (lambda: training.batch_order(12, 5, 3, 0), "size: 5 does not divide the 12"),
    (lambda: training.accuracies(NET, STACK, X, T.argmax(1)[:3], X), "labels: expected 12 whole"),
    (lambda: training.travel(NET, STACK, starts(NET, 0)), "stack: has another shape"),
    (lambda: training.travel(Network((3, 2)), STACK, STACK), "network: has no hidden unit"),
]


def test_bad_input_is_refused():
    for call, message in BAD:
        refused(f"^{message}", call)


def test_cases_cover_the_grid_and_all_variants_share_one_network():
    every = experiment.cases()
    assert json.loads(json.dumps(every)) == every
    grid = [each for each in every if each["kind"] == "grid"]
    setups = {(each["variant"], each["inputs"], each["batch"], each["scale"]) for each in grid}
    assert len(setups) == 4 * 2 * (5 + 3)
    assert all(len(each["seeds"]) >= 10 for each in every if each["kind"] in ("grid", "long"))
    plain = experiment.network("none")
    for variant in experiment.VARIANTS:
        net = experiment.network(variant)
        assert replace(net, normalization=None) == replace(plain, normalization=None)
        assert net.norms[2] is None


def test_the_digits_are_what_they_are_said_to_be():
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
    refused("^inputs: 'raw' is unknown", experiment.digits, "raw")


def test_quartiles_count_what_is_missing_as_largest_and_diverged_is_above_the_start():
    assert experiment.quartiles([5.0, 1.0, 2.0, 4.0, 3.0]) == [2.0, 3.0, 4.0]
    assert experiment.quartiles([None, 1.0, 2.0, None, 3.0]) == [2.0, 3.0, None]
    thirteen = [float(each) for each in np.random.default_rng(0).permutation(13)]
    assert experiment.quartiles(thirteen) == [3.0, 6.0, 9.0]
    assert experiment.diverged([1.0, 3.0, None, 2.0], [2.0, 2.0, 2.0, 2.0]) == 2


def compare_stored(found, stored):
    """Compare a summary of one case, or its beginning, with what is stored; count the numbers."""
    if isinstance(found, dict):
        return sum(compare_stored(each, stored[key]) for key, each in found.items())
    if isinstance(found, list):
        return sum(compare_stored(*pair) for pair in zip(found, stored, strict=False))
    assert found == pytest.approx(stored, rel=1e-4)
    return 1


@pytest.mark.parametrize("kind", ["along", "long", "spectrum", "curvature"])
def test_a_task_gives_what_json_can_hold_and_but_for_spectra_what_is_stored(kind, monkeypatch):
    this = {"kind": kind, "variant": "full", "inputs": "standardised"}
    [case, *_] = [each for each in experiment.cases() if this.items() <= each.items()]
    case |= {"long": {"steps": [200]}, "spectrum": {"seeds": [0]}}.get(kind, {})
    row = experiment.task(case, RNG)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    monkeypatch.setattr(experiment, "cases", lambda: [case])
    found, stored = experiment.summary([row]), json.loads(RESULTS.read_text("utf-8"))["summary"]
    if kind != "spectrum":  # of one seed there are no quartiles over all
        numbers = compare_stored(found, stored)
        assert numbers == {"along": 252, "long": 21, "curvature": 3}[kind]
    else:
        ranks = found[kind]["standardised"]["full"]["end"]["ranked"]
        assert np.shape(ranks) == (len(experiment.RANKS), 3)


def test_the_stored_summary_is_what_the_code_gives():
    document = json.loads(RESULTS.read_text(encoding="utf-8"))
    every = experiment.cases()
    assert (document["experiment"], document["cases"]) == ("training", len(every))
    this = {"kind": "grid", "variant": "full", "inputs": "standardised"}
    this |= {"batch": experiment.BATCH, "scale": 1.0}
    [case] = [each for each in every if this.items() <= each.items()]
    [column] = [i for i, rate in enumerate(experiment.RATES) if rate == 0.1]
    row = experiment.task({**case, "rates": [0.1]}, RNG)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert np.shape(row["loss"]) == np.shape(row["accuracy"]) == (1, len(row["start"]))
    stored = document["summary"]["grid"]["standardised"]["100"]["full"]["1"]
    for name in ("loss", "accuracy"):
        expected = stored[name][column]
        assert experiment.quartiles(row[name][0]) == pytest.approx(expected, rel=1e-5)
    assert stored["diverged"][column] == experiment.diverged(row["loss"][0], row["start"])
