"""Minima from many starts: known landscapes, blind minimization, planted errors."""

from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from bn_experiments.search import _whitened, numerical_optima, scan_directions, search_weights
from bnlib import BatchNorm, LearningSet, Neuron, counterexample
from bnlib.activations import ACTIVATIONS
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.bnlib.test_activations import many_digits
from tests.oracles.plain import drawn, loss_of, ring, second_differences

SMOOTH = [name for name, each in ACTIVATIONS.items() if each.slopes is None]
TWO_MINIMA = LearningSet([[2, -1], [2, 1], [0, -1], [1, -2]], [-1.5, 0.75, -0.75, 0.5])


def points(neuron, data, seed=0):
    """Return the weights of the numerical optima."""
    neuron = Neuron(neuron) if isinstance(neuron, str) else neuron
    found = numerical_optima(neuron, data, np.random.default_rng(seed))
    return [point.weights for point in found]


def starts(n, d=2, seed=0):
    return 2 * np.random.default_rng(seed).standard_normal((n, d))


def compare_with_blind_search(name, data):
    """Look for minima without derivatives, from a ring of starts; compare with the list.

    Each simplex that ends in a strict minimum within reach must have found one in the list, and
    each of the list must be a strict minimum.
    """
    found, loss = points(name, data), loss_of(name, data)
    for w in found:
        # Far out a whole valley can be flatter than rounding.
        if np.linalg.norm(w) < 20 and not (loss(ring(w, 1e-3, 60)) > loss(w)).all():
            raise oracles.Disagreement(f"minimum: {w} is none")
    for start in starts(10, seed=7):
        options = {"xatol": 1e-7, "fatol": 1e-13}
        end = optimize.minimize(loss, start, method="Nelder-Mead", options=options).x
        if np.linalg.norm(end) > 20:
            continue  # on its way to infinity
        gradient, hessian = second_differences(loss, end)
        if np.linalg.eigvalsh(hessian)[0] < 1e-4 or np.abs(gradient).max() > 1e-5:
            continue  # a valley, or not finished
        if min((np.linalg.norm(end - w) for w in found), default=np.inf) > 1e-4:
            raise oracles.Disagreement(f"minimum: {end} is not in the list")


@given(oracles.well_conditioned(), st.integers(0, 10))
def test_the_identity_has_the_closed_form(data, seed):
    (expected,) = linear_optima(data)
    land = search_weights(Neuron(), data, starts(3, data.d, seed))
    assert (len(land.minima), len(land.kinds)) == (1, 1)
    oracles.agree("point", land.minima[0].weights, expected.weights, 1e-8)
    (found,) = points(Neuron(), data, seed)
    oracles.agree("point", found, expected.weights, 1e-8)


def test_batch_norm_with_epsilon_has_the_point_of_the_closed_form():
    data = LearningSet(counterexample().inputs, [0.5, 0.1, 0.9])
    wide = [BatchNorm(epsilon=epsilon, gamma=3.0) for epsilon in (1e-5, 0.3)]
    for norm in (*wide, BatchNorm(scale=False)):
        (expected,) = linear_optima(data, norm)
        (found,) = points(Neuron(normalization=norm), data)
        oracles.agree("point", found, expected.weights, 1e-8)


def test_two_minima_and_the_saddle_between_them():
    neuron, loss = Neuron("tanh"), loss_of("tanh", TWO_MINIMA)
    land = search_weights(neuron, TWO_MINIMA, starts(20))
    assert land.outcomes == {"minimum": 20}
    assert land.kinds == ["minimum"] * 2
    first, second = (each.weights for each in land.minima)
    saddle = optimize.root(lambda w: neuron.gradient(w, TWO_MINIMA), [1.657, 0.621], tol=1e-14).x
    for w, signs in ((first, (1, 1)), (second, (1, 1)), (saddle, (-1, 1))):
        gradient, hessian = second_differences(loss, w)
        assert np.abs(gradient).max() < 1e-6
        assert tuple(np.sign(np.linalg.eigvalsh(hessian))) == signs
        assert np.abs(neuron.gradient(w, TWO_MINIMA)).max() < 1e-13
    assert loss(first) < loss(second) < loss(saddle)
    at_saddle = search_weights(neuron, TWO_MINIMA, [saddle])
    assert (at_saddle.outcomes, at_saddle.minima) == ({"saddle": 1}, [])
    assert np.allclose(points(neuron, TWO_MINIMA), [first, second], rtol=1e-8)


def test_a_maximum_where_silu_is_lowest():
    # SiLU falls to -0.28 at z = -1.28 and rises on both sides; its targets here are positive.
    silu, data = Neuron("silu"), LearningSet([[1.0], [0.9]], [1.0, 1.0])
    grid = np.linspace(-4, 4, 80_001)
    rises = np.sign(np.diff(loss_of("silu", data)(grid[:, None])))
    turns = np.flatnonzero(rises[1:] != rises[:-1])
    (low,), (high,) = (grid[1:-1][turns[rises[turns + 1] == sign]] for sign in (1, -1))
    land = search_weights(silu, data, np.linspace(-3, 3, 25)[:, None])
    assert np.allclose([each.weights[0] for each in land.minima], [low], atol=2e-4)
    near = high - 0.1, high + 0.1
    top = optimize.root_scalar(lambda w: silu.gradient([w], data)[0], bracket=near).root
    assert search_weights(silu, data, [[top]]).outcomes == {"maximum": 1}


def test_what_is_no_minimum_is_told_apart():
    # Separable targets let a sigmoid escape.
    data = LearningSet([[1, 0], [0, 1], [-1, 0], [0, -1]], [1, 1, 0, 0])
    land = search_weights(Neuron("sigmoid"), data, starts(20))
    assert (land.outcomes, land.minima) == ({"escaping": 20}, [])
    assert points("sigmoid", data) == []
    # Three weights, so that the pieces are not enumerated; every example inactive at the start.
    x = np.vstack([np.eye(3), [[1.0, 1, 1]]])
    land = search_weights(Neuron("relu"), LearningSet(x, [1, 2, 3, 6]), [[-1, -1, -1], [1, 1, 1.5]])
    assert land.outcomes == {"flat": 1, "minimum": 1}
    assert np.allclose(land.minima[0].weights, [1, 2, 3])
    # The kink of `test_pieces`, with a third weight that has its own optimum.
    x = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1.0]])
    land = search_weights(Neuron("relu"), LearningSet(x, [-1, 1, 2, 1]), [[0.1, 1.4, 0.9]])
    assert (land.outcomes, land.minima) == ({"kink": 1}, [])


def test_pieces_are_enumerated_where_they_can_be():
    data = oracles.normal_set(3, m=6, d=2)
    for name in ("relu", "leaky_relu"):
        land = search_weights(Neuron(name), data, starts(1))
        assert np.array_equal([each.weights for each in land.minima], points(name, data))
        counts = {kind: land.kinds.count(kind) for kind in land.kinds}
        assert land.outcomes == counts | ({"flat": len(land.flat)} if land.flat else {})


@oracles.each(SMOOTH)
def test_other_searches_find_nothing_else(name):
    for seed in range(3):
        compare_with_blind_search(name, drawn(name, 1, seed)[0])
    for data in drawn(name, 4, seed=1):
        found = points(name, data)
        for point in search_weights(Neuron(name), data, starts(40)).minima:
            gaps = [np.linalg.norm(point.weights - w) for w in found]
            assert min(gaps) < 1e-5 * (1 + np.linalg.norm(point.weights))


@oracles.each(SMOOTH)
def test_newtons_method_with_60_digits_stays_at_every_minimum(name):
    # Far out, between saturated outputs, a minimum in float64 might be one of rounding only.
    phi, first, second = (many_digits(name, order) for order in range(3))
    for data in drawn(name, 8, seed=11):
        for point in points(name, data):
            start = w = mp.matrix([float(each) for each in point])
            with mp.workdps(60):
                for _ in range(7):
                    gradient, hessian = mp.matrix(2, 1), mp.matrix(2, 2)
                    for *row, target in np.column_stack([data.inputs, data.targets]).tolist():
                        column = mp.matrix(row)
                        z = (column.T * w)[0]
                        error, slope = phi(z) - target, first(z)
                        gradient += error * slope * column
                        hessian += (slope**2 + error * second(z)) * column * column.T
                    values = mp.eigsy(hessian, eigvals_only=True)
                    w = w - mp.lu_solve(hessian, gradient)
                assert mp.norm(gradient) < mp.mpf(10) ** -40 * values[1]
                assert values[0] > 0
                assert mp.norm(w - start) < 1e-9 * (1 + mp.norm(start))


@oracles.each(SMOOTH)
def test_the_lowest_minimum_is_below_a_fine_grid(name):
    axis = np.linspace(-4, 4, 161)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    compared = 0
    for data in drawn(name, 6, seed=5, m=7):
        values = loss_of(name, data)(grid)
        if np.abs(grid[values.argmin()]).max() == 4:
            continue  # the infimum lies beyond the grid
        assert float(Neuron(name).loss(points(name, data)[0], data)) <= values.min()
        compared += 1
    assert compared >= 2


@oracles.each(["tanh", "silu"])
def test_more_weights_are_searched_from_random_starts(name):
    (data,) = drawn(name, 1, seed=2, m=12, d=4, noise=0.1)
    found = points(name, data)
    assert np.array_equal(found, points(name, data))
    assert found
    for each in found:
        gradient, hessian = second_differences(loss_of(name, data), each)
        assert np.abs(gradient).max() < 1e-5
        assert np.linalg.eigvalsh(hessian)[0] > 0


@oracles.each(["tanh", "softplus", "elu"])
def test_units_of_the_inputs_do_not_matter(name):
    (data,) = drawn(name, 1, seed=4)
    here = points(name, data)
    assert here
    for scale in (1e-6, 1e5):
        there = points(name, LearningSet(data.inputs * [scale, 1.0], data.targets))
        assert np.shape(there) == np.shape(here), scale
        assert np.allclose(here, np.array(there) * [scale, 1.0], rtol=1e-6), scale


def test_large_small_and_far_targets_are_met():
    # softplus is nearly linear far out, so targets of any size have a neuron that fits.
    x = np.array([[1, 0.2], [0.3, 1], [1, 1], [0.5, 2]])
    for size in (1e-3, 1.0, 1e4):
        w = np.array([1.5, 0.5]) * size
        data = LearningSet(x, Neuron("softplus").output(w, LearningSet(x, np.zeros(4))))
        (found,) = points("softplus", data)
        oracles.agree(f"point {size}", found, w, 1e-6)
    # x₁ and x₂ point nearly the same way: both fit exactly only with |w| ≈ 200, where the two
    # other outputs are saturated at the targets they have.
    x = np.array([[1, 0], [1, 0.01], [0, 1], [1, 1]])
    w = np.array([0.4, 200.0])
    data = LearningSet(x, [*np.tanh(x[:2] @ w), 0.5, 0.7])
    assert min(np.linalg.norm(each - w) for each in points("tanh", data)) < 1e-4
    near = search_weights(Neuron("tanh"), data, starts(20)).minima
    assert all(np.linalg.norm(each.weights - w) > 1 for each in near)


def test_batch_norm_has_the_rays_of_the_scan_and_a_bias_is_one_more_weight():
    for name in ACTIVATIONS:
        neuron = Neuron(name, BatchNorm())
        found = numerical_optima(neuron, TWO_MINIMA, np.random.default_rng(0))
        assert found == scan_directions(neuron, TWO_MINIMA).minima, name
        assert found, name
    x, t = np.array([[-1.0], [0.5], [2.0], [1.0]]), np.array([0.1, 0.6, 0.9, 0.5])
    first = points(Neuron("sigmoid", bias=True), LearningSet(x, t))
    second = points("sigmoid", LearningSet(np.column_stack([x, np.ones(4)]), t))
    assert np.allclose(first, second, rtol=1e-9)


def test_planted_errors_are_caught(monkeypatch):
    compare_with_blind_search("tanh", TWO_MINIMA)
    right = _whitened.WhitenedSearch.minima
    with monkeypatch.context() as patch:
        patch.setattr(_whitened.WhitenedSearch, "minima", lambda self: right(self)[1:])
        with pytest.raises(oracles.Disagreement, match="not in the list"):
            compare_with_blind_search("tanh", TWO_MINIMA)
    monkeypatch.setattr(_whitened, "polish", lambda *_, **__: np.zeros(2))
    monkeypatch.setattr(_whitened.WhitenedSearch, "kind", lambda self, v: "minimum")
    with pytest.raises(oracles.Disagreement, match="is none"):
        compare_with_blind_search("tanh", TWO_MINIMA)


def test_what_cannot_be_searched_is_refused():
    tanh, normalized, rng = Neuron("tanh"), Neuron("tanh", BatchNorm()), np.random.default_rng(0)
    line, two = LearningSet([[1, 2], [2, 4]], [1, 2]), LearningSet([[1, 2, 1], [2, 3, 4]], [1, 2])
    cases = [
        (search_weights, normalized, TWO_MINIMA, [[1, 2]], "^neuron: .*scan_directions"),
        (search_weights, tanh, TWO_MINIMA, [1, 2], "^starts: expected shape"),
        (search_weights, tanh, TWO_MINIMA, [[1, 2, 3]], "^starts: .*with 2 entries"),
        (search_weights, tanh, TWO_MINIMA, [[1, np.nan]], "^starts: entry"),
        (search_weights, tanh, "data", [[1, 2]], "^data: expected a LearningSet"),
        (search_weights, "tanh", TWO_MINIMA, [[1, 2]], "^neuron: expected a Neuron, got str"),
        (search_weights, tanh, line, [[1, 2]], "^inputs: fewer than 2 indep"),
        (search_weights, tanh, two, [[1, 2, 3]], "^inputs: fewer than 3"),
        (numerical_optima, None, TWO_MINIMA, rng, "^neuron: expected a Neuron"),
        (numerical_optima, tanh, None, rng, "^data: expected a LearningSet"),
        (numerical_optima, normalized, oracles.normal_set(0), rng, "^data: the neuron has 3 weigh"),
    ]
    for search, *arguments, message in cases:
        oracles.refused(message, search, *arguments)
    dwarf = LearningSet(np.vstack([np.eye(2) * 2.3e-308, np.zeros((28, 2))]), np.ones(30))
    with np.errstate(all="ignore"):
        oracles.refused("^inputs: the scale is too", _whitened.WhitenedSearch, tanh, dwarf)


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("slope", [1, -1])
def test_where_the_loss_falls_across_an_edge_of_the_grid_there_is_no_minimum(along, slope):
    grid = np.stack(np.meshgrid(np.arange(7.0), np.arange(7.0), indexing="ij"), axis=-1)

    def loss(w, _):
        return slope * w[..., along] + (w[..., 1 - along] - 3) ** 2

    neuron = SimpleNamespace(loss=loss)
    search = SimpleNamespace(neuron=neuron, frame=np.eye(2), data=None, size=1.0)
    assert len(_whitened.WhitenedSearch._lowest(search, grid)) == 0


@oracles.each([(z, side) for z in (-7.6, 0.2, 7.6) for side in (-1, 1)])
def test_far_out_every_preactivation_that_is_not_saturated_is_tried(z, side):
    def loss(w, _):
        return (w[..., 0] - z) ** 2 + np.log(np.maximum(side * w[..., 1], 1e-9) / 400) ** 2

    search = _whitened.WhitenedSearch(Neuron(), LearningSet([[1, 0], [0, 1]], [0, 0]))
    search.neuron, search.frame = SimpleNamespace(loss=loss), np.eye(2)
    search.outputs = np.array([[1.0, 0.0]])
    first, second = search.promising()[0]
    assert abs(first - z) < 0.26
    assert 300 < side * second < 500
