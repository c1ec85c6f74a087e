"""What the chapter says of ε, γ and β, on other learning sets than its own."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import bnlib
from bn_experiments import probability
from bnlib import BatchNorm, Neuron
from tests import oracles

CHAPTER = Path(__file__).resolve().parents[2] / "chapters" / "variants.ipynb"
positive = st.floats(0.05, 20.0)


def spread(data):
    """Return the slope of least squares with intercept and the spread of its fitted values."""
    design = np.column_stack([data.inputs, np.ones(data.m)])
    u = np.linalg.lstsq(design, data.targets, rcond=None)[0][:-1]
    return np.asarray(u, dtype=np.float64), float(np.std(data.inputs @ u))


@given(oracles.well_conditioned(3), positive, positive, st.integers(0, 1000))
def test_the_loss_with_epsilon_is_that_of_centring_alone_at_another_place(
    data, gamma, epsilon, seed
):
    rng = np.random.default_rng(seed)
    w, beta, sign = rng.normal(size=data.d), rng.normal(), rng.choice([-1.0, 1.0])
    norm = BatchNorm(gamma=sign * gamma, beta=beta, epsilon=epsilon)
    v = sign * gamma * w / np.sqrt(np.var(data.inputs @ w) + epsilon)
    assert np.std(data.inputs @ v) < gamma
    centring = Neuron(normalization=BatchNorm(scale=False, beta=beta))
    expected = float(centring.loss(v, data))
    oracles.agree("loss", Neuron(normalization=norm).loss(w, data), expected, 1e-10)


@given(oracles.well_conditioned(3, 2), st.floats(0.05, 0.95), st.sampled_from([1e-5, 1e-2, 1.0]))
def test_below_the_threshold_one_point_above_it_none(data, ratio, epsilon):
    u, size = spread(data)
    for sign in (1.0, -1.0):
        norm = BatchNorm(gamma=sign * size / ratio, beta=2.0, epsilon=epsilon)
        (point,) = bnlib.closed_form.linear_optima(data, norm)
        expected = sign * np.sqrt(epsilon) / np.sqrt((size / ratio) ** 2 - size**2) * u
        oracles.agree("point", point.weights, expected, 1e-7)
        above = BatchNorm(gamma=sign * size * ratio, epsilon=epsilon)
        assert bnlib.closed_form.linear_optima(data, above) == []


@given(oracles.well_conditioned(3, 2), st.floats(0.01, 50.0), st.sampled_from([0.0, 1e-5, 1.0]))
def test_trained_parameters_make_every_length_optimal(data, k, epsilon):
    """Loss and all derivatives at (k û, γ(k), t̄): those of least squares with intercept."""
    u, size = spread(data)
    gamma, beta = np.sqrt(size**2 + epsilon / k**2), data.mean_target

    def loss(gamma, beta):
        norm = BatchNorm(gamma=gamma, beta=beta, epsilon=epsilon)
        return float(Neuron(normalization=norm).loss(k * u, data))

    design = np.column_stack([data.inputs, np.ones(data.m)])
    fit = design @ np.linalg.lstsq(design, data.targets, rcond=None)[0]
    scale = float(np.mean(data.targets**2))
    oracles.agree("loss", loss(gamma, beta), np.mean((fit - data.targets) ** 2), 1e-9, scale)
    neuron = Neuron(normalization=BatchNorm(gamma=gamma, beta=beta, epsilon=epsilon))
    assert k * np.linalg.norm(neuron.gradient(k * u, data)) < 1e-8 * scale
    h = 1e-4
    assert loss(gamma, beta) <= min(loss(gamma * (1 + h), beta), loss(gamma * (1 - h), beta))
    assert loss(gamma, beta) <= min(loss(gamma, beta + h), loss(gamma, beta - h))


def test_in_the_limit_of_small_epsilon_the_lemma_fails_almost_always():
    """The share of starts at which it holds goes down tenfold where ε goes down by 10⁴."""
    data = bnlib.counterexample()
    quarter, law = data.with_targets(data.targets / 4), probability.Gaussian()
    # The leading term is 2^(1/4) Γ(3/4) / π √(ℓ sin θ). The interval of ⟨W₀, e⟩ is centred at
    # ℓ cos θ, not at 0, which adds at most 2 φ(0) P(z′ > 0) ℓ cos θ < ℓ / 2.
    for epsilon in (1e-4, 1e-8):
        optima = bnlib.closed_form.linear_optima(quarter, BatchNorm(epsilon=epsilon))
        rng, stars = np.random.default_rng(2), Neuron().optima(quarter)
        share = probability.simulate(law, stars, optima, 400_000, rng).violated
        length = np.linalg.norm(optima[0].weights)
        leading = 0.463868 * np.sqrt(length * np.sin(np.arctan(2 / 9)))
        assert abs(1 - share.value - leading) < 4 * share.standard_error + length / 2


def test_numbers_typed_in_the_chapter_are_the_computed_ones():
    notebook = json.loads(CHAPTER.read_text(encoding="utf-8"))
    text = json.dumps(notebook, ensure_ascii=False)
    size = spread(bnlib.counterexample())[1]
    assert f"about {size:.2f}" in text
    assert rf"\\rho\\tau\\approx{size:.2f}" in text
    assert size > 1 > size / 4  # void with t, a point with t/4
