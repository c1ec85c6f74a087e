"""Activations: values, slopes and curvatures against JAX and 60-digit arithmetic."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from bnlib import ACTIVATIONS, Activation, activation
from tests import oracles

HARD = [0.0, 1e-8, 1e-3, 0.5, 1.0, 3.0, 8.0, 30.0, 36.0, 700.0, 1e5]
POINTS = np.array([*HARD, *(-z for z in HARD)])

FORMULAS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "relu": lambda z: max(z, mp.mpf(0)),
    "gelu": lambda z: z * mp.erfc(-z / mp.sqrt(2)) / 2,
    "leaky_relu": lambda z: z if z > 0 else mp.mpf(0.01) * z,
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "elu": lambda z: z if z > 0 else mp.expm1(z),
}
SECOND: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: mp.mpf(0),
    "tanh": lambda z: -2 * mp.tanh(z) * mp.sech(z) ** 2,
    "sigmoid": lambda z: mp.exp(-z) * (mp.exp(-z) - 1) / (1 + mp.exp(-z)) ** 3,
    "softplus": lambda z: mp.exp(-z) / (1 + mp.exp(-z)) ** 2,
    "relu": lambda z: mp.mpf(0),
    "gelu": lambda z: (2 - z**2) * mp.npdf(z),
    "leaky_relu": lambda z: mp.mpf(0),
    "silu": lambda z: mp.exp(-z) / (1 + mp.exp(-z)) ** 2 * (2 - z * mp.tanh(z / 2)),
    "elu": lambda z: mp.mpf(0) if z > 0 else mp.exp(z),
}
FIRST: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: mp.mpf(1),
    "tanh": lambda z: mp.sech(z) ** 2,
    "sigmoid": SECOND["softplus"],
    "softplus": FORMULAS["sigmoid"],
    "relu": lambda z: mp.mpf(z > 0),
    "gelu": lambda z: mp.erfc(-z / mp.sqrt(2)) / 2 + z * mp.npdf(z),
    "leaky_relu": lambda z: mp.mpf(1) if z > 0 else mp.mpf(0.01),
    "silu": lambda z: (1 + z * mp.exp(-z) / (1 + mp.exp(-z))) / (1 + mp.exp(-z)),
    "elu": lambda z: mp.mpf(1) if z > 0 else mp.exp(z),
}
TINY = float(np.finfo(float).tiny)  # below this size float64 has fewer digits

every_activation = pytest.mark.parametrize("name", ACTIVATIONS)


@every_activation
@pytest.mark.parametrize("part", ["value", "derivative", "second_derivative"])
def test_every_point_has_its_digits(name: str, part: str) -> None:
    formula = {"value": FORMULAS, "derivative": FIRST, "second_derivative": SECOND}[part][name]
    actual = getattr(activation(name), part)(POINTS)
    for z, value in zip(POINTS, actual, strict=True):
        with mp.workdps(60):
            expected = float(formula(mp.mpf(z)))
        # Each point by itself, so that no tail hides behind a larger value. Two factors may
        # cancel in GELU's derivatives, and erfc loses digits in proportion to z².
        tolerance = 1e-12 if name == "gelu" else 1e-14
        assert abs(value - expected) <= tolerance * abs(expected) + TINY, (z, value, expected)


@every_activation
def test_slope_and_curvature_are_the_derivatives_of_jax(name: str) -> None:
    phi = oracles.jax_activations()[name]
    import jax

    z = np.linspace(-6, 6, 42)  # not through the kink at 0
    each = activation(name)
    oracles.agree("value", each.value(z), jax.vmap(phi)(z), 1e-14)
    oracles.agree("derivative", each.derivative(z), jax.vmap(jax.grad(phi))(z), 1e-13)
    oracles.agree(
        "second derivative", each.second_derivative(z), jax.vmap(jax.grad(jax.grad(phi)))(z), 1e-13
    )


def test_formulas_of_this_test_are_consistent() -> None:
    # The derivatives written above, against numerical differentiation with 60 digits.
    with mp.workdps(60):
        for name in ACTIVATIONS:
            for z in (mp.mpf("-2.3"), mp.mpf("0.7")):
                assert abs(mp.diff(FORMULAS[name], z) - FIRST[name](z)) < mp.mpf(10) ** -25
                assert abs(mp.diff(FORMULAS[name], z, 2) - SECOND[name](z)) < mp.mpf(10) ** -20


@every_activation
def test_the_largest_numbers_raise_no_warning(name: str) -> None:
    z = np.array([1.7e308, -1.7e308, 5e-324, -5e-324])
    each = activation(name)
    for part in (each.value, each.derivative, each.second_derivative):
        assert np.isfinite(part(z)).all()


@every_activation
def test_shapes_are_kept(name: str) -> None:
    each = activation(name)
    for shape in ((), (0,), (3,), (2, 3)):
        for part in (each.value, each.derivative, each.second_derivative):
            assert np.shape(part(np.full(shape, 0.3))) == shape


@every_activation
def test_activations_survive_pickling(name: str) -> None:
    assert pickle.loads(pickle.dumps(activation(name))) == activation(name)


def test_relu_is_flat_at_its_kink() -> None:
    relu, zero = activation("relu"), np.array([0.0, -0.0])
    assert not relu.derivative(zero).any()
    assert not relu.second_derivative(zero).any()


def test_at_zero_the_derivatives_are_those_from_the_left() -> None:
    zero, left = np.array([0.0, -0.0]), np.full(2, -1e-300)
    for each in ACTIVATIONS.values():
        assert np.allclose(each.derivative(zero), each.derivative(left), rtol=1e-15, atol=1e-290), (
            each
        )
        assert np.allclose(
            each.second_derivative(zero), each.second_derivative(left), rtol=1e-15, atol=1e-290
        )
    assert (activation("leaky_relu").derivative(zero) == 0.01).all()
    assert (activation("elu").second_derivative(zero) == 1).all()


def test_at_zero_jax_says_the_same_except_for_leaky_relu() -> None:
    functions = oracles.jax_activations()
    import jax

    for name, each in ACTIVATIONS.items():
        first, second = jax.grad(functions[name]), jax.grad(jax.grad(functions[name]))
        ours = float(each.derivative(np.zeros(1))[0]), float(each.second_derivative(np.zeros(1))[0])
        theirs = (1.0, 0.0) if name == "leaky_relu" else ours
        assert np.allclose((first(0.0), second(0.0)), theirs, rtol=1e-14)


def test_slopes_on_both_sides_of_zero() -> None:
    slopes = {name: each.slopes for name, each in ACTIVATIONS.items() if each.slopes}
    assert slopes == {"identity": (1, 1), "relu": (0, 1), "leaky_relu": (0.01, 1)}
    for name, (left, right) in slopes.items():
        z = np.array([-3.0, -1e-9, 1e-9, 3.0])
        assert np.array_equal(activation(name).value(z), np.array([left] * 2 + [right] * 2) * z)


def test_the_slope_of_silu_keeps_its_digits_where_it_vanishes() -> None:
    # Its terms σ and zσ′ cancel at z = -1.278…; the error is one of their size, not of the sum's.
    with mp.workdps(60):
        root = mp.findroot(FIRST["silu"], mp.mpf("-1.278"))
        for offset in (0, 1e-9, -1e-3):
            z = float(root) + offset
            error = float(activation("silu").derivative(np.array(z)) - FIRST["silu"](mp.mpf(z)))
            assert abs(error) < 1e-16


def test_lookup_by_name_and_of_an_activation_itself() -> None:
    assert [activation(name).name for name in ACTIVATIONS] == list(ACTIVATIONS)
    mine = Activation("mine", np.sin, np.cos, lambda z: -np.sin(z))
    assert activation(mine) is mine
    assert repr(mine) == "Activation('mine')"


@pytest.mark.parametrize("name", ["Tanh", "", None, 3, ["tanh"], {"tanh": 1}])
def test_an_unknown_activation_lists_the_known_ones(name: Any) -> None:
    with pytest.raises(ValueError, match=r"activation: .* unknown; use one of identity, tanh"):
        activation(name)
