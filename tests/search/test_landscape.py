"""Minima and saddles from many starts: known landscapes, blind minimization, planted errors."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from bn_experiments.datasets import RandomLearningSets
from bn_experiments.search import (
    numerical_optima,
    piecewise_minima,
    scan_directions,
    search_weights,
    whitened,
)
from bnlib import ACTIVATIONS, BatchNorm, LearningSet, Neuron, Ray, counterexample, linear_optima
from tests import oracles
from tests.bnlib.test_activations import FIRST, FORMULAS, SECOND
from tests.search.test_directions import PLAIN

SMOOTH = [name for name, each in ACTIVATIONS.items() if each.slopes is None]
TWO_MINIMA = LearningSet([[2, -1], [2, 1], [0, -1], [1, -2]], [-1.5, 0.75, -0.75, 0.5])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def starts(n: int, d: int = 2, seed: int = 0, size: float = 2.0) -> Any:
    return size * generator(seed).standard_normal((n, d))


def plain(name: str, data: LearningSet) -> oracles.Loss:
    """Return the loss in plain NumPy, of one weight vector or of many."""
    return lambda w: ((PLAIN[name](w @ data.inputs.T) - data.targets) ** 2).mean(axis=-1)


def second_differences(loss: oracles.Loss, w: Any, step: float = 1e-4) -> Any:
    """Return gradient and Hessian by central differences, in units of w's own size."""
    h = step * (1 + np.linalg.norm(w)) * np.eye(len(w))
    first = np.array([loss(w + a) - loss(w - a) for a in h]) / (2 * h.max())
    second = [
        [loss(w + a + b) - loss(w + a - b) - loss(w - a + b) + loss(w - a - b) for a in h]
        for b in h
    ]
    return first, np.array(second) / (2 * h.max()) ** 2


def compare_with_blind_search(name: str, data: LearningSet, count: int = 10) -> None:
    """Look for minima without derivatives, from a ring of starts; compare with the list.

    Each simplex that ends in a strict minimum within reach must have found one in the list, and
    each of the list must be a strict minimum.
    """
    found, loss = numerical_optima(Neuron(name), data, generator()), plain(name, data)
    points = [each.weights for each in found if not isinstance(each, Ray)]
    for w in points:
        angles = 2 * np.pi * np.arange(60) / 60
        around = w + 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        # Far out a whole valley can be flatter than rounding.
        if np.linalg.norm(w) < 20 and not (loss(around) > loss(w)).all():
            raise oracles.Disagreement(f"minimum: {w} is none")
    for start in starts(count, seed=7):
        end = optimize.minimize(
            loss, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-13}
        ).x
        if np.linalg.norm(end) > 20:
            continue  # on its way to infinity
        gradient, hessian = second_differences(loss, end)
        if np.linalg.eigvalsh(hessian)[0] < 1e-4 or np.abs(gradient).max() > 1e-5:
            continue  # a valley, or not finished
        if min((np.linalg.norm(end - w) for w in points), default=np.inf) > 1e-4:
            raise oracles.Disagreement(f"minimum: {end} is not in the list")


# ---------------------------------------------------------------- known landscapes


@given(oracles.well_conditioned(), st.integers(0, 10))
def test_the_identity_has_the_closed_form(data: LearningSet, seed: int) -> None:
    (expected,) = linear_optima(data)
    land = search_weights(Neuron(), data, starts(3, data.d, seed))
    assert len(land.minima) == 1
    assert not land.saddles
    assert not land.maxima
    oracles.agree("point", land.minima[0].weights, expected.weights, 1e-8)
    (found,) = numerical_optima(Neuron(), data, generator(seed))
    oracles.agree("point", found.weights, expected.weights, 1e-8)


@pytest.mark.parametrize("epsilon", [1e-5, 0.3])
def test_batch_norm_with_epsilon_has_the_point_of_the_closed_form(epsilon: float) -> None:
    norm = BatchNorm(epsilon=epsilon, gamma=3.0)
    data = LearningSet(counterexample().inputs, [0.5, 0.1, 0.9])
    (expected,) = linear_optima(data, norm)
    (found,) = numerical_optima(Neuron(normalization=norm), data, generator())
    oracles.agree("point", found.weights, expected.weights, 1e-8)
    shifted = BatchNorm(scale=False)
    (found,) = numerical_optima(Neuron(normalization=shifted), data, generator())
    oracles.agree("point", found.weights, linear_optima(data, shifted)[0].weights, 1e-8)


def test_two_minima_and_the_saddle_between_them() -> None:
    land = search_weights(Neuron("tanh"), TWO_MINIMA, starts(20))
    assert len(land.minima) == 2
    assert len(land.saddles) == 1
    assert land.kinds == ["minimum"] * 2
    assert land.outcomes == {"minimum": 20}
    loss, kinds = plain("tanh", TWO_MINIMA), [(1, 1), (1, 1), (-1, 1)]
    points = [each.weights for each in [*land.minima, *land.saddles]]
    for w, signs in zip(points, kinds, strict=True):
        gradient, hessian = second_differences(loss, w)
        assert np.abs(gradient).max() < 1e-6
        assert tuple(np.sign(np.linalg.eigvalsh(hessian))) == signs
        assert np.abs(Neuron("tanh").gradient(w, TWO_MINIMA)).max() < 1e-14
    assert np.allclose(land.losses, [loss(w) for w in points[:2]], rtol=1e-13)
    assert land.losses[0] < land.losses[1] < loss(points[2])
    found = numerical_optima(Neuron("tanh"), TWO_MINIMA, generator())
    assert np.allclose([each.weights for each in found], points[:2], rtol=1e-8)


def test_without_saddles_only_minima_are_looked_for() -> None:
    land = search_weights(Neuron("tanh"), TWO_MINIMA, starts(20), saddles=False)
    assert len(land.minima) == 2
    assert land.saddles == land.maxima == []


def test_a_maximum_where_silu_is_lowest() -> None:
    # SiLU falls to -0.28 at z = -1.28 and rises on both sides; its targets here are positive.
    data = LearningSet([[1.0], [0.9]], [1.0, 1.0])
    land = search_weights(Neuron("silu"), data, np.linspace(-3, 3, 25)[:, None])
    grid = np.linspace(-4, 4, 80_001)
    rises = np.sign(np.diff(plain("silu", data)(grid[:, None])))
    turns = np.flatnonzero(rises[1:] != rises[:-1])
    for sign, found in ((1, land.minima), (-1, land.maxima)):
        expected = grid[1:-1][turns[rises[turns + 1] == sign]]
        assert len(expected) == 1
        assert np.allclose([each.weights[0] for each in found], expected, atol=2e-4)
    assert not land.saddles


def test_separable_targets_let_a_sigmoid_escape() -> None:
    data = LearningSet([[1, 0], [0, 1], [-1, 0], [0, -1]], [1, 1, 0, 0])
    land = search_weights(Neuron("sigmoid"), data, starts(20))
    assert land.outcomes == {"escaping": 20}
    assert not land.minima
    assert numerical_optima(Neuron("sigmoid"), data, generator()) == []


def test_a_dead_start_is_flat() -> None:
    # Three weights, so that the pieces are not enumerated; every example inactive at the start.
    x = np.vstack([np.eye(3), [[1.0, 1, 1]]])
    data = LearningSet(x, [1, 2, 3, 6])
    land = search_weights(Neuron("relu"), data, [[-1, -1, -1], [1, 1, 1.5]])
    assert land.outcomes == {"flat": 1, "minimum": 1}
    assert np.allclose(land.minima[0].weights, [1, 2, 3])


def test_a_search_that_ends_at_a_kink_says_so() -> None:
    # The kink of `test_pieces`, with a third weight that has its own optimum.
    x = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    land = search_weights(Neuron("relu"), LearningSet(x, [-1, 1, 2, 1]), [[0.1, 1.4, 0.9]])
    assert land.outcomes == {"kink": 1}
    assert not land.minima


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_pieces_are_enumerated_where_they_can_be(name: str) -> None:
    data = oracles.normal_set(3, m=6, d=2)
    pieces = piecewise_minima(Neuron(name), data)
    land = search_weights(Neuron(name), data, starts(1))
    assert land.minima == pieces.minima == numerical_optima(Neuron(name), data, generator())
    assert land.kinds == pieces.kinds
    counted = sum(land.outcomes.values())
    assert counted == len(pieces.minima) + len(pieces.flat)


# ---------------------------------------------------------------- against others


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("seed", range(3))
def test_blind_search_finds_nothing_else(name: str, seed: int) -> None:
    inputs, targets = RandomLearningSets(6, 2, 1.0, 0.5, 0.3, name).sample(generator(seed), 1)
    compare_with_blind_search(name, LearningSet(inputs[0], targets[0]))


@pytest.mark.parametrize("name", SMOOTH)
def test_random_starts_find_nothing_else(name: str) -> None:
    inputs, targets = RandomLearningSets(6, 2, 1.0, 0.5, 0.3, name).sample(generator(1), 4)
    for x, t in zip(inputs, targets, strict=True):
        data = LearningSet(x, t)
        found = [each.weights for each in numerical_optima(Neuron(name), data, generator())]
        for point in search_weights(Neuron(name), data, starts(40), saddles=False).minima:
            gaps = [np.linalg.norm(point.weights - w) for w in found]
            assert min(gaps) < 1e-5 * (1 + np.linalg.norm(point.weights))


@pytest.mark.parametrize("name", SMOOTH)
def test_newtons_method_with_60_digits_stays_at_every_minimum(name: str) -> None:
    # Far out, between saturated outputs, a minimum in float64 might be one of rounding only.
    inputs, targets = RandomLearningSets(6, 2, 1.0, 0.5, 0.3, name).sample(generator(11), 8)
    for x, t in zip(inputs, targets, strict=True):
        for point in numerical_optima(Neuron(name), LearningSet(x, t), generator()):
            start = w = mp.matrix([float(each) for each in point.weights])
            with mp.workdps(60):
                for _ in range(7):
                    gradient, hessian = mp.matrix(2, 1), mp.matrix(2, 2)
                    for row, target in zip(x, t, strict=True):
                        column = mp.matrix([float(each) for each in row])
                        z = (column.T * w)[0]
                        error, slope = FORMULAS[name](z) - float(target), FIRST[name](z)
                        gradient += error * slope * column
                        hessian += (slope**2 + error * SECOND[name](z)) * column * column.T
                    values = mp.eigsy(hessian, eigvals_only=True)
                    w = w - mp.lu_solve(hessian, gradient)
                assert mp.norm(gradient) < mp.mpf(10) ** -40 * values[1]
                assert values[0] > 0
                assert mp.norm(w - start) < 1e-9 * (1 + mp.norm(start))


@pytest.mark.parametrize("name", SMOOTH)
def test_the_lowest_minimum_is_below_a_fine_grid(name: str) -> None:
    inputs, targets = RandomLearningSets(7, 2, 1.0, 0.5, 0.3, name).sample(generator(5), 6)
    axis = np.linspace(-4, 4, 161)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    compared = 0
    for x, t in zip(inputs, targets, strict=True):
        data, loss = LearningSet(x, t), plain(name, LearningSet(x, t))
        values = loss(grid)
        best = grid[values.argmin()]
        if np.abs(best).max() == 4:
            continue  # the infimum lies beyond the grid
        lowest = numerical_optima(Neuron(name), data, generator())[0]
        assert float(Neuron(name).loss(lowest.weights, data)) <= values.min()
        compared += 1
    assert compared >= 2


@pytest.mark.parametrize("name", ["tanh", "silu"])
def test_more_weights_are_searched_from_random_starts(name: str) -> None:
    inputs, targets = RandomLearningSets(12, 4, 1.0, 0.5, 0.1, name).sample(generator(2), 1)
    data = LearningSet(inputs[0], targets[0])
    found = numerical_optima(Neuron(name), data, generator())
    again = numerical_optima(Neuron(name), data, generator())
    assert found == again
    assert found
    for each in found:
        gradient, hessian = second_differences(plain(name, data), each.weights, 1e-4)
        assert np.abs(gradient).max() < 1e-5
        assert np.linalg.eigvalsh(hessian)[0] > 0


@pytest.mark.parametrize("name", ["tanh", "softplus", "elu"])
@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_units_of_the_inputs_do_not_matter(name: str, scale: float) -> None:
    inputs, targets = RandomLearningSets(6, 2, 1.0, 0.5, 0.3, name).sample(generator(4), 1)
    stretched = LearningSet(inputs[0] * [scale, 1.0], targets[0])
    here = numerical_optima(Neuron(name), LearningSet(inputs[0], targets[0]), generator())
    there = numerical_optima(Neuron(name), stretched, generator())
    assert len(here) == len(there) >= 1
    for one, other in zip(here, there, strict=True):
        assert np.allclose(one.weights, other.weights * [scale, 1.0], rtol=1e-6)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_large_and_small_targets_are_met(size: float) -> None:
    # softplus is nearly linear far out, so targets of any size have a neuron that fits.
    w = np.array([1.5, 0.5]) * size
    x = np.array([[1, 0.2], [0.3, 1], [1, 1], [0.5, 2]])
    data = LearningSet(x, Neuron("softplus").output(w, LearningSet(x, np.zeros(4))))
    (found,) = numerical_optima(Neuron("softplus"), data, generator())
    oracles.agree("point", found.weights, w, 1e-6)


def test_a_far_minimum_between_saturated_examples_is_found() -> None:
    # x₁ and x₂ point nearly the same way: both fit exactly only with |w| ≈ 200, where the two
    # other outputs are saturated at the targets they have.
    x = np.array([[1, 0], [1, 0.01], [0, 1], [1, 1]])
    w = np.array([0.4, 200.0])
    data = LearningSet(x, [*np.tanh(x[:2] @ w), 0.5, 0.7])
    found = numerical_optima(Neuron("tanh"), data, generator())
    assert min(np.linalg.norm(each.weights - w) for each in found) < 1e-4
    near = search_weights(Neuron("tanh"), data, starts(20), saddles=False).minima
    assert all(np.linalg.norm(each.weights - w) > 1 for each in near)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_batch_norm_has_the_rays_of_the_scan(name: str) -> None:
    neuron = Neuron(name, BatchNorm())
    found = numerical_optima(neuron, TWO_MINIMA, generator())
    assert found == scan_directions(neuron, TWO_MINIMA).minima
    assert found


def test_a_bias_is_one_more_weight() -> None:
    x, t = np.array([[-1.0], [0.5], [2.0], [1.0]]), np.array([0.1, 0.6, 0.9, 0.5])
    first = numerical_optima(Neuron("sigmoid", bias=True), LearningSet(x, t), generator())
    other = LearningSet(np.column_stack([x, np.ones(4)]), t)
    second = numerical_optima(Neuron("sigmoid"), other, generator())
    assert np.allclose(
        [each.weights for each in first], [each.weights for each in second], rtol=1e-9
    )


# ---------------------------------------------------------------- errors, planted and raised


def test_a_list_cut_short_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_blind_search("tanh", TWO_MINIMA)
    right = whitened.WhitenedSearch.points
    monkeypatch.setattr(whitened.WhitenedSearch, "points", lambda self, kind: right(self, kind)[1:])
    with pytest.raises(oracles.Disagreement, match="not in the list"):
        compare_with_blind_search("tanh", TWO_MINIMA)


def test_a_point_that_is_no_minimum_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitened.WhitenedSearch, "root", lambda self, start: np.zeros(2))
    monkeypatch.setattr(whitened.WhitenedSearch, "kind", lambda self, v: "minimum")
    with pytest.raises(oracles.Disagreement, match="is none"):
        compare_with_blind_search("tanh", TWO_MINIMA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Neuron("tanh", BatchNorm()), TWO_MINIMA, [[1, 2]]), "^neuron: .*scan_directions"),
        ((Neuron("tanh"), TWO_MINIMA, [1, 2]), "^starts: expected shape"),
        ((Neuron("tanh"), TWO_MINIMA, [[1, 2, 3]]), "^starts: .*with 2 entries"),
        ((Neuron("tanh"), TWO_MINIMA, [[1, np.nan]]), "^starts: entry"),
        ((Neuron("tanh"), "data", [[1, 2]]), "^data: expected a LearningSet"),
        (("tanh", TWO_MINIMA, [[1, 2]]), "^neuron: expected a Neuron, got str"),
        (
            (Neuron("tanh"), LearningSet([[1, 2], [2, 4]], [1, 2]), [[1, 2]]),
            "^inputs: fewer than 2 independent columns",
        ),
        (
            (Neuron("tanh"), LearningSet([[1, 2, 1], [2, 3, 4]], [1, 2]), [[1, 2, 3]]),
            "^inputs: fewer than 3 independent columns",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_weights(*arguments)


def test_numerical_optima_refuse_the_same() -> None:
    with pytest.raises(ValueError, match="^starts: must be at least 1"):
        numerical_optima(Neuron("tanh"), TWO_MINIMA, generator(), 0)
    with pytest.raises(ValueError, match="^neuron: expected a Neuron"):
        numerical_optima(None, TWO_MINIMA, generator())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^data: expected a LearningSet"):
        numerical_optima(Neuron("tanh"), None, generator())  # type: ignore[arg-type]
    three = oracles.normal_set(0, m=6, d=3)
    with pytest.raises(ValueError, match="^data: has 3 inputs"):
        numerical_optima(Neuron("tanh", BatchNorm()), three, generator())
