"""Networks in JAX against the single neuron, against BatchNorm, and against written-out NumPy."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnlib
from bn_experiments.networks.network import ACTIVATIONS, Network
from bnlib import BatchNorm, Neuron
from tests.networks.written_out import PHI, disturbed, written_loss, written_out
from tests.oracles import agree, normal_set, refused

NORMS = [None, BatchNorm(), BatchNorm(center=False), BatchNorm(scale=False)]
NORMS += [BatchNorm(gamma=1.7, beta=-0.4, epsilon=0.3)]


@pytest.mark.parametrize("norm", NORMS, ids=repr)
@pytest.mark.parametrize("name", ["identity", "tanh", "softplus", "gelu"])
def test_one_hidden_unit_is_the_neuron(name, norm):
    # The output layer hands the hidden unit on: its weight is 1.
    data = normal_set(3)
    neuron, rng = Neuron(name, norm), np.random.default_rng(0)
    network = Network((data.d, 1, 1), name, False, normalization=(norm, None))
    w = rng.normal(size=data.d)

    def loss(weights):  # without gamma and beta: frozen at those of the norm
        params = [{"weights": weights[:, None]}, {"weights": np.ones((1, 1))}]
        return network.loss(params, data.inputs, data.targets)

    agree("loss", loss(w), neuron.loss(w, data), 1e-13)
    agree("gradient", jax.grad(loss)(w), neuron.gradient(w, data), 1e-11)
    agree("hessian", jax.hessian(loss)(w), neuron.hessian(w, data), 1e-10)


@pytest.mark.parametrize("norm", NORMS[1:], ids=repr)
def test_no_hidden_layer_is_the_linear_neuron(norm):
    data, w = normal_set(4), np.array([0.3, -1.2, 0.7])
    network = Network((data.d, 1), bias=False, normalization=(norm,))
    params = [{"weights": w[:, None]}]
    expected = Neuron(normalization=norm)
    agree("loss", network.loss(params, data.inputs, data.targets), expected.loss(w, data), 1e-13)
    slope = jax.grad(network.loss)(params, data.inputs, data.targets)[0]["weights"][:, 0]
    agree("gradient", slope, expected.gradient(w, data), 1e-11)


# A few shapes only: JAX compiles every operation anew for each.
WIDTHS = [(2, 1), (3, 3), (3, 1, 2), (2, 3, 1), (3, 3, 2, 1), (2, 2, 2, 2, 2)]


@given(
    st.sampled_from(WIDTHS),
    st.sampled_from(sorted(PHI)),
    st.sampled_from(NORMS),
    st.booleans(),
    st.integers(0, 99),
)
def test_forward_is_the_formula(widths, name, norm, bias, seed):
    # A hidden unit could be constant only if all of its inputs were.
    network = Network(widths, name, bias, normalization=norm)
    x = np.random.default_rng(seed).normal(0.4, 1.0, (8, widths[0]))
    params = disturbed(network, seed)[0]
    agree("outputs", network.forward(params, x), written_out(network, params, x), 1e-9)


def test_losses_are_means_over_the_examples():
    # Squared residuals are summed over the outputs; cross-entropy is minus the log probability.
    for objective in ("squared", "cross-entropy"):
        network = Network((3, 4, 3), "softplus", objective=objective)
        params, rng = disturbed(network, 0)
        x, t = rng.normal(size=(6, 3)), rng.dirichlet(np.ones(3), 6)
        agree("loss", network.loss(params, x, t), written_loss(network, params, x, t), 1e-13)
    assert network.run(params, np.eye(3, dtype=int)).incoming[0].dtype == float


@pytest.mark.parametrize("norm", [None, BatchNorm()], ids=repr)
def test_signals_are_derivatives_with_respect_to_each_preactivation(norm):
    network = Network((3, 2, 1), normalization=norm)
    data, params = normal_set(2), disturbed(network, 3)[0]
    signals = network.signals(params, data.inputs, data.targets)
    for layer, (i, u) in ((0, (4, 1)), (1, (2, 0))):
        shifts = [np.zeros((data.m, k)) for k in network.widths[1:]]
        h, values = 1e-5, []
        for step in (h, -h):
            shifts[layer][i, u] = step
            values.append(float(network.loss(params, data.inputs, data.targets, shifts)))
        slope = (values[0] - values[1]) / (2 * h)
        size = float(np.abs(signals[layer]).max())
        agree("signal", signals[layer][i, u], slope, 1e-8, size)  # h² and eps / h: 1e-10
    if norm is None:
        slopes = jax.grad(network.loss)(params, data.inputs, data.targets)
        for of_layer, signal in zip(slopes, signals, strict=True):
            agree("sum of signals", signal.sum(axis=0), of_layer["bias"], 1e-12)


def test_parameters_are_those_the_normalization_leaves_and_weights_depend_on_seed_and_widths():
    norms = (BatchNorm(), BatchNorm(center=False), BatchNorm(scale=False), None)
    network = Network((2, 2, 2, 2, 2), bias=(True, True, True, False), normalization=norms)
    names = [" ".join(sorted(layer)) for layer in network.initialize(0)]
    assert names == ["beta gamma weights", "bias gamma weights", "beta weights", "weights"]
    widths = (4, 3, 2)
    one = Network(widths).initialize(5)
    other = Network(widths, "gelu", False, "cross-entropy", BatchNorm()).initialize(5, scale=2.0)
    for a, b in zip(one, other, strict=True):
        agree("weights", b["weights"], 2 * np.asarray(a["weights"]), 1e-15)
    wide = Network((100, 200)).initialize(0)[0]["weights"]
    assert abs(float(np.var(wide)) * 100 - 1) < 5 * np.sqrt(2 / wide.size)


WRONG = [
    ({"widths": (2,)}, "widths: need inputs and outputs"),
    ({"widths": (2, 0)}, "widths: must be at least 1"),
    ({"activation": "wave"}, "activation: 'wave' is unknown; use one of identity"),
    ({"objective": "hinge"}, "objective: 'hinge' is unknown"),
    ({"normalization": (None,)}, "normalization: has 1 entries for 2 layers"),
    ({"normalization": "batch"}, "normalization: must be a BatchNorm"),
    ({"bias": (True,)}, "bias: has 1 entries for 2 layers"),
    ({"bias": "yes"}, "bias: must be True or False"),
]


def test_what_is_wrong_is_refused_and_not_nan():
    for change, message in WRONG:
        refused(f"^{message}", Network, **{"widths": (2, 3, 1)} | change)
    network = Network((2, 3, 1))
    params, x = network.initialize(0), np.eye(2)
    unbiased = [{"weights": params[0]["weights"]}, params[1]]
    wrong = [
        (lambda: network.forward(params, np.ones((4, 3))), r"inputs: expected shape \(m, 2\)"),
        (lambda: network.forward(params[:1], x), "params: 1 layers for 2"),
        (lambda: network.forward(params[::-1], x), "params: layer 0 has weights"),
        (lambda: network.forward(unbiased, x), "params: layer 0 needs a bias"),
        (lambda: Network((2, 3, 1), bias=False).forward(params, x), "params: layer 0 cannot have"),
        (lambda: network.loss(params, x, np.ones((2, 2))), "targets: expected shape"),
        (lambda: network.initialize(-1), "seed: must be at least 0"),
    ]
    for call, message in wrong:
        refused(f"^{message}", call)
    network = Network((2, 1), normalization=(BatchNorm(),))
    params = [{"weights": np.zeros((2, 1)), "gamma": np.ones(1), "beta": np.zeros(1)}]
    refused("^outputs: not finite; a unit may be constant", network.forward, params, np.eye(2))
    refused("^loss: not finite", lambda: network.loss(params, np.eye(2), np.ones(2)))


def test_bnlib_loads_jax_on_request_only():
    before = "import bnlib, sys; assert 'jax' not in sys.modules"
    after = "import bn_experiments.networks.network, jax"
    check = "assert jax.numpy.ones(1).dtype == 'float64'"
    code = f"{before}; {after}; {check}"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_activations_are_those_of_the_neuron():
    z = np.linspace(-4, 4, 41)
    for name in set(ACTIVATIONS) & set(bnlib.activations.ACTIVATIONS):
        agree(name, ACTIVATIONS[name](z), bnlib.activation(name).value(z), 1e-14)
