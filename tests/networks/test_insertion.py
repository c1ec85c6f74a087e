"""The gradient after an insertion, in closed form, against automatic differentiation.

Learning sets are made for the purpose: the targets are the network's outputs plus a part that
is orthogonal to the derivatives of the outputs. So any parameters become a stationary point,
without training, and with a residual that is not small.

The chapter on networks checks the formula by SymPy, and on the three points.
"""

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from bn_experiments.networks import Network, insertion, network
from bn_experiments.networks.insertion import check_insertion, fold, insert, inserted_gradient
from bnlib import BatchNorm
from tests.networks.written_out import FORMS, disturbed, flat, normalized_by, unbiased
from tests.oracles import Disagreement, agree, refused

EXAMPLES = 50
SMOOTH = ["tanh", "softplus", "gelu", "silu", "sigmoid"]


def stationary(plain, seed):
    """Return parameters, inputs and targets at which the plain loss is stationary."""
    params, rng = disturbed(plain, seed)
    flat, unravel = ravel_pytree(params)
    x = rng.normal(0.5, 1.0, (EXAMPLES, plain.widths[0]))
    outputs = np.asarray(plain.forward(params, x))
    slopes = np.asarray(jax.jacrev(lambda v: plain.forward(unravel(v), x).ravel())(flat))
    if plain.objective == "cross-entropy":  # the residuals of an example sum to 0
        slopes = np.hstack([slopes, np.kron(np.eye(EXAMPLES), np.ones((outputs.shape[1], 1)))])
        outputs = np.asarray(jax.nn.softmax(outputs))
    left, size, _ = np.linalg.svd(slopes, full_matrices=False)
    span = left[:, size > 1e-10 * size[0]]
    residual = rng.normal(size=outputs.size)
    residual = (residual - span @ (span.T @ residual)).reshape(outputs.shape)
    if plain.objective == "cross-entropy":
        residual *= 0.9 * outputs.min() / np.abs(residual).max()
    return params, x, outputs + residual


def compare(plain, seed, layer, norm, tolerance=1e-8):
    """Compare the formula with JAX; return the check."""
    params, x, t = stationary(plain, seed)
    normalized, inserted = insert(plain, params, x, layer, norm)
    agree("outputs", normalized.forward(inserted, x), plain.forward(params, x), 1e-12)
    by_jax = jax.grad(normalized.loss)(inserted, x, t)
    formula = inserted_gradient(plain, params, x, t, layer, norm)
    assert jax.tree.structure(by_jax) == jax.tree.structure(formula)
    signals = plain.signals(params, x, t)
    size = sum(float(np.abs(each).sum()) for each in signals)
    for index, (ours, theirs) in enumerate(zip(formula, by_jax, strict=True)):
        for key in ours:
            scale = max(float(np.abs(theirs[key]).max()), 1e-3 * size)
            agree(f"{key} of layer {index}", ours[key], theirs[key], tolerance, scale)
    return check_insertion(plain, params, x, t, layer, norm)


# A few shapes only: JAX compiles every operation anew for each.
WIDTHS = [(2, 2), (1, 2, 2), (2, 2, 1), (2, 2, 2, 2), (2, 2, 1, 2, 2)]


@given(
    st.sampled_from(WIDTHS),
    st.sampled_from(SMOOTH),
    st.booleans(),
    st.sampled_from(["squared", "cross-entropy"]),
    st.sampled_from(FORMS),
    st.integers(0, 999),
    st.data(),
)
def test_formula_is_the_derivative(widths, name, bias, objective, norm, seed, data):
    plain = Network(widths, name, bias, objective)
    # A unit that hardly varies over the examples costs a digit: 2e-8 was seen.
    compare(plain, seed, data.draw(st.integers(0, plain.depth - 1)), norm, tolerance=1e-7)


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("norm", FORMS, ids=repr)
def test_stationary_exactly_where_the_theorem_says_so(objective, layer, norm):
    for biases in ((False, False, False), (True, False, True), (False, True, False)):
        plain = Network((3, 3, 2, 2), "tanh", biases, objective)
        check = compare(plain, 7, layer, norm)
        size = sum(float(np.abs(each).sum()) for each in plain.signals(*stationary(plain, 7)))
        if biases[layer] or not norm.center:
            assert check.gradient_norm < 1e-12 * size
        else:
            assert check.gradient_norm > 1e-5 * size
            assert check.relative_error < 1e-10


def test_several_insertions_stay_where_every_layer_has_a_bias():
    plain = Network((3, 2, 2, 1), "gelu")
    params, x, t = stationary(plain, 3)
    normalized, inserted = plain, params
    for layer in range(3):
        normalized, inserted = insert(normalized, inserted, x, layer, BatchNorm())
    size = sum(float(np.abs(each).sum()) for each in plain.signals(params, x, t))
    gradient = flat(jax.grad(normalized.loss)(inserted, x, t))
    assert np.linalg.norm(gradient) < 1e-12 * size


@pytest.mark.parametrize("norm", [BatchNorm(), BatchNorm(epsilon=0.2), BatchNorm(scale=False)])
def test_fold_takes_out_what_insert_puts_in(norm):
    normalized = Network((3, 3, 2, 1), "tanh", False, normalization=norm)
    params, rng = disturbed(normalized, 5)
    x = rng.normal(0.5, 1.0, (9, 3))
    plain, equal = fold(normalized, params, x)
    assert plain.normalization == (None, None, None)
    assert plain.bias == (True, True, False)
    agree("outputs", plain.forward(equal, x), normalized.forward(params, x), 1e-13)
    back, again = insert(plain, equal, x, 0, norm)
    agree("outputs", back.forward(again, x), normalized.forward(params, x), 1e-13)


def test_minima_are_those_of_the_network_with_biases():
    # ∇L̂ = DΦᵀ ∇L, with Φ made by fold.
    for norm in (BatchNorm(), BatchNorm(epsilon=0.2)):
        normalized = Network((3, 2, 1), "tanh", False, normalization=norm)
        params, rng = disturbed(normalized, 8)
        x, t = rng.normal(0.5, 1.0, (9, 3)), rng.normal(size=9)
        vector, unravel = ravel_pytree(params)
        plain, equal = fold(normalized, params, x)

        def phi(v, norm=norm, unravel=unravel, x=x):
            first, last = unravel(v)
            y = x @ first["weights"]
            s = jax.numpy.sqrt(y.var(axis=0) + norm.epsilon)
            bias = first["beta"] - first["gamma"] / s * y.mean(axis=0)
            weights = first["weights"] * first["gamma"] / s
            return ravel_pytree([{"bias": bias, "weights": weights}, last])[0]

        agree("folded", phi(vector), flat(equal), 1e-13)
        jacobian = np.asarray(jax.jacfwd(phi)(vector))
        assert np.linalg.matrix_rank(jacobian) == len(flat(equal))  # a submersion
        expected = jacobian.T @ flat(jax.grad(plain.loss)(equal, x, t))
        agree("∇L̂", flat(jax.grad(normalized.loss)(params, x, t)), expected, 1e-11)


def test_wrong_arguments_are_refused():
    plain = Network((2, 2, 1))
    params, x = plain.initialize(0), np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])
    normalized, inserted = insert(plain, params, x, 0, BatchNorm())
    dead = [{"weights": np.zeros((2, 2)), "bias": np.ones(2)}, params[1]]
    dead_inside = [{**inserted[0], "weights": np.zeros((2, 2))}, inserted[1]]
    wrong = [
        (lambda: insert(plain, params, x, 2, BatchNorm()), "layer: 2 is not a layer without"),
        (lambda: insert(plain, params, x, -1, BatchNorm()), "layer: must be at least 0"),
        (lambda: insert(normalized, inserted, x, 0, BatchNorm()), "layer: 0 is not a layer with"),
        (lambda: insert(plain, dead, x, 0, BatchNorm()), "params: the pre-activations are const"),
        (lambda: fold(normalized, dead_inside, x), "params: the pre-activations are constant"),
    ]
    for call, message in wrong:
        refused(f"^{message}", call)
    insert(plain, dead, x, 0, BatchNorm(epsilon=0.1))


PLAIN = Network((3, 3, 2, 1), "tanh", False)


def divided_by(divisor):
    """Return `insertion._divisor` with another divisor of the deviations."""
    return lambda y, norm: divisor(y - y.mean(axis=0) if norm.center else y, norm.epsilon)


def outside(v, epsilon):
    return (v**2).mean(axis=0) ** 0.5 + epsilon


def formula(change):
    """Return `inserted_gradient` with a change, given the layer's gradient, ā, δ, and m."""

    def changed(plain, params, x, t, layer, norm):
        right = insertion.inserted_gradient(plain, params, x, t, layer, norm)
        a = plain.run(params, x).incoming[layer]
        delta = plain.signals(params, x, t)[layer].sum(axis=0)
        right[layer] |= change(right[layer], a.mean(axis=0), delta, len(a))
        return right

    return changed


def nothing_below(*given):
    right, layer = insertion.inserted_gradient(*given), given[4]
    return jax.tree.map(lambda each: 0 * each, right[:layer]) + right[layer:]


PLANTS = {
    "unbiased variance in the network": (network, "_normalize", normalized_by(unbiased), 0),
    "ε outside the root in the network": (network, "_normalize", normalized_by(outside), 1),
    "unbiased variance in the insertion": (insertion, "_divisor", divided_by(unbiased), 0),
    "ε outside the root in the insertion": (insertion, "_divisor", divided_by(outside), 1),
    "no ε in the insertion": (insertion, "_divisor", divided_by(lambda v, _: outside(v, 0)), 1),
}
FORMULAS = {
    "dropped ā": formula(lambda g, a, delta, m: {"weights": g["weights"] + np.outer(a, delta)}),
    "dropped Σ w": formula(lambda g, a, delta, m: {"weights": -np.outer(a, delta)}),
    "sign of ḡ": formula(lambda g, *_: {key: -each for key, each in g.items()}),
    "dropped m": formula(lambda g, *rest: {k: v / rest[-1] for k, v in g.items()}),
    "∂γ = 0": formula(lambda g, *_: {"gamma": 0 * g["gamma"]}),
    "no signal below": nothing_below,
}
NAMED = {"∂γ = 0": "gamma of layer 1", "no signal below": "weights of layer 0"}
NAMED |= dict.fromkeys(("sign of ḡ", "dropped m"), "(weights|beta|gamma) of layer 1")


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught_and_named(plant, monkeypatch):
    where, name, wrong, form = plant
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(Disagreement, match="^outputs"):
        compare(PLAIN, 2, 1, FORMS[form])


@pytest.mark.parametrize("plant", FORMULAS)
def test_an_error_planted_in_the_formula_is_caught(plant, monkeypatch):
    monkeypatch.setitem(globals(), "inserted_gradient", FORMULAS[plant])
    with pytest.raises(Disagreement, match=f"^{NAMED.get(plant, 'weights of layer 1')}"):
        compare(PLAIN, 2, 1, FORMS[0])


def test_without_a_plant_all_agrees_and_a_relative_error_needs_a_gradient():
    for norm in FORMS:
        compare(PLAIN, 2, 1, norm)
    plain = Network((2, 1), bias=False)
    w, x = np.zeros((2, 1)), np.eye(2)
    check = check_insertion(plain, [{"weights": w}], x, np.zeros(2), 0, BatchNorm(scale=False))
    assert check.gradient_norm == 0.0
    assert check.relative_error == float("inf")
