"""Activations: values and both derivatives against JAX and arithmetic with 700 digits."""

import pickle
import runpy

import mpmath as mp
import numpy as np
import sympy as sp

from bnlib import Activation, activation, activations
from bnlib.activations import ACTIVATIONS
from tests import oracles

HARD = [0.0, 1e-8, 1e-3, 0.5, 1.0, 3.0, 8.0, 30.0, 36.0, 700.0, 1e5]
POINTS = np.array([*HARD, *(-z for z in HARD)])
TINY = float(np.finfo(float).tiny)  # below this size float64 has fewer digits
ZERO = np.array([0.0, -0.0])

every_activation = oracles.each(ACTIVATIONS)


def parts(each):
    """Return φ, φ′ and φ″."""
    return [each.value, each.derivative, each.second_derivative]


def many_digits(name, order):
    """Return a derivative of the activation as SymPy has it, for mpmath."""
    z = sp.Symbol("z", real=True)
    return sp.lambdify(z, oracles.SYMBOLIC[name](z).diff(z, order), "mpmath")


@every_activation
def test_every_point_has_its_digits(each):
    # Each point by itself, so that no tail hides behind a larger value. Two factors may
    # cancel in GELU's derivatives, and erfc loses digits in proportion to z².
    tolerance = 1e-12 if each.name == "gelu" else 1e-14
    for order, part in enumerate(parts(each)):
        formula = many_digits(each.name, order)
        for z, value in zip(POINTS, part(POINTS), strict=True):
            with mp.workdps(700):  # tails are differences of numbers near 1
                expected = float(formula(mp.mpf(z)))
            assert abs(value - expected) <= tolerance * abs(expected) + TINY, (order, z, expected)


@every_activation
def test_the_derivatives_are_those_of_jax(each):
    phi = oracles.jax_activations()[each.name]
    import jax

    z = np.linspace(-6, 6, 42)  # not through the kink at 0
    first, second = jax.grad(phi), jax.grad(jax.grad(phi))
    oracles.agree("value", each.value(z), jax.vmap(phi)(z), 1e-14)
    oracles.agree("derivative", each.derivative(z), jax.vmap(first)(z), 1e-13)
    oracles.agree("second derivative", each.second_derivative(z), jax.vmap(second)(z), 1e-13)
    ours = float(each.derivative(ZERO)[0]), float(each.second_derivative(ZERO)[0])
    theirs = (1.0, 0.0) if each.name == "leaky_relu" else ours  # at 0 JAX says the same else
    assert np.allclose((first(0.0), second(0.0)), theirs, rtol=1e-14)


@every_activation
def test_any_number_and_any_shape_has_a_value_and_at_zero_derivatives_are_from_the_left(each):
    for part in parts(each):
        assert np.isfinite(part(np.array([1.7e308, -1.7e308, 5e-324, -5e-324]))).all()
        for shape in ((), (0,), (3,), (2, 3)):
            assert np.shape(part(np.full(shape, 0.3))) == shape
    for part in parts(each)[1:]:
        assert np.allclose(part(ZERO), part(np.full(2, -1e-300)), rtol=1e-15, atol=1e-290)


def test_slopes_on_both_sides_of_zero_and_the_derivatives_at_a_kink():
    kinks = {"relu": (0, 0), "leaky_relu": (0.01, 0), "elu": (1, 1)}
    for name, (first, second) in kinks.items():
        assert (activation(name).derivative(ZERO) == first).all(), name
        assert (activation(name).second_derivative(ZERO) == second).all(), name
    slopes = {name: each.slopes for name, each in ACTIVATIONS.items() if each.slopes}
    assert slopes == {"identity": (1, 1), "relu": (0, 1), "leaky_relu": (0.01, 1)}
    for name, (left, right) in slopes.items():
        z = np.array([-3.0, -1e-9, 1e-9, 3.0])
        assert np.array_equal(activation(name).value(z), np.array([left] * 2 + [right] * 2) * z)


def test_the_derivative_of_silu_keeps_its_digits_where_it_vanishes():
    # Its terms σ and zσ′ cancel at z = -1.278…; the error is one of their size, not of the sum's.
    formula = many_digits("silu", 1)
    with mp.workdps(60):
        root = mp.findroot(formula, mp.mpf("-1.278"))
        for offset in (0, 1e-9, -1e-3):
            z = float(root) + offset
            assert abs(float(activation("silu").derivative(np.array(z)) - formula(z))) < 1e-16


def test_the_table_is_made_the_same_way_each_time():
    again = runpy.run_path(activations.__file__, run_name="bnlib.activations")["ACTIVATIONS"]
    for name, each in ACTIVATIONS.items():
        assert (again[name].name, again[name].slopes) == (name, each.slopes)
        for part, same in zip(parts(again[name]), parts(each), strict=True):
            assert np.array_equal(part(POINTS), same(POINTS))


def test_lookup_by_name_and_of_an_activation_itself():
    for name, each in ACTIVATIONS.items():
        assert activation(name).name == name
        assert pickle.loads(pickle.dumps(each)) == each
    mine = Activation("mine", np.sin, np.cos, lambda z: -np.sin(z))
    assert activation(mine) is mine
    for again in (Activation("tanh", np.sin, np.cos, np.negative), activation("tanh")):
        assert pickle.loads(pickle.dumps(again)) == again
    assert repr(mine) == "Activation('mine')"
    for unknown in ("Tanh", "", None, 3, ["tanh"], {"tanh": 1}):
        oracles.refused(r"activation: .* unknown; use one of identity, tanh", activation, unknown)
