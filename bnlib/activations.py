"""Activation functions with their first and second derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bnlib._validation import Array

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Activation:
    """A scalar function φ, applied entry by entry, with φ′ and φ″.

    Parameters
    ----------
    name : str
        The name under which `activation` finds it.
    value, derivative, second_derivative : callable
        φ, φ′ and φ″, from an array of any shape to an array of the same shape.
    slopes : tuple of two floats, optional
        The slopes left and right of 0, if φ is linear on both sides of 0 and φ(0) = 0; the
        standard neuron's minima can then be enumerated, see `search.piecewise_minima`.
    """

    name: str
    value: Function
    derivative: Function
    second_derivative: Function
    slopes: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


def _sigmoid(z: Array) -> Array:
    # exp is only taken of -|z|, so that it never overflows.
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, decay) / (1.0 + decay)


def _sigmoid_derivative(z: Array) -> Array:
    decay = np.exp(-np.abs(z))
    return decay / (1.0 + decay) ** 2


def _sigmoid_second_derivative(z: Array) -> Array:
    return -_sigmoid_derivative(z) * np.tanh(z / 2)


def _tanh_derivative(z: Array) -> Array:
    # 1/cosh(z)², which unlike 1 - tanh(z)² keeps its digits in the tails.
    decay = np.exp(-np.abs(z)) ** 2
    return 4.0 * decay / (1.0 + decay) ** 2


def _tanh_second_derivative(z: Array) -> Array:
    return -2.0 * np.tanh(z) * _tanh_derivative(z)


def _gelu_parts(z: Array) -> tuple[Array, Array]:
    """Return Φ(z) and the density φ(z) of the standard normal law."""
    # Imported on first use: scipy.special would double the import time of bnlib.
    from scipy.special import ndtr

    # Beyond |z| = 40 the density is 0 in float64; the bound keeps z² from overflowing.
    return np.asarray(ndtr(z)), np.exp(-0.5 * np.clip(z, -40, 40) ** 2) / np.sqrt(2 * np.pi)


def _gelu(z: Array) -> Array:
    return z * _gelu_parts(z)[0]


def _gelu_derivative(z: Array) -> Array:
    cumulative, density = _gelu_parts(z)
    return cumulative + z * density


def _gelu_second_derivative(z: Array) -> Array:
    bounded = np.clip(z, -40, 40)
    return (2.0 - bounded**2) * _gelu_parts(z)[1]


def _identity(z: Array) -> Array:
    return z


def _softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


def _relu(z: Array) -> Array:
    return np.maximum(z, 0.0)


def _relu_derivative(z: Array) -> Array:
    return np.where(z > 0, 1.0, 0.0)


_LEAK = 0.01


def _leaky_relu(z: Array) -> Array:
    return np.where(z > 0, z, _LEAK * z)


def _leaky_relu_derivative(z: Array) -> Array:
    return np.where(z > 0, 1.0, _LEAK)


def _silu(z: Array) -> Array:
    return z * _sigmoid(z)


def _silu_derivative(z: Array) -> Array:
    # Beyond |z| = 800 the product z σ′ is 0 in float64; the bound keeps it from overflowing.
    return _sigmoid(z) + np.clip(z, -800, 800) * _sigmoid_derivative(z)


def _silu_second_derivative(z: Array) -> Array:
    bounded = np.clip(z, -800, 800)
    return _sigmoid_derivative(z) * (2.0 - bounded * np.tanh(bounded / 2))


def _elu(z: Array) -> Array:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0.0)))


def _elu_derivative(z: Array) -> Array:
    return np.exp(np.minimum(z, 0.0))


def _elu_second_derivative(z: Array) -> Array:
    return np.where(z > 0, 0.0, np.exp(np.minimum(z, 0.0)))


# Named functions, not lambdas: an activation must travel to other processes.
_ALL = (
    Activation("identity", _identity, np.ones_like, np.zeros_like, (1.0, 1.0)),
    Activation("tanh", np.tanh, _tanh_derivative, _tanh_second_derivative),
    Activation("sigmoid", _sigmoid, _sigmoid_derivative, _sigmoid_second_derivative),
    Activation("softplus", _softplus, _sigmoid, _sigmoid_derivative),
    Activation("relu", _relu, _relu_derivative, np.zeros_like, (0.0, 1.0)),
    Activation("gelu", _gelu, _gelu_derivative, _gelu_second_derivative),
    Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative, np.zeros_like, (_LEAK, 1.0)),
    Activation("silu", _silu, _silu_derivative, _silu_second_derivative),
    Activation("elu", _elu, _elu_derivative, _elu_second_derivative),
)

ACTIVATIONS = {each.name: each for each in _ALL}
"""The activations by name."""


def activation(name: str | Activation) -> Activation:
    r"""Look an activation up by its name.

    Parameters
    ----------
    name : str or Activation
        ``"identity"``, ``"tanh"``, ``"sigmoid"``, ``"softplus"``, ``"relu"``, ``"gelu"``,
        ``"leaky_relu"``, ``"silu"`` or ``"elu"``. An `Activation` is returned as it is, so
        that a reader can bring one.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If there is no activation of this name.

    Notes
    -----
    Identity :math:`z`; sigmoid :math:`\sigma(z) = 1/(1 + e^{-z})`; softplus
    :math:`\log(1 + e^z)`; ReLU :math:`\max(z, 0)`; GELU :math:`z\,\Phi(z)` with the exact
    normal distribution function :math:`\Phi`, not its tanh approximation; leaky ReLU
    :math:`\max(z, z/100)`; SiLU :math:`z\,\sigma(z)`; ELU *z* for z > 0 and
    :math:`e^z - 1` elsewhere.

    At z = 0 the derivatives that differ between the sides are those from the left: ReLU has
    derivative 0 and leaky ReLU 0.01, both with second derivative 0; ELU has derivative 1 from both
    sides and second derivative 1. JAX says the same, except that its leaky ReLU has 1 there.
    """
    if isinstance(name, Activation):
        return name
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise ValueError(f"activation: {name!r} is unknown; use one of {', '.join(ACTIVATIONS)}.")
    return ACTIVATIONS[name]
