"""The minima of ReLU-like neurons: by hand, against blind minimization, and as a complete list."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from bn_experiments.search import pieces, search_weights
from bnlib import Activation, LearningSet, Neuron, counterexample
from bnlib.activations import ACTIVATIONS
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.oracles.plain import PHI, loss_of, ring

RELU, LEAKY = Neuron("relu"), Neuron("leaky_relu")
SLOPES = {"identity": (1.0, 1.0), "relu": (0.0, 1.0), "leaky_relu": (0.01, 1.0)}
KINKED = st.sampled_from(["relu", "leaky_relu"])
BENT = LearningSet([[1, 0], [0, 1], [1, 1]], [-1, 1, 2])  # ReLU has a minimum at a kink


def minima_of(neuron, data):
    return search_weights(neuron, data, [[0, 0]])  # the start plays no part


@st.composite
def quarters(draw):
    """Draw a set of quarters, among them repeated, opposite and zero inputs and targets."""
    quarter, m = st.integers(-12, 12).map(lambda n: n / 4), draw(st.integers(2, 7))
    x = np.array(draw(st.lists(st.tuples(quarter, quarter), min_size=m, max_size=m)))
    if np.linalg.matrix_rank(x) < 2:
        x[0], x[1] = (1, 0), (0, 1)
    return LearningSet(x, draw(st.lists(quarter, min_size=m, max_size=m)))


def is_strict(name, data, w):
    """Return whether the loss is larger all around, at two small distances.

    The difference of two losses is the mean of (φ − φ₀)(φ + φ₀ − 2t), and φ − φ₀ on one piece is
    its slope times the step: so nothing cancels, and curvatures of 10⁻⁶ show.
    """
    phi, slopes, size = PHI[name], SLOPES[name], max(float(np.linalg.norm(w)), 1.0)
    z = data.inputs @ w
    z[np.abs(z) < 1e-14 * size * np.abs(data.inputs).max()] = 0.0
    for radius in (1e-5 * size, 1e-6 * size):
        step = ring(np.zeros(2), radius) @ data.inputs.T
        same = z * (z + step) > 0
        change = np.where(same, np.where(z > 0, *slopes[::-1]) * step, phi(z + step) - phi(z))
        if not ((change * (change + 2 * (phi(z) - data.targets))).mean(axis=1) > 0).all():
            return False
    return True


def in_flat(found, w, value):
    angle = np.arctan2(w[1], w[0])
    return any(
        abs(each.loss - value) < 1e-7 * (1 + value)
        and (angle - each.begin + 1e-4) % (2 * np.pi) <= each.end - each.begin + 2e-4
        for each in found.flat
    ) or bool(found.flat and np.linalg.norm(w) < 1e-4)


def compare_with_blind_search(name, data, seed):
    """Minimize without derivatives from many starts: each end must be listed, or no minimum."""
    found, loss = minima_of(Neuron(name), data), loss_of(name, data)
    options = {"xatol": 1e-10, "fatol": 1e-15}
    for start in 3 * np.random.default_rng(seed).standard_normal((12, 2)):
        w = start
        for _ in range(3):  # restarts, because the simplex collapses at kinks
            w = optimize.minimize(loss, w, method="Nelder-Mead", options=options).x
        size = 1 + np.linalg.norm(w)
        if any(np.linalg.norm(w - each.weights) < 1e-5 * size for each in found.minima):
            continue
        lower = min(loss(ring(w, r * size)).min() for r in (1e-5, 1e-4, 1e-3, 1e-2))
        stuck = lower < loss(w) - 1e-9 * (1 + loss(w))
        if not stuck and not in_flat(found, w, float(loss(w))):
            raise oracles.Disagreement(f"minimum: {w} is not in the list")


def compare_minima(name, data):
    """Check that all that is listed is a strict minimum, by increasing loss."""
    found = [each.weights for each in minima_of(Neuron(name), data).minima]
    losses = np.array([loss_of(name, data)(w) for w in found])
    if (np.diff(losses) < -1e-12 * (1 + losses[1:])).any():
        raise oracles.Disagreement(f"loss: {losses} are not in order")
    for w in found:
        if not is_strict(name, data, w):
            raise oracles.Disagreement(f"minimum: {w} is none")


def test_by_hand_the_counterexample_its_plateau_and_its_valley():
    # All pre-activations are positive at W* = (3, 1), where ReLU is the identity.
    for name in SLOPES:
        found = minima_of(Neuron(name), counterexample())
        assert np.allclose([each.weights for each in found.minima], [[3, 1]], rtol=1e-13), name
        assert found.kinds == ["minimum"], name
    # Below both axes nothing is active; between -y and x + y = 0 only (1, 0) is: w₁ = 2.
    plateau, valley = minima_of(RELU, counterexample()).flat
    assert plateau[2:] == ("plateau", pytest.approx(29 / 3))
    assert valley[2:] == ("valley", pytest.approx(25 / 3))
    assert np.allclose(plateau[:2], [np.pi, 1.5 * np.pi])
    assert np.allclose(valley[:2], [1.5 * np.pi, 1.75 * np.pi])
    assert not minima_of(LEAKY, counterexample()).flat


def test_by_hand_a_minimum_at_a_kink_and_one_on_the_border_of_two_pieces():
    # At w = (0, 3/2): ∂L/∂w₁ is 1/3 from the right, where (1, 0) with target -1 is active,
    # and -1/3 from the left, where it is not.
    found = minima_of(RELU, BENT)
    assert np.allclose(found.minima[0].weights, [0, 1.5], atol=1e-15)
    assert found.kinds[0] == "kink"
    assert np.isclose(loss_of("relu", BENT)(found.minima[0].weights), 0.5)
    # The target 0 of (1, 0) is met on its own line, where the loss has no kink.
    data = LearningSet([[1, 0], [0, 1], [1, 1]], [0, 1, 1])
    for neuron in (RELU, LEAKY):
        found = minima_of(neuron, data)
        assert np.allclose(found.minima[0].weights, [0, 1], atol=1e-14)
        assert neuron.loss(found.minima[0].weights, data) < 1e-28
        assert sum(np.allclose(each.weights, [0, 1]) for each in found.minima) == 1


def test_by_hand_where_the_origin_or_a_single_direction_is_a_minimum():
    around = LearningSet([[1, 0], [0, 1], [-1, -1]], [-1, -2, -1])
    found = minima_of(RELU, around)
    assert [tuple(each.weights) for each in found.minima] == [(0.0, 0.0)]
    assert (found.kinds, found.flat) == (["kink"], [])
    # Without the third example nothing is active in a quarter: a plateau, and no strict minimum.
    half = minima_of(RELU, LearningSet(around.inputs[:2], [-1, -2]))
    assert half.minima == []
    assert [each.kind for each in half.flat] == ["plateau"]
    # Leaky ReLU fits them from far away.
    far = minima_of(LEAKY, LearningSet(around.inputs[:2], [-1, -2]))
    assert np.allclose(far.minima[0].weights, [-100, -200])
    # Along (0, -1) every output is 0; to both sides one with a negative target appears.
    data = LearningSet([[1, 0], [-1, 0], [0, 1]], [-1, -1, 2])
    (flat,) = minima_of(RELU, data).flat
    assert flat.begin == flat.end == pytest.approx(1.5 * np.pi)
    assert flat.loss == pytest.approx(2.0)
    assert flat.kind == "plateau"
    data = LearningSet([[1, 0], [0, 1], [-1, -1], [0, 0]], [0, 0, 0, 0])
    for neuron in (RELU, LEAKY, Neuron()):
        (point,) = minima_of(neuron, data).minima
        assert not point.weights.any()


def test_a_tiny_example_with_a_large_target_counts():
    """It adds -(w₁ + w₂)/500 to the sum of squares; by hand the minimum is (0, 1.001)."""
    data = LearningSet([[1, 0], [0, 1], [1e-14, 1e-14]], [-1, 1, 1e11])
    (found,) = minima_of(RELU, data).minima
    oracles.agree("point", found.weights, [0, 1.001], 1e-12)


@given(oracles.well_conditioned(max_d=2, min_d=2))
def test_the_identity_has_the_closed_form(data):
    found = minima_of(Neuron(), data)
    (expected,) = linear_optima(data)
    assert len(found.minima) == 1
    oracles.agree("point", found.minima[0].weights, expected.weights, 1e-9)
    assert not found.flat


@oracles.each(["relu", "leaky_relu"])
def test_blind_search_finds_nothing_else(name):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        data = LearningSet(rng.normal(0.2, 1, (6, 2)), rng.normal(0.3, 1, 6))
        compare_minima(name, data)
        compare_with_blind_search(name, data, seed)


@given(quarters(), KINKED)
def test_on_quarters_minima_are_listed_and_the_lowest_loss_is(data, name):
    compare_minima(name, data)
    found, loss = minima_of(Neuron(name), data), loss_of(name, data)
    listed = [loss(each.weights) for each in found.minima] + [each.loss for each in found.flat]
    grid = np.concatenate([ring(0, r, 360) for r in np.geomspace(1e-3, 1e3, 61)])
    assert min(listed) <= loss(grid).min() + 1e-12


def test_the_end_of_a_valley_is_no_minimum():
    # The loss is 0 for w₁ ≤ 0 and w₂ = −1/4, the end of which is (0, −1/4).
    assert not minima_of(RELU, LearningSet([[0, -1], [1, 0]], [0.25, 0])).minima


@given(quarters(), KINKED, st.integers(-30, 30))
def test_units_do_not_matter(data, name, power):
    # Powers of two, an exchange of the axes and of signs: all exact in float64.
    scale, turn = 2.0**power, np.array([[0, 1], [-1, 0]])
    first = minima_of(Neuron(name), data)
    other = minima_of(Neuron(name), LearningSet(scale * data.inputs @ turn.T, data.targets))
    assert len(first.minima) == len(other.minima)
    assert len(first.flat) == len(other.flat)
    # The sort is by loss, and equal losses can change places.
    there = np.array([scale * each.weights @ turn for each in other.minima]).reshape(-1, 2)
    for point in first.minima:
        gaps = np.linalg.norm(there - point.weights, axis=1)
        assert gaps.min() <= 1e-9 * (1 + np.linalg.norm(point.weights))


def test_a_bias_is_a_weight_and_an_activation_may_be_your_own():
    x, t = np.array([[-1.0], [0.5], [2.0]]), np.array([0.3, 1.0, 2.5])
    with_bias = minima_of(Neuron("relu", bias=True), LearningSet(x, t))
    by_hand = minima_of(RELU, LearningSet(np.column_stack([x, np.ones(3)]), t))
    assert with_bias.minima == by_hand.minima
    assert with_bias.minima

    def value(z):
        return np.where(z > 0, 2 * z, -z)

    def slope(z):
        return np.where(z > 0, 2.0, -1.0)

    mine = Activation("mine", value, slope, np.zeros_like, (-1.0, 2.0))
    data = oracles.normal_set(4, m=6, d=2)
    neuron = Neuron(mine)
    found = minima_of(neuron, data)
    assert found.minima
    for point, kind in zip(found.minima, found.kinds, strict=True):
        around = ring(point.weights, 1e-5)
        assert (neuron.loss(around, data) > neuron.loss(point.weights, data)).all()
        if kind == "minimum":
            assert np.abs(neuron.gradient(point.weights, data)).max() < 1e-13


def test_slopes_are_those_of_the_activations():
    z = np.array([1e-6, 1.0, 1e3])
    for name, each in ACTIVATIONS.items():
        if each.slopes is None:
            bends = [np.ptp(each.derivative(side)) for side in (z, -z)]
            assert max(bends) > 1e-9, name
        else:
            for side, slope in ((-z, each.slopes[0]), (0 * z, 0.0), (z, each.slopes[1])):
                assert np.array_equal(each.value(side), slope * side), name


def test_planted_errors_are_caught(monkeypatch):
    # First, kinks are taken for minima without a look to the sides.
    for part, wrong in (("_rise", lambda *_: 1.0), ("_origin_is_strict", lambda _: True)):
        with monkeypatch.context() as patch:
            patch.setattr(pieces._Pieces, part, wrong)
            with pytest.raises(oracles.Disagreement, match="is none"):
                compare_minima("leaky_relu", oracles.normal_set(2, m=6, d=2))
    monkeypatch.setattr(pieces._Pieces, "_at_ray", lambda *_: None)
    with pytest.raises(oracles.Disagreement, match="not in the list"):
        compare_with_blind_search("leaky_relu", BENT, seed=0)


def test_lines_that_differ_by_rounding_are_one_line_and_one_line_is_refused():
    for inputs in ([[1, 2], [-2, -4]], [[0, 0], [0, 0]]):
        with pytest.raises(ValueError, match="^inputs: all lie on one line"):
            minima_of(RELU, LearningSet(inputs, [1, 2]))
    x = np.array([[1, 3], [0.1, 0.3], [-1 / 3, -1], [2, -1]])
    data = LearningSet(x, [1, 2, -1, 1])
    assert len(pieces._Pieces(x, data.targets, (0.0, 1.0)).angles) == 4
    compare_minima("relu", data)
    compare_minima("leaky_relu", data)
