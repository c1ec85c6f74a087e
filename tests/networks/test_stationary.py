"""Training to a stationary point, the lemma's sides for networks, and the stored experiment."""

from __future__ import annotations

import json
from itertools import permutations, product
from typing import Any

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import bnlib
from bn_experiments.networks.network import Network
from bn_experiments.networks.network_lemma import pooled_sides, reached_sides
from bn_experiments.networks.stationary import stationary_point, symmetries
from bn_experiments.sweeps import networks
from bnlib import BatchNorm, Neuron, Point, Ray, counterexample
from tests.oracles import agree


def test_the_three_points() -> None:
    data = counterexample()
    plain = Network((2, 1), bias=False)
    point = stationary_point(plain, plain.initialize(0), data.inputs, data.targets)
    assert point.isolated
    agree("W*", point.params[0]["weights"][:, 0], [3, 1], 1e-12)
    agree("loss", point.loss, 1.0, 1e-12)
    normalized = Network((2, 1), bias=False, normalization=(BatchNorm(),))
    end = stationary_point(normalized, normalized.initialize(0), data.inputs, data.targets)
    assert end.isolated
    assert end.flat == 1
    w = np.asarray(end.params[0]["weights"])[:, 0]
    sign = np.sign(float(end.params[0]["gamma"][0]))
    assert bnlib.angle(sign * w, [5, 3]) < 1e-9
    # Least squares with intercept: what a BN neuron with trained γ and β computes.
    (line,) = Neuron(bias=True).optima(data)
    agree("loss", end.loss, Neuron(bias=True).loss(line.weights, data), 1e-9, 1.0)  # it is 0 here


def test_what_is_reported_is_what_was_reached() -> None:
    case = networks.insertion_case("teacher", (2,), "tanh", "squared", False, 0)
    network, start, x, t = networks.problem(case)
    point = stationary_point(network, start, x, t)
    slope = np.linalg.norm(ravel_pytree(jax.grad(network.loss)(point.params, x, t))[0])
    first = np.linalg.norm(ravel_pytree(jax.grad(network.loss)(start, x, t))[0])
    assert point.isolated
    assert slope <= 1e-10 * first
    agree("reference", point.reference, first, 1e-12)
    agree("gradient", point.gradient_norm, slope, 1e-3, 1e-12 * first)
    flat, unravel = ravel_pytree(point.params)
    hessian = jax.hessian(lambda v: network.loss(unravel(v), x, t))(flat)
    values = np.linalg.eigvalsh(hessian)
    agree("eigenvalue", point.smallest_eigenvalue, values[0] / values[-1], 1e-8)
    assert point.loss < float(network.loss(start, x, t))


def test_a_loss_without_a_minimum_is_not_reported_as_one() -> None:
    # Separable classes with hard labels: the weights grow for ever.
    network = Network((1, 2), objective="cross-entropy")
    x, t = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.eye(2)[[0, 0, 1, 1]]
    point = stationary_point(network, network.initialize(0), x, t, iterations=60)
    assert not point.isolated


def test_a_perfect_fit_converges_and_is_not_isolated() -> None:
    case = networks.insertion_case("few", (6,), "tanh", "squared", False, 0)
    point = stationary_point(*networks.problem(case))
    assert point.converged
    assert not point.isolated
    assert point.loss < 1e-24
    assert point.flat > 0


def test_wrong_arguments_are_refused() -> None:
    network = Network((2, 1))
    params, x, t = network.initialize(0), np.eye(2), np.ones(2)
    with pytest.raises(ValueError, match="^rtol: must be at least 0"):
        stationary_point(network, params, x, t, rtol=-1.0)
    with pytest.raises(ValueError, match="^iterations: must be at least 1"):
        stationary_point(network, params, x, t, iterations=0)
    with pytest.raises(ValueError, match="^params: loss or gradient is not finite"):
        stationary_point(network, [{"weights": np.full((2, 1), np.nan), "bias": np.zeros(1)}], x, t)


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "norms",
    [
        None,
        (BatchNorm(), None),
        (BatchNorm(center=False), None),
        (BatchNorm(epsilon=0.1), None),
        (None, BatchNorm()),
        (None, BatchNorm(scale=False)),
        (None, BatchNorm(center=False)),
    ],
    ids=repr,
)
def test_symmetries_are_the_directions_that_no_data_can_see(
    norms: Any, bias: bool, objective: str
) -> None:
    network = Network((3, 2, 3), "tanh", bias, objective, norms)
    rng = np.random.default_rng(0)
    start = network.initialize(0)
    params = jax.tree.map(lambda each: each + 0.3 * rng.normal(size=each.shape), start)
    x = rng.normal(0.5, 1.0, (60, 9, 3))
    t = rng.dirichlet(np.ones(3), (60, 9))
    slopes = jax.vmap(jax.grad(network.loss), (None, 0, 0))(params, x, t)
    rows = np.hstack([np.asarray(each).reshape(60, -1) for each in jax.tree.leaves(slopes)])
    size = np.linalg.svd(rows, compute_uv=False)
    assert np.sum(size < 1e-10 * size[0]) == symmetries(network)


# ---------------------------------------------------------------- the lemma for networks


def test_one_unit_is_the_lemma() -> None:
    rng = np.random.default_rng(1)
    w, star, bn = rng.normal(size=(3, 50, 4, 1))
    sides = reached_sides(w, star, bn)
    for i in range(50):
        check = bnlib.check_lemma(w[i, :, 0], [Point(star[i, :, 0])], [Ray(bn[i, :, 0])])
        agree("left", sides.left[i], check.left, 1e-12)
        agree("right", sides.right[i], check.right, 1e-11)
        assert sides.applies[i] == check.applies
        assert sides.violated[i] == check.violated


@pytest.mark.parametrize("odd", [False, True])
def test_pooled_sides_against_all_images_one_by_one(odd: bool) -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(6, 2, 3))
    stars, bns = rng.normal(size=(4, 2, 3)), rng.normal(size=(5, 2, 3))
    sides = pooled_sides(w, stars, bns, odd=odd)

    def images(pool: Any) -> list[Any]:
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


def test_the_lemma_is_true_where_the_rays_are_those_of_the_plain_optima() -> None:
    rng = np.random.default_rng(3)
    w, stars = rng.normal(size=(2, 200, 3, 2))
    scaled = stars * rng.uniform(0.1, 3.0, (200, 1, 2))
    assert not reached_sides(w, stars, scaled).violated.any()
    assert not pooled_sides(w, stars[:20], scaled[:20], odd=True).violated.any()
    assert reached_sides(w, stars, scaled).applies.any()


def test_sides_refuse_what_does_not_fit() -> None:
    w = np.ones((2, 3, 2))
    with pytest.raises(ValueError, match="^stars: shape"):
        reached_sides(w, np.ones((2, 2, 2)), w)
    with pytest.raises(ValueError, match="^normalized: shape"):
        pooled_sides(w, w, np.ones((0, 3, 2)), odd=True)
    with pytest.raises(ValueError, match="^starts: entry"):
        reached_sides(np.full((2, 3, 2), np.nan), w, w)


# ---------------------------------------------------------------- the experiment


def test_cases_are_many_and_what_json_can_hold() -> None:
    cases = networks.cases()
    assert json.loads(json.dumps(cases)) == cases
    texts = [json.dumps(case, sort_keys=True) for case in cases]
    assert len(set(texts)) == len(texts)
    kinds = {(case["kind"], case["data"], case["objective"], case["bias"]) for case in cases}
    assert {("insertion", "teacher", "cross-entropy", bias) for bias in (True, False)} <= kinds
    assert ("lemma", "teacher", "squared", False) in kinds


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    cases = [
        networks.insertion_case("teacher", (2,), "tanh", "squared", False, 0),
        networks.insertion_case("teacher", (3,), "tanh", "squared", True, 0),
        networks.insertion_case("teacher", (2,), "softplus", "cross-entropy", False, 0),
        networks.lemma_case("tanh", True, 0, starts=3),
        networks.lemma_case("tanh", False, 0, starts=3),
        networks.lemma_case("tanh", False, 1, starts=3),
    ]
    return [networks.task(case, np.random.default_rng(0)) for case in cases]


def test_insertions_do_what_the_theorem_says(rows: list[Any]) -> None:
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    found = networks.summary(rows)
    checks = found["checks"]
    assert checks["must_stay"] == checks["stay"] == 12
    assert checks["must_not_stay"] == checks["do_not_stay"] == checks["agree"] == 12
    assert checks["outputs_kept"] == 24
    assert all(each["absorbed"] == each["done"] > 0 for each in found["moves"].values())
    assert found["moves"]["with bias"]["largest_angles"] == [0.0] * 5
    assert found["moves"]["with bias"]["gains"] == [0.0] * 5
    assert found["moves"]["without bias"]["largest_angles"][0] > 0.1
    assert found["trained"]["teacher, squared, 1 hidden"] == {
        "trained": 2,
        "converged": 2,
        "kept": 2,
    }


def test_lemma_cases_are_counted(rows: list[Any]) -> None:
    found = networks.summary(rows)["lemma"]
    assert found["tanh, with bias"]["pooled"]["violated"] == 0
    assert found["tanh, without bias"]["starts"] == 6
    for row in rows[3:]:
        for name in ("reached", "pooled"):
            if name in row:
                violated = np.array(row[name]["violated"])
                gap = np.array(row[name]["left"]) - np.array(row[name]["right"])
                assert not np.any(violated & (gap <= 0))
                assert not np.any(violated & ~np.array(row[name]["applies"]))


def test_a_case_without_a_pair_and_a_training_without_end_are_counted() -> None:
    empty = {"case": networks.lemma_case("tanh", True, 0), "starts": 50, "pairs": 0}
    failed = {
        "case": networks.insertion_case("few", (6,), "tanh", "squared", False, 0),
        "converged": False,
    }
    found = networks.summary([empty, failed])
    assert found["lemma"]["tanh, with bias"]["pairs"] == 0
    assert found["trained"]["few, squared, 1 hidden"]["kept"] == 0
    assert "checks" not in found


def test_outputs_before_a_softmax_are_balanced() -> None:
    network = Network((3, 2, 3), objective="cross-entropy")
    params = network.initialize(0)
    x = np.random.default_rng(0).normal(size=(5, 3))
    balanced = networks._balanced(network, params)
    outputs = np.asarray(network.forward(balanced, x))
    assert np.abs(outputs.mean(axis=1)).max() < 1e-12
    agree("loss", network.loss(balanced, x, np.ones((5, 3)) / 3), _loss(network, params, x), 1e-13)


def _loss(network: Network, params: Any, x: Any) -> float:
    return float(network.loss(params, x, np.ones((len(x), 3)) / 3))
