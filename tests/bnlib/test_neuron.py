"""The neuron: loss, gradient and Hessian against three oracles, and the identities they obey."""

import itertools

import numpy as np
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments import exact
from bnlib import Activation, BatchNorm, LearningSet, Neuron, counterexample
from bnlib.activations import ACTIVATIONS
from tests import oracles

NORMALIZATIONS = {
    "none": None,
    "full": BatchNorm(),
    "centre": BatchNorm(scale=False),
    "scale": BatchNorm(center=False),
    "affine": BatchNorm(gamma=1.7, beta=-0.4),
    "flipped": BatchNorm(gamma=-0.8, beta=0.3),
    "epsilon": BatchNorm(epsilon=0.3),
    "scale-epsilon": BatchNorm(center=False, gamma=-1.2, beta=0.2, epsilon=0.5),
    "affine-only": BatchNorm(center=False, scale=False, gamma=2.5, beta=0.1),
}
NEURONS = {
    f"{name}-{norm}{'-bias' if bias else ''}": Neuron(name, NORMALIZATIONS[norm], bias)
    for name, norm, bias in itertools.product(ACTIVATIONS, NORMALIZATIONS, (False, True))
    if not bias or norm in ("none", "scale", "scale-epsilon")
}
# Every activation meets every half of batch norm; two of them meet every variant as well.
AGAINST_JAX = {
    key: neuron
    for key, neuron in NEURONS.items()
    if neuron.activation in ("identity", "tanh")
    or key.split("-", 1)[1] in ("none", "full", "centre", "scale", "scale-epsilon-bias")
}
AGAINST_SYMPY = [
    *itertools.product(ACTIVATIONS, ["none", "full"]),
    *itertools.product(["identity", "tanh"], ["scale", "flipped", "scale-epsilon"]),
]
METHODS = ("loss", "gradient", "hessian")
every_neuron = oracles.each(NEURONS)
invariant = oracles.each(
    {
        key: NEURONS[key]
        for key in ("identity-full", "tanh-flipped", "softplus-scale", "gelu-affine")
    }
)


def weights(neuron, data, *batch):
    return np.random.default_rng(5).normal(size=(*batch, data.d + neuron.bias))


def same(neuron, w, data, other, tolerance):
    """Compare loss, gradient and Hessian on two learning sets."""
    for method in METHODS:
        before, after = (getattr(neuron, method)(w, each) for each in (data, other))
        oracles.agree(method, after, before, tolerance)


@oracles.each(AGAINST_JAX)
def test_a_batch_of_weights_agrees_with_automatic_differentiation(neuron):
    data = oracles.normal_set(1)
    oracles.compare_with_jax(neuron, weights(neuron, data, 2, 2), data)


@every_neuron
def test_derivatives_agree_with_differences(neuron):
    data = oracles.normal_set(2)
    for seed in range(3):
        oracles.compare_with_differences(neuron, weights(neuron, data), data, seed)


@oracles.each(AGAINST_SYMPY)
def test_a_rational_point_agrees_with_sympy(case):
    neuron = Neuron(case[0], NORMALIZATIONS[case[1]])
    oracles.compare_with_sympy(neuron, [sp.Rational(3, 2), 1], exact.counterexample())


@every_neuron
def test_a_batch_is_its_rows_and_shapes_follow_the_weights(neuron):
    data = oracles.normal_set(3, m=5, d=2)
    batch = weights(neuron, data, 2, 3)
    for name in ("output", *METHODS):
        method = getattr(neuron, name)
        together = method(batch, data)
        for index in np.ndindex(2, 3):
            oracles.agree(name, together[index], method(batch[index], data), 1e-13)
        assert method(np.zeros((0, batch.shape[-1])), data).shape[0] == 0
    norm = neuron.normalization
    for m, d in ((1, 1), (2, 1), (1, 3), (4, 4)):
        data = oracles.normal_set(4, m, d)
        w, k = weights(neuron, data), d + neuron.bias
        if m == 1 and norm is not None and norm.center and norm.scale and not norm.epsilon:
            oracles.refused("constant over the examples", neuron.loss, w, data)
            continue
        shapes = {"output": (m,), "loss": (), "gradient": (k,), "hessian": (k, k)}
        for name, shape in shapes.items():
            assert np.shape(getattr(neuron, name)(w, data)) == shape, (name, m, d)


@invariant
@given(data=oracles.well_conditioned(), draw=st.data())
def test_batch_norm_does_not_see_the_length_of_the_weights(neuron, data, draw):
    w = draw.draw(oracles.vectors(data.d))
    loss, gradient = neuron.loss(w, data), neuron.gradient(w, data)
    for k in (3.7, 1e-150, 1e150):
        oracles.agree("loss", neuron.loss(k * w, data), loss, 1e-10)
        oracles.agree("gradient", neuron.gradient(k * w, data) * k, gradient, 1e-8, size(neuron, w))


@invariant
@given(data=oracles.well_conditioned(min_d=2), draw=st.data())
def test_euler_relations_of_a_scale_invariant_loss(neuron, data, draw):
    # L̂ is homogeneous of degree 0: ⟨∇L̂, w⟩ = 0. ∇L̂ is so of degree −1: ∇²L̂ w = −∇L̂.
    w = draw.draw(oracles.vectors(data.d))
    gradient, hessian = neuron.gradient(w, data), neuron.hessian(w, data)
    length = float(np.linalg.norm(w))
    oracles.agree("orthogonal", gradient @ w / length, 0.0, 1e-10, size(neuron, w))
    oracles.agree("degree −1", hessian @ w, -gradient, 1e-9, size(neuron, w))


def size(neuron, w):
    """Return the order of magnitude of a BN gradient on quarters up to 5, away from zeros."""
    gamma = abs(neuron.normalization.gamma) if neuron.normalization else 1.0
    return 10 * gamma / float(np.linalg.norm(w))


@oracles.each(itertools.product(ACTIVATIONS, ("full", "centre", "epsilon")))
def test_centring_does_not_see_a_shift_of_the_inputs(case):
    data = oracles.normal_set(6)
    shifted = LearningSet(data.inputs + [3.0, -2.0, 0.5], data.targets)
    same(NEURONS["-".join(case)], weights(Neuron(), data, 4), data, shifted, 1e-12)


@every_neuron
def test_examples_have_no_order_and_no_double_weight(neuron):
    data = oracles.normal_set(7, m=5)
    order = [3, 0, 4, 1, 2] * 2  # every example twice: means do not change
    twice = LearningSet(data.inputs[order], data.targets[order])
    w = weights(neuron, data, 3)
    same(neuron, w, data, twice, 1e-12)
    hessian = neuron.hessian(w[0], data)
    oracles.agree("symmetry", hessian, hessian.T, 1e-13)


@oracles.each([1e-150, 1e150])
def test_the_loss_scales_with_its_units(size):
    data, w, neuron = counterexample(), np.array([2.0, 3.0]), Neuron()
    scaled = LearningSet(data.inputs, data.targets * size)
    for method, factor in (("loss", size), ("gradient", 1.0)):
        now = getattr(neuron, method)(w * size, scaled) / factor
        oracles.agree(method, now, getattr(neuron, method)(w, data) * size, 1e-13)
    inputs = LearningSet(data.inputs * size, data.targets)
    for norm in (BatchNorm(), BatchNorm(center=False)):
        same(Neuron("tanh", norm), w, data, inputs, 1e-12)


@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(2, 9), st.booleans())
def test_equal_examples_are_refused_whatever_the_weights(seed, m, d, cancelling):
    rng = np.random.default_rng(seed)
    row, w = rng.normal(size=(2, d))
    if cancelling:  # then all pre-activations are rounding errors of a sum that is 0
        w -= row * (row @ w) / (row @ row)
    data = LearningSet(np.tile(row, (m, 1)), rng.normal(size=m))
    oracles.refused("constant over the examples", NEURONS["identity-full"].gradient, w, data)


def test_an_activation_can_be_brought_along():
    square = Activation("square", np.square, lambda z: 2 * z, lambda z: np.full_like(z, 2.0))
    data = oracles.normal_set(9)
    for norm in (None, BatchNorm(gamma=0.6, beta=0.2)):
        oracles.compare_with_differences(Neuron(square, norm), np.ones(3), data, 1)
    oracles.refused("activation: .*'square'", lambda: Neuron(square).optima(data))
