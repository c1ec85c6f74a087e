"""Mini-batches against another enumeration, JAX, sampling and the identities they obey."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import bnlib
from bn_experiments import probability
from bn_experiments.variants import MiniBatchNeuron
from bnlib import BatchNorm, LearningSet, Neuron
from tests import oracles
from tests.search.test_errors import badly_scaled, compare_turns, exact_loss

BN = Neuron(normalization=BatchNorm())
SIX = LearningSet([[3, 0], [1, 3], [1, 1], [4, 0], [4, 4], [0, 2]], [0, 1, 3, 5, 6, -3])
NEURONS = [
    Neuron("tanh", BatchNorm(gamma=1.4, beta=0.3, epsilon=0.2)),
    Neuron("softplus", BatchNorm(center=False, beta=-0.5)),
    Neuron("sigmoid", BatchNorm(scale=False)),
    Neuron("gelu", bias=True),
]


def by_masks(m, b):
    """Return all subsets of size b, found among all 0/1 masks."""
    masks = (mask for mask in product((0, 1), repeat=m) if sum(mask) == b)
    return [[i for i in range(m) if mask[i]] for mask in masks]


def with_replacement(m, b):
    """Return what a wrong enumeration would use: draws that put examples back."""
    return [list(rows) for rows in product(range(m), repeat=b) if len(set(rows)) > 1]


def compare(found, batches):
    """Compare with the mean over some batches of a loss that JAX differentiates."""
    neuron, data = found.neuron, oracles.normal_set(21, m=6, d=2)
    w, rows = np.array([0.7, -1.1, 0.4])[: 2 + neuron.bias], np.array(batches)
    phi = oracles.jax_activations()[str(neuron.activation)]
    import jax

    def mean(v):
        def of_batch(x, t):
            batch = SimpleNamespace(inputs=x, targets=t, d=2)
            return oracles.forward(jax.numpy, phi, neuron, v, batch)

        return jax.vmap(of_batch)(data.inputs[rows], data.targets[rows]).mean()

    expected = dict(zip(("loss", "gradient"), jax.value_and_grad(mean)(w), strict=True))
    for name, value in expected.items():
        # A derivative that vanishes, as for batches of two, is rounding of the size of the loss.
        size_of = max(float(np.abs(value).max()), float(expected["loss"]))
        oracles.agree(name, getattr(found, name)(w, data), value, 1e-11, size_of)


@pytest.mark.parametrize(
    ("neuron", "size"),
    [(BN, 2), (BN, 3), (BN, 6), *zip(NEURONS, (3, 5, 2, 4), strict=True)],
    ids=repr,
)
def test_the_mean_over_all_batches_against_jax(neuron, size):
    compare(MiniBatchNeuron(neuron, size), by_masks(6, size))


def test_a_wrong_enumeration_is_caught_in_the_oracle_and_in_the_library():
    class Planted(MiniBatchNeuron):
        def batches(self, data):
            return np.array(with_replacement(data.m, self.size))

    found = MiniBatchNeuron(NEURONS[0], 3)
    for planted in (with_replacement(6, 3), by_masks(6, 3)[1:], by_masks(6, 2)):
        with pytest.raises(oracles.Disagreement):
            compare(found, planted)
    with pytest.raises(oracles.Disagreement):
        compare(Planted(NEURONS[0], 3), by_masks(6, 3))
    compare(Planted(NEURONS[0], 3), with_replacement(6, 3))
    compare(found, by_masks(6, 3))


def test_shuffled_epochs_have_this_loss_in_the_mean():
    """An epoch splits a shuffled learning set; its mean loss estimates the expected one."""
    rng = np.random.default_rng(5)
    data, w = oracles.normal_set(22, m=8, d=2), np.array([0.4, 1.2])
    losses = []
    for _ in range(2000):
        rows = rng.permutation(8).reshape(4, 2)
        batches = [LearningSet(data.inputs[i], data.targets[i]) for i in rows]
        losses.append(np.mean([oracles.plain_loss(BN, each)(w) for each in batches]))
    estimate = probability.Estimate.of_mean(np.sum(losses), np.sum(np.square(losses)), len(losses))
    assert abs(estimate.z_score(float(MiniBatchNeuron(BN, 2).loss(w, data)))) < 4


@given(oracles.well_conditioned(3, 2), st.integers(0, 10_000), st.integers(1, 4))
def test_where_batches_change_nothing(data, seed, size):
    """Nothing at all with the full batch; nothing but rounding without normalization."""
    w = np.random.default_rng(seed).normal(size=(3, data.d))
    plain = Neuron("tanh")
    full, small = MiniBatchNeuron(BN, data.m), MiniBatchNeuron(plain, min(size, data.m))
    for name in ("loss", "gradient"):
        assert np.array_equal(getattr(full, name)(w, data), getattr(BN, name)(w, data))
        whole = getattr(plain, name)(w, data)
        oracles.agree(name, getattr(small, name)(w, data), whole, 1e-11)


def test_the_loss_is_the_stated_mean_of_covariances():
    """γ² + mean (t − β)² − 2γ times the mean of cov_B(y, t) / std_B(y)."""
    gamma, beta, w = -1.7, 0.6, np.array([1.0, -0.4])
    y, t = SIX.inputs @ w, SIX.targets
    for b in (2, 3, 4, 5, 6):
        score = np.mean([np.cov(y[i], t[i], ddof=0)[0, 1] / y[i].std() for i in by_masks(6, b)])
        neuron = Neuron(normalization=BatchNorm(gamma=gamma, beta=beta))
        stated = gamma**2 + np.mean((t - beta) ** 2) - 2 * gamma * score
        assert MiniBatchNeuron(neuron, b).loss(w, SIX) == pytest.approx(stated, rel=1e-13)


def blind_rays(data, size, gamma=1.0, count=7200):
    """Return the angles of the local minima of the loss on a fine grid, without derivatives."""
    angles = 2 * np.pi * np.arange(count) / count
    w = np.stack([np.cos(angles), np.sin(angles)])
    score = np.zeros(count)
    for rows in by_masks(data.m, size):
        y, t = data.inputs[rows] @ w, data.targets[rows]
        y = y - y.mean(axis=0)
        score += gamma * (t @ y) / np.sqrt((y**2).mean(axis=0))
    lower = (-score < np.roll(-score, 1)) & (-score < np.roll(-score, -1))
    return angles[lower]


@pytest.mark.parametrize("size", [3, 4, 5, 6])
@pytest.mark.parametrize("gamma", [1.0, -2.0])
def test_rays_are_those_of_a_blind_scan(size, gamma):
    counts = set()
    for data in [SIX, *(oracles.normal_set(seed, m=6, d=2) for seed in range(5))]:
        neuron = MiniBatchNeuron(Neuron(normalization=BatchNorm(gamma=gamma, beta=0.4)), size)
        found = neuron.optima(data)
        angles = [np.arctan2(*ray.direction[::-1]) % (2 * np.pi) for ray in found]
        expected = blind_rays(data, size, gamma)
        assert len(found) == len(expected)
        assert len(found) % 2 == 1  # the loss is an odd function of the direction, up to a constant
        assert np.allclose(sorted(angles), expected, atol=1.01 * np.pi / 3600)
        losses = [float(neuron.loss(ray.direction, data)) for ray in found]
        assert losses == sorted(losses)
        counts.add(len(found))
    assert size > 3 or len(counts) > 1  # the sets include some with several rays


@settings(max_examples=15)
@given(oracles.well_conditioned(2, 2), st.integers(3, 5))
def test_on_an_exact_fit_every_batch_size_has_the_same_ray(data, size):
    size, v = min(size, data.m), np.array([1.5, -0.5])
    for rows in by_masks(data.m, size):
        x = data.inputs[rows] - data.inputs[rows].mean(axis=0)
        singular = np.linalg.svd(x, compute_uv=False)
        assume(singular[1] > 1e-2 * singular[0])
    (ray,) = MiniBatchNeuron(BN, size).optima(data.with_targets(data.inputs @ v + 2.0))
    assert bnlib.angle(ray.direction, v) < 1e-7


@pytest.mark.parametrize("size", [3, 5])
def test_rays_have_a_minimum_within_their_error(size, monkeypatch):
    def compare(data, beta):
        one = Neuron(normalization=BatchNorm(gamma=1.5, beta=beta))
        batches = [LearningSet(data.inputs[i], data.targets[i]) for i in by_masks(6, size)]
        losses = [exact_loss(one, each) for each in batches]
        rays = MiniBatchNeuron(one, size).optima(data)
        return max(compare_turns(lambda w: sum(f(w) for f in losses), ray) for ray in rays)

    rng = np.random.default_rng(1)
    sets = [badly_scaled(oracles.normal_set(seed, m=6, d=2), rng) for seed in range(8)]
    assert np.median([compare(each, 0.3) for each in sets]) < 1e-12
    far = LearningSet(SIX.inputs, SIX.targets + 1e5)
    assert compare(far, 1e5) > 1e-12
    # As if every sign of the slope were certain.
    monkeypatch.setattr(MiniBatchNeuron, "slope_rounding", lambda _, w, *__: 0 * w[..., :1])
    with pytest.raises(oracles.Disagreement, match="no minimum within"):
        compare(far, 1e5)


def test_single_examples_are_allowed_where_they_have_a_value():
    w = np.array([0.3, 0.2])
    positive = MiniBatchNeuron(Neuron(normalization=BatchNorm(epsilon=0.1, beta=1.0)), 1)
    assert positive.loss(w, SIX) == pytest.approx(np.mean((SIX.targets - 1) ** 2))
    signs = MiniBatchNeuron(Neuron(normalization=BatchNorm(center=False)), 1)
    expected = np.mean((np.sign(SIX.inputs @ w) - SIX.targets) ** 2)
    assert signs.loss(w, SIX) == pytest.approx(expected)


def test_batches_are_all_subsets_unless_too_many_and_a_constant_one_is_named():
    of_one, of_two, of_three, of_five = (MiniBatchNeuron(BN, size) for size in (1, 2, 3, 5))
    data = oracles.normal_set(1, m=30, d=2)
    told = "data: 30 examples have 142506 batches of 5, more than"
    oracles.refused(told, of_five.loss, [1.0, 2.0], data)
    oracles.refused("size: batches of 7 cannot be drawn", MiniBatchNeuron(BN, 7).batches, SIX)
    for size in (1, 2, 4, 6):
        rows = MiniBatchNeuron(Neuron(), size).batches(SIX)
        assert rows.tolist() == sorted(by_masks(6, size))
    assert np.isfinite(of_three.loss([1.0, 2.0], data))  # 4060 batches
    data = LearningSet([[1, 0], [2, 2], [1, 0], [3, 1]], [1, 2, 3, 4])
    assert np.isfinite(of_three.loss([0.3, 0.7], data))
    for neuron, batch in ((of_two, "0, 2"), (of_one, "0")):
        told = rf"batch of the examples \[{batch}\]: weights: .* constant"
        oracles.refused(told, neuron.loss, [0.3, 0.7], data)
    other = LearningSet([[1, 0], [2, 2], [5, 1], [1, 3]], [1, 2, 3, 4])
    oracles.refused(r"batch of the examples \[1, 3\]", of_two.gradient, [1.0, 1.0], other)


def test_what_has_no_rays_is_refused():
    cases = [
        (BN, 0, SIX, "size: must be at least 1"),
        (BN, 2.0, SIX, "size: must be a whole number"),
        ("BN", 3, SIX, "neuron: expected a Neuron"),
        (Neuron("tanh", BatchNorm()), 3, SIX, "neuron: rays are searched for the identity"),
        (Neuron(), 3, SIX, "neuron: its loss depends on the length"),
        (Neuron(bias=True), 3, SIX, "directions are scanned for 2"),
        (Neuron(normalization=BatchNorm(epsilon=1e-5)), 3, SIX, "neuron: its loss depends on the"),
        (Neuron(normalization=BatchNorm(gamma=0.0)), 3, SIX, "neuron: the loss is the same in all"),
        (BN, 3, oracles.normal_set(2, m=6, d=3), "data: .* directions are scanned for 2"),
        (BN, 3, SIX.with_targets(np.ones(6)), "the same in all directions"),
        (BN, 3, LearningSet([[0, 0], [1, 1], [2, 2], [0, 1]], [1, 2, 4, 5]), r"\[0, 1, 2\] are co"),
        (BN, 3, "six", "expected a LearningSet"),
    ]
    for neuron, size, data, words in cases:
        oracles.refused(words, lambda n, s, d: MiniBatchNeuron(n, s).optima(d), neuron, size, data)
