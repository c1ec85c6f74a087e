"""Batch norm is a bias in other coordinates: a section of `fold`, for any continuous activation."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments.networks import Network, fold, unfold
from bnlib import BatchNorm
from tests.networks.written_out import FORMS, disturbed, flat
from tests.oracles import Disagreement, agree, each, refused


def section(network, seed, size, take=unfold):
    """Take the section at a network near a fold; return how far it and the fold have moved."""
    params, rng = disturbed(network, seed)
    x = rng.normal(0.5, 1.0, (30, network.widths[0]))
    plain, folded = fold(network, params, x)
    back = take(network, params, folded, x)
    agree("the given parameters", flat(back), flat(params), 1e-10)
    wanted = jax.tree.map(lambda p: p + size * rng.uniform(-1, 1, p.shape), folded)
    moved = take(network, params, wanted, x)
    again, refolded = fold(network, moved, x)
    assert again == plain
    agree("the plain parameters", flat(refolded), flat(wanted), 1e-10)
    agree("outputs", network.forward(moved, x), plain.forward(wanted, x), 1e-10)
    return tuple(np.abs(flat(a) - flat(b)).max() for a, b in ((moved, params), (wanted, folded)))


@given(
    st.sampled_from([(2, 2), (1, 2, 2), (2, 2, 2, 2)]),
    st.sampled_from(["relu", "identity", "tanh", "gelu"]),
    st.sampled_from([*FORMS, BatchNorm(center=False, beta=0.3)]),
    st.integers(0, 999),
)
def test_every_plain_network_near_a_fold_is_one_and_of_parameters_near_by(widths, name, norm, seed):
    """So a minimum of one loss is a minimum of the other, whatever continuous φ is."""
    network = Network(widths, name, normalization=norm)
    distances = [section(network, seed, size) for size in (1e-4, 1e-8)]
    (far, first), (close, second) = distances
    assert 0 < second < 1e-7 < first
    assert close < 1e-2 * far


WRONG = {
    "γ̃ = γ in place of γ s̃/s": lambda new, params, plain: {"gamma": params["gamma"]},
    "β̃ with b' alone": lambda new, params, plain: {"beta": plain["bias"]},
    # The same functions from other weights: a section, but through another point.
    "far away": lambda new, params, plain: {"weights": 2 * new["weights"]},
}


@each(WRONG)
def test_an_error_planted_in_the_section_is_caught(change):
    def wrong(network, params, plain, inputs):
        layers = zip(unfold(network, params, plain, inputs), params, plain, strict=True)
        return [new | change(new, *given) for new, *given in layers]

    network = Network((2, 2, 2), "relu", normalization=(BatchNorm(), BatchNorm()))
    section(network, 3, 1e-3)
    with pytest.raises(Disagreement, match="^the (given|plain) parameters"):
        section(network, 3, 1e-3, wrong)


# relu(w x + b) with w, b, the outgoing weight: the loss falls towards b = 0 from both sides,
# where the kink of the example x = 0 is. Its minima: outgoing weight times w = 0.8, b = 0.
KINK = np.array([[-1.0], [0.0], [1.0], [2.0]]), np.array([0.0, -1.0, 1.0, 1.5])
PLAIN = Network((1, 1, 1), "relu", (True, False))


def kink(bias=0.0):
    return [{"weights": [[1.6]], "bias": [bias]}, {"weights": [[0.5]]}]


def arrays(tree):
    return [{key: jax.numpy.asarray(each) for key, each in layer.items()} for layer in tree]


def lowest(network, params, size=1e-3):
    """Return the lowest loss of two thousand neighbours, less that at the parameters."""
    rng, (x, t) = np.random.default_rng(0), KINK
    value = jax.jit(jax.vmap(lambda each: network.loss(each, x, t)))
    many = jax.tree.map(lambda p: p + size * rng.normal(size=(2000, *p.shape)), arrays(params))
    return float(value(many).min() - network.loss(arrays(params), x, t))


@pytest.mark.parametrize("factor", [0.3, 1.0, -2.0])
def test_a_minimum_on_a_kink_is_a_minimum_with_batch_norm_for_every_multiple(factor):
    """The network lemma for ReLU: where no derivative exists, any k ≠ 0, γ of either sign."""
    x, _ = KINK
    network = replace(PLAIN, normalization=(BatchNorm(), None))
    weights = factor * np.array([[1.6]])
    y = x @ weights
    hidden = {"weights": weights, "gamma": y.std(axis=0) / factor, "beta": [1.6 * 0.5]}
    params = arrays([hidden, kink()[1]])
    plain, folded = fold(network, params, x)
    agree("the plain minimum", flat(folded), flat(arrays(kink())), 1e-12)
    assert plain == PLAIN
    assert lowest(PLAIN, kink()) > -1e-12
    assert lowest(network, params) > -1e-12
    # The count can say no: beside the kink neither is a minimum.
    beside = unfold(network, params, arrays(kink(0.1)), x)
    assert lowest(PLAIN, kink(0.1)) < -1e-5
    assert lowest(network, beside) < -1e-5


def test_a_frozen_or_zero_gamma_has_no_section():
    network = Network((2, 2, 1), "relu", normalization=BatchNorm())
    params, rng = disturbed(network, 0)
    x = rng.normal(size=(9, 2))
    _, folded = fold(network, params, x)
    (first, *rest), told = params, "^params: layer 0 needs γ"
    refused(told, unfold, network, [first | {"gamma": 0 * first["gamma"]}, *rest], folded, x)
    for lost in ("gamma", "beta"):
        without = {key: value for key, value in first.items() if key != lost}
        refused(told, unfold, network, [without, *rest], folded, x)


def test_a_layer_without_batch_norm_may_come_before_one_with_it():
    network = Network((2, 2, 2, 1), normalization=(None, BatchNorm(), None))
    assert section(network, 3, 1e-6)[0] < 1e-3


def test_scaling_alone_gives_no_bias():
    network = Network((2, 2, 1), "relu", False, normalization=BatchNorm(center=False))
    params, rng = disturbed(network, 0)
    x = rng.normal(size=(9, 2))
    _, folded = fold(network, params, x)
    agree("weights", flat(unfold(network, params, folded, x)), flat(params), 1e-12)
    folded[0]["bias"] = folded[0]["bias"] + 0.1
    refused("^plain: layer 0 has a bias", unfold, network, params, folded, x)
