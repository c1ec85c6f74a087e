"""Training to a stationary point, the lemma's sides for networks, and the stored experiment."""

import json
from itertools import permutations, product

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bnlib
from bn_experiments.datasets import load
from bn_experiments.networks import Network, pooled_sides, reached_sides, stationary_point
from bn_experiments.networks.stationary import symmetries
from bn_experiments.sweeps import networks
from bn_experiments.sweeps.network_problems import insertion_case, lemma_case, problem
from bnlib import BatchNorm, Neuron, Point, Ray, counterexample
from tests.networks.written_out import disturbed
from tests.oracles import agree, refused


def test_the_three_points():
    data = counterexample()
    plain = Network((2, 1), bias=False)
    point = stationary_point(plain, plain.initialize(0), data.inputs, data.targets)
    assert point.isolated
    agree("W*", point.params[0]["weights"][:, 0], [3, 1], 1e-12)
    agree("loss", point.loss, 1.0, 1e-12)
    normalized = Network((2, 1), bias=False, normalization=(BatchNorm(),))
    end = stationary_point(normalized, normalized.initialize(0), data.inputs, data.targets)
    assert end.isolated
    assert end.model.flat == 1
    w = np.asarray(end.params[0]["weights"])[:, 0]
    sign = np.sign(float(end.params[0]["gamma"][0]))
    assert bnlib.angle(sign * w, [5, 3]) < 1e-9
    # Least squares with intercept: what a BN neuron with trained γ and β computes.
    (line,) = Neuron(bias=True).optima(data)
    agree("loss", end.loss, Neuron(bias=True).loss(line.weights, data), 1e-9, 1.0)  # it is 0 here


def test_what_is_reported_is_what_was_reached():
    case = insertion_case("teacher", (2,), "tanh", "squared", False, 0)
    network, start, x, t = problem(case)
    point = stationary_point(network, start, x, t)
    assert point.isolated
    vector, unravel = ravel_pytree(point.params)
    loss = jax.jit(lambda v: network.loss(unravel(v), x, t))
    gradient = jax.jit(jax.grad(loss))
    first = np.linalg.norm(gradient(ravel_pytree(start)[0]))
    agree("reference", point.reference, first, 1e-12)
    assert np.linalg.norm(gradient(vector)) <= 1e-10 * first
    reached = np.linalg.norm(gradient(vector)) / first
    agree("gradient", point.relative_gradient, reached, 1e-3, 1e-12)
    values = np.linalg.eigvalsh(jax.jit(jax.hessian(loss))(vector))
    agree("eigenvalue", point.model.smallest, values[0] / values[-1], 1e-8)
    assert point.loss < float(loss(ravel_pytree(start)[0]))


def test_a_loss_without_a_minimum_is_not_reported_as_one():
    # Separable classes with hard labels: the weights grow for ever.
    network = Network((1, 2), objective="cross-entropy")
    x, t = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.eye(2)[[0, 0, 1, 1]]
    point = stationary_point(network, network.initialize(0), x, t, iterations=60)
    assert not point.isolated


def test_a_perfect_fit_converges_and_is_not_isolated():
    case = insertion_case("few", (6,), "tanh", "squared", False, 0)
    point = stationary_point(*problem(case))
    assert point.converged
    assert not point.isolated
    assert point.loss < 1e-24
    assert point.model.flat > 0


def test_what_does_not_fit_is_refused():
    network = Network((2, 1))
    start, x, t = network.initialize(0), np.eye(2), np.ones(2)
    refused("^iterations: must be at least 1", stationary_point, network, start, x, t, iterations=0)
    lost = [{"weights": np.full((2, 1), np.nan), "bias": np.zeros(1)}]
    refused("^params: loss or gradient is not finite", stationary_point, network, lost, x, t)
    w = np.ones((2, 3, 2))
    refused(r"^stars: expected shape \(p, d, k\)", lambda: reached_sides(w, w[0], w))
    refused("^stars: shape", lambda: reached_sides(w, np.ones((2, 2, 2)), w))
    refused("^normalized: shape", lambda: pooled_sides(w, w, np.ones((0, 3, 2)), odd=True))
    refused("^starts: entry", lambda: reached_sides(np.full((2, 3, 2), np.nan), w, w))


FIRST = BatchNorm(), BatchNorm(center=False), BatchNorm(epsilon=0.1)
LAST = BatchNorm(), BatchNorm(scale=False), BatchNorm(center=False)
NORMS = [None, *((norm, None) for norm in FIRST), *((None, norm) for norm in LAST)]


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("norms", NORMS, ids=repr)
def test_symmetries_are_the_directions_that_no_data_can_see(norms, bias, objective):
    network = Network((3, 2, 3), "tanh", bias, objective, norms)
    params, rng = disturbed(network, 0)
    x = rng.normal(0.5, 1.0, (60, 9, 3))
    t = rng.dirichlet(np.ones(3), (60, 9))
    gradients = jax.vmap(jax.grad(network.loss), (None, 0, 0))
    rows = [np.asarray(each).reshape(60, -1) for each in jax.tree.leaves(gradients(params, x, t))]
    size = np.linalg.svd(np.hstack(rows), compute_uv=False)
    assert np.sum(size < 1e-10 * size[0]) == symmetries(network)


def test_one_unit_is_the_lemma():
    rng = np.random.default_rng(1)
    w, star, bn = rng.normal(size=(3, 50, 4, 1))
    sides = reached_sides(w, star, bn)
    for i in range(50):
        check = bnlib.check_lemma(w[i, :, 0], [Point(star[i, :, 0])], [Ray(bn[i, :, 0])])
        agree("left", sides.left[i], check.left, 1e-12)
        agree("right", sides.right[i], check.right, 1e-11)
        for name in ("applies", "exists", "violated"):
            assert getattr(sides, name)[i] == getattr(check, name)
    assert 0 < np.count_nonzero(sides.violated & sides.exists) < np.count_nonzero(sides.violated)


@pytest.mark.parametrize("odd", [False, True])
def test_pooled_sides_against_all_images_one_by_one(odd):
    rng = np.random.default_rng(2)
    w = rng.normal(size=(6, 2, 3))
    stars, bns = rng.normal(size=(4, 2, 3)), rng.normal(size=(5, 2, 3))
    sides = pooled_sides(w, stars, bns, odd=odd)

    def images(pool):
        signs = list(product((-1, 1), repeat=3)) if odd else [(1, 1, 1)]
        orders = list(permutations(range(3)))
        return [each[:, order] * sign for each in pool for order in orders for sign in signs]

    for i in range(6):
        star = min(images(stars), key=lambda each: np.sum((each - w[i]) ** 2))
        right = np.sum((w[i] - star) ** 2)
        right -= (np.sum(star**2) - np.sum(star * w[i])) ** 2 / np.sum(star**2)
        left = min(
            sum(
                min(Ray(sign * u).squared_distance(v) for sign in (-1, 1))
                for u, v in zip(each.T, w[i].T, strict=True)
            )
            for each in images(bns)
        )
        agree("left", sides.left[i], left, 1e-11)
        agree("right", sides.right[i], right, 1e-11)
        assert sides.applies[i] == (np.sum(star * w[i]) > 0)


def test_the_lemma_is_true_where_the_rays_are_those_of_the_plain_optima():
    rng = np.random.default_rng(3)
    w, stars = rng.normal(size=(2, 200, 3, 2))
    scaled = stars * rng.uniform(0.1, 3.0, (200, 1, 2))
    assert not reached_sides(w, stars, scaled).violated.any()
    assert not pooled_sides(w, stars[:20], scaled[:20], odd=True).violated.any()
    assert reached_sides(w, stars, scaled).applies.any()


def test_cases_and_tasks_are_what_json_can_hold_and_a_bias_keeps_every_minimum():
    cases = networks.cases()
    assert json.loads(json.dumps(cases)) == cases
    assert len({json.dumps(case, sort_keys=True) for case in cases}) == len(cases)
    kinds = {(case["kind"], case["data"], case["objective"], case["bias"]) for case in cases}
    assert {("insertion", "teacher", "cross-entropy", bias) for bias in (True, False)} <= kinds
    assert ("lemma", "teacher", "squared", False) in kinds
    # The chapter on networks runs more cases, without biases among them, and the lemma.
    case = insertion_case("teacher", (2,), "tanh", "squared", True, 0)
    row = networks.task(case, np.random.default_rng(0))
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["parameters"] == 3 * 2 + 2 + 2 * 1 + 1
    found = networks.summary([row])
    checks, moves = found["checks"], found["moves"]
    assert checks["must_stay"] == checks["stay"] == checks["outputs_kept"] == 8
    assert checks["must_not_stay"] == 0
    assert moves["with bias"]["absorbed"] == moves["with bias"]["done"] == 1
    assert moves["with bias"]["largest_angles"] == moves["with bias"]["gains"] == [0.0] * 5
    assert moves["without bias"]["tried"] == 0
    counts = {"trained": 1, "converged": 1, "kept": 1}
    assert found["trained"] == {"teacher, squared, 1 hidden": counts}


def test_targets_are_probabilities_or_as_large_as_their_spread_and_inputs_those_named():
    for data in ("teacher", "iris", "wine"):
        *_, x, t = problem(insertion_case(data, (2,), "tanh", "cross-entropy", False, 0))
        agree(data, t.sum(axis=1), np.ones(len(x)), 1e-14)
        assert t.min() > 0.0
    *_, x, t = problem(insertion_case("diabetes", (2,), "tanh", "squared", False, 0))
    bunch = load("diabetes")
    for inputs, name in zip(x.T, ("bmi", "bp", "s5"), strict=True):
        column = bunch.data[:, bunch.feature_names.index(name)]
        agree(name, inputs, column / np.std(column), 1e-12)
    agree("targets", t[:, 0], bunch.target / np.std(bunch.target), 1e-12)


def test_lemma_cases_are_counted():
    row = networks.task(lemma_case("tanh", False, 0, starts=2), np.random.default_rng(0))
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["starts"] == row["pairs"] == 2
    for name in ("reached", "pooled"):
        applies, exists, violated, undecided, left, right = map(np.array, row[name].values())
        np.testing.assert_array_equal(violated, applies & (left - right > 1e-9))
        np.testing.assert_array_equal(undecided, applies & (abs(left - right) <= 1e-9))
        assert not (exists & ~applies).any()
    # A case without a pair and a training without end are counted, too.
    empty = {"case": lemma_case("tanh", True, 0, 50), "starts": 50, "pairs": 0}
    case = insertion_case("few", (6,), "tanh", "squared", False, 0)
    found = networks.summary([row, empty, row, {"case": case, "converged": False}])
    lemma = found["lemma"]["tanh, without bias"]
    assert (lemma["sets"], lemma["starts"], lemma["pairs"]) == (2, 4, 4)
    for name in ("applies", "exists", "undecided"):
        assert lemma["pooled"][name] == 2 * sum(row["pooled"][name])
    counts = lemma["reached"]
    assert counts["violated_exists"] <= min(counts["violated"], counts["exists"])
    assert found["lemma"]["tanh, with bias"]["pairs"] == 0
    assert found["trained"]["few, squared, 1 hidden"]["kept"] == 0
    assert "checks" not in found


def test_outputs_before_a_softmax_are_balanced():
    network = Network((3, 2, 3), objective="cross-entropy")
    params, x, t = network.initialize(0), np.random.default_rng(0).normal(size=(5, 3)), np.eye(3)
    balanced = networks.balanced(network, params)
    assert np.abs(network.forward(balanced, x).mean(axis=1)).max() < 1e-12
    losses = [network.loss(each, x[:3], t) for each in (balanced, params)]
    agree("loss", losses[0], losses[1], 1e-13)
