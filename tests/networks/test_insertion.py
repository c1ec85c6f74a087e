"""The gradient after an insertion, in closed form, against automatic differentiation.

Learning sets are made for the purpose: the targets are the network's outputs plus a part that
is orthogonal to the derivatives of the outputs. So any parameters become a stationary point,
without training, and with a residual that is not small.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from bn_experiments.networks import insertion, network
from bn_experiments.networks.insertion import absorb, check_insertion, insert, inserted_gradient
from bn_experiments.networks.network import Network
from bnlib import BatchNorm, Neuron, counterexample
from tests.oracles import Disagreement, agree

FORMS = [BatchNorm(), BatchNorm(epsilon=0.1), BatchNorm(scale=False), BatchNorm(center=False)]
EXAMPLES = 50
SMOOTH = ["tanh", "softplus", "gelu", "silu", "sigmoid"]


def stationary(plain: Network, seed: int) -> tuple[Any, Any, Any]:
    """Return parameters, inputs and targets at which the plain loss is stationary."""
    rng = np.random.default_rng(seed)
    params = jax.tree.map(
        lambda each: each + 0.3 * rng.normal(size=each.shape), plain.initialize(seed)
    )
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


def flat(tree: Any) -> Any:
    return np.asarray(ravel_pytree(tree)[0])


def compare(plain: Network, seed: int, layer: int, norm: BatchNorm, tolerance: float = 1e-8) -> Any:
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
WIDTHS = [(2, 2), (1, 3, 2), (3, 2, 3), (3, 2, 2, 2), (2, 2, 1, 2, 2)]


@given(
    st.sampled_from(WIDTHS),
    st.sampled_from(SMOOTH),
    st.booleans(),
    st.sampled_from(["squared", "cross-entropy"]),
    st.sampled_from(FORMS),
    st.integers(0, 999),
    st.data(),
)
def test_formula_is_the_derivative(
    widths: tuple[int, ...],
    name: str,
    bias: bool,
    objective: str,
    norm: BatchNorm,
    seed: int,
    data: st.DataObject,
) -> None:
    plain = Network(widths, name, bias, objective)
    compare(plain, seed, data.draw(st.integers(0, plain.depth - 1)), norm)


@pytest.mark.parametrize("objective", ["squared", "cross-entropy"])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("norm", FORMS, ids=repr)
def test_stationary_exactly_where_the_theorem_says_so(
    objective: str, layer: int, norm: BatchNorm
) -> None:
    for biases in ((False, False, False), (True, False, True), (False, True, False)):
        plain = Network((3, 3, 2, 2), "tanh", biases, objective)
        check = compare(plain, 7, layer, norm)
        size = sum(float(np.abs(each).sum()) for each in plain.signals(*stationary(plain, 7)))
        if biases[layer] or not norm.center:
            assert check.gradient_norm < 1e-12 * size
        else:
            assert check.gradient_norm > 1e-5 * size
            assert check.relative_error < 1e-10


def test_the_gradient_of_the_three_points() -> None:
    data = counterexample()
    params = [{"weights": np.array([[3.0], [1.0]])}]
    plain = Network((2, 1), bias=False)
    found = inserted_gradient(plain, params, data.inputs, data.targets, 0, BatchNorm())[0]
    agree("weights", found["weights"][:, 0], [4 / 21, -12 / 21], 1e-13)
    agree("beta", found["beta"], [2 / 3], 1e-13)
    # The neuron of chapter 2 has γ = 1 and β = 0; its gradient is proportional to γ.
    gradient = Neuron(normalization=BatchNorm()).gradient([3, 1], data)
    agree("chapter 2", found["weights"][:, 0], gradient * np.sqrt(14) / 3, 1e-13)


def test_the_formula_symbolically() -> None:
    # L = Σ gᵢ yᵢ with Aᵀg = 0 stands for any loss, to first order at a stationary point.
    a = sp.Matrix([[1, 0], [0, 1], [1, 1], [2, -1]])
    w, eps = sp.Matrix(sp.symbols("w1 w2", real=True)), sp.symbols("epsilon", positive=True)
    c1, c2, gamma, beta = sp.symbols("c1 c2 gamma beta", real=True)
    null = a.T.nullspace()
    g = c1 * null[0] + c2 * null[1]
    y, ones, m = a * w, sp.ones(4, 1), 4
    mu = sum(y) / m
    s = sp.sqrt((y - mu * ones).dot(y - mu * ones) / m + eps)
    loss = g.dot(gamma * (y - mu * ones) / s + beta * ones)
    at = {gamma: s, beta: mu}
    mean, delta = a.T * ones / m, sum(g)
    covariance = a.T * a / m - mean * mean.T
    stated = -delta * (mean - (mean.dot(w) / s**2) * covariance * w)
    for i in range(2):
        assert sp.simplify(loss.diff(w[i]).subs(at) - stated[i]) == 0
    assert sp.simplify(loss.diff(gamma).subs(at) + delta * mean.dot(w) / s) == 0
    assert sp.simplify(loss.diff(beta).subs(at) - delta) == 0


def test_several_insertions_stay_where_every_layer_has_a_bias() -> None:
    plain = Network((3, 2, 2, 1), "gelu")
    params, x, t = stationary(plain, 3)
    normalized, inserted = plain, params
    for layer in range(3):
        normalized, inserted = insert(normalized, inserted, x, layer, BatchNorm())
    size = sum(float(np.abs(each).sum()) for each in plain.signals(params, x, t))
    gradient = flat(jax.grad(normalized.loss)(inserted, x, t))
    assert np.linalg.norm(gradient) < 1e-12 * size


@pytest.mark.parametrize("norm", [BatchNorm(), BatchNorm(epsilon=0.2), BatchNorm(scale=False)])
def test_absorb_takes_the_normalization_out(norm: BatchNorm) -> None:
    normalized = Network((3, 3, 2, 1), "tanh", False, normalization=norm)
    rng = np.random.default_rng(5)
    start = normalized.initialize(5)
    params = jax.tree.map(lambda each: each + 0.3 * rng.normal(size=each.shape), start)
    x = rng.normal(0.5, 1.0, (9, 3))
    plain, equal = absorb(*absorb(normalized, params, x, 0), x, 1)
    assert plain.normalization == (None, None, None)
    agree("outputs", plain.forward(equal, x), normalized.forward(params, x), 1e-13)
    back, again = insert(plain, equal, x, 0, norm)
    agree("outputs", back.forward(again, x), normalized.forward(params, x), 1e-13)


@pytest.mark.parametrize("norm", [BatchNorm(), BatchNorm(epsilon=0.2)], ids=repr)
def test_minima_are_those_of_the_network_with_biases(norm: BatchNorm) -> None:
    # ∇L̂ = DΦᵀ ∇L, with Φ made by absorb.
    normalized = Network((3, 2, 1), "tanh", False, normalization=norm)
    rng = np.random.default_rng(8)
    params = jax.tree.map(
        lambda each: each + 0.3 * rng.normal(size=each.shape), normalized.initialize(8)
    )
    x, t = rng.normal(0.5, 1.0, (9, 3)), rng.normal(size=9)
    plain, equal = absorb(normalized, params, x, 0)
    vector, unravel = ravel_pytree(params)

    def phi(v: Any) -> Any:
        old = unravel(v)
        y = x @ old[0]["weights"]
        s = jax.numpy.sqrt(y.var(axis=0) + norm.epsilon)
        bias = old[0]["beta"] - old[0]["gamma"] / s * y.mean(axis=0)
        weights = old[0]["weights"] * old[0]["gamma"] / s
        return ravel_pytree([{"bias": bias, "weights": weights}, old[1]])[0]

    agree("absorbed", phi(vector), flat(equal), 1e-13)
    jacobian = np.asarray(jax.jacfwd(phi)(vector))
    assert np.linalg.matrix_rank(jacobian) == len(flat(equal))  # a submersion
    slope = flat(jax.grad(plain.loss)(equal, x, t))
    agree("∇L̂", flat(jax.grad(normalized.loss)(params, x, t)), jacobian.T @ slope, 1e-11)


def test_wrong_arguments_are_refused() -> None:
    plain = Network((2, 2, 1))
    params, x = plain.initialize(0), np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])
    for layer in (2, 5):
        with pytest.raises(ValueError, match=f"^layer: {layer} is not a layer without"):
            insert(plain, params, x, layer, BatchNorm())
    with pytest.raises(ValueError, match="^layer: must be at least 0"):
        insert(plain, params, x, -1, BatchNorm())
    normalized, inserted = insert(plain, params, x, 0, BatchNorm())
    with pytest.raises(ValueError, match="^layer: 0 is not a layer without"):
        insert(normalized, inserted, x, 0, BatchNorm())
    for layer in (1, -1, 2):
        with pytest.raises(ValueError, match="no centring normalization"):
            absorb(normalized, inserted, x, layer)
    dead = [{"weights": np.zeros((2, 2)), "bias": np.ones(2)}, params[1]]
    with pytest.raises(ValueError, match="^params: the pre-activations are constant"):
        insert(plain, dead, x, 0, BatchNorm())
    insert(plain, dead, x, 0, BatchNorm(epsilon=0.1))


# ---------------------------------------------------------------- planted errors

Patch = pytest.MonkeyPatch
PLAIN = Network((3, 3, 2, 1), "tanh", False)


def unbiased(y: Any, norm: BatchNorm, of_layer: Any) -> Any:
    y = y - y.mean(axis=0) if norm.center else y
    if norm.scale:
        y = y / jax.numpy.sqrt((y * y).sum(axis=0) / (len(y) - 1) + norm.epsilon)
    return of_layer.get("gamma", norm.gamma) * y + of_layer.get("beta", norm.beta)


def outside_the_root(y: Any, norm: BatchNorm, of_layer: Any) -> Any:
    y = y - y.mean(axis=0) if norm.center else y
    y = y / (jax.numpy.sqrt((y * y).mean(axis=0)) + norm.epsilon) if norm.scale else y
    return of_layer.get("gamma", norm.gamma) * y + of_layer.get("beta", norm.beta)


def divisor(wrong: Any) -> Any:
    def of(y: Any, norm: BatchNorm) -> Any:
        deviation = y - y.mean(axis=0) if norm.center else y
        return wrong(deviation, norm.epsilon)

    return of


def around_formula(change: Any) -> Any:
    def changed(plain: Network, params: Any, x: Any, t: Any, layer: int, norm: BatchNorm) -> Any:
        right = insertion.inserted_gradient(plain, params, x, t, layer, norm)
        run = plain.run(params, x)
        a, y = run.incoming[layer], run.preactivations[layer]
        delta = plain.signals(params, x, t)[layer].sum(axis=0)
        change(right, layer, a.mean(axis=0), delta, y, params[layer]["weights"], len(a))
        return right

    return changed


def without_mean(right: Any, layer: int, mean: Any, delta: Any, y: Any, w: Any, m: int) -> None:
    right[layer]["weights"] += np.outer(mean, delta)


def without_covariance(
    right: Any, layer: int, mean: Any, delta: Any, y: Any, w: Any, m: int
) -> None:
    right[layer]["weights"] = -np.outer(mean, delta)


def sign(right: Any, layer: int, *rest: Any) -> None:
    right[layer] = {key: -value for key, value in right[layer].items()}


def without_m(right: Any, layer: int, mean: Any, delta: Any, y: Any, w: Any, m: int) -> None:
    right[layer] = {key: value / m for key, value in right[layer].items()}


def without_gamma(right: Any, layer: int, *rest: Any) -> None:
    right[layer]["gamma"] = 0 * right[layer]["gamma"]


def nothing_below(right: Any, layer: int, *rest: Any) -> None:
    right[:layer] = jax.tree.map(lambda each: 0 * each, right[:layer])


ROOT = "_divisor"
PLANTS = {
    "unbiased variance in the network": (network, "_normalize", unbiased, 0, "outputs"),
    "ε outside the root in the network": (network, "_normalize", outside_the_root, 1, "outputs"),
    "unbiased variance in the insertion": (
        *(insertion, ROOT),
        divisor(lambda v, e: ((v**2).sum(axis=0) / (len(v) - 1) + e) ** 0.5),
        *(0, "outputs"),
    ),
    "ε outside the root in the insertion": (
        *(insertion, ROOT, divisor(lambda v, e: (v**2).mean(axis=0) ** 0.5 + e)),
        *(1, "outputs"),
    ),
    "ε dropped in the insertion": (
        *(insertion, ROOT, divisor(lambda v, e: (v**2).mean(axis=0) ** 0.5)),
        *(1, "outputs"),
    ),
    "dropped ā": (None, "", around_formula(without_mean), 0, "weights of layer 1"),
    "dropped Σ w": (None, "", around_formula(without_covariance), 0, "weights of layer 1"),
    "sign of ḡ": (None, "", around_formula(sign), 0, "(weights|beta|gamma) of layer 1"),
    "dropped m": (None, "", around_formula(without_m), 0, "(weights|beta|gamma) of layer 1"),
    "∂γ = 0": (None, "", around_formula(without_gamma), 0, "gamma of layer 1"),
    "no signal below": (None, "", around_formula(nothing_below), 0, "weights of layer 0"),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_error_is_caught_and_named(plant: Any, monkeypatch: Patch) -> None:
    where, name, wrong, form, quantity = plant
    if where is None:
        monkeypatch.setitem(globals(), "inserted_gradient", wrong)
    else:
        monkeypatch.setattr(where, name, wrong)
    with pytest.raises(Disagreement, match=f"^{quantity}"):
        compare(PLAIN, 2, 1, FORMS[form])


def test_without_a_plant_the_same_comparison_agrees() -> None:
    for norm in FORMS:
        compare(PLAIN, 2, 1, norm)


def test_a_relative_error_needs_a_gradient() -> None:
    assert insertion.InsertionCheck(0.0, 0.0, 0.0, 0.0, 0.0).relative_error == float("inf")
