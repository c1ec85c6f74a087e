"""Activation functions with their first and second derivatives."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bn_solver.arrays import Array, choice

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
        The slopes left and right of 0, if φ is linear on both sides of 0 and φ(0) = 0.
    """

    name: str
    value: Function
    derivative: Function
    second_derivative: Function
    slopes: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # By name where it has one: a lambda cannot travel to other processes.
        if ACTIVATIONS.get(self.name) is self:
            return activation, (self.name,)
        return Activation, tuple(getattr(self, each.name) for each in fields(self))


# exp is only taken of numbers below 0, so that it never overflows; arguments are bounded where an
# overflowing factor would meet one that is 0 in float64.
def _sigmoid(z: Array) -> Array:
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1.0, decay) / (1.0 + decay)


def _logistic(z: Array) -> Array:
    """Return the derivative of the sigmoid, the density of the logistic law."""
    decay = np.exp(-np.abs(z))
    return decay / (1.0 + decay) ** 2


def _sech_squared(z: Array) -> Array:
    """Return 1/cosh(z)², which unlike 1 - tanh(z)² keeps its digits in the tails."""
    decay = np.exp(-np.abs(z)) ** 2
    return 4.0 * decay / (1.0 + decay) ** 2


def _normal(z: Array) -> Array:
    """Return the normal distribution function Φ(z)."""
    # Imported on first use: scipy.special would double the import time of bnlib.
    from scipy.special import ndtr

    return np.asarray(ndtr(z))


def _density(z: Array) -> Array:
    """Return the density of the standard normal law."""
    return np.asarray(np.exp(-0.5 * np.clip(z, -40, 40) ** 2) / np.sqrt(2 * np.pi))


def _kinked(name: str, value: Function, left: float) -> Activation:
    """Return an activation with slope `left` left of 0 and slope 1 right of it."""
    return Activation(name, value, lambda z: np.where(z > 0, 1.0, left), np.zeros_like, (left, 1.0))


_ALL = (
    Activation("identity", lambda z: z, np.ones_like, np.zeros_like, (1.0, 1.0)),
    Activation("tanh", np.tanh, _sech_squared, lambda z: -2.0 * np.tanh(z) * _sech_squared(z)),
    Activation("sigmoid", _sigmoid, _logistic, lambda z: -_logistic(z) * np.tanh(z / 2)),
    Activation("softplus", lambda z: np.logaddexp(0.0, z), _sigmoid, _logistic),
    _kinked("relu", lambda z: np.maximum(z, 0.0), 0.0),
    Activation(
        "gelu",
        lambda z: z * _normal(z),
        lambda z: _normal(z) + z * _density(z),
        lambda z: (2.0 - np.clip(z, -40, 40) ** 2) * _density(z),
    ),
    _kinked("leaky_relu", lambda z: np.where(z > 0, z, 0.01 * z), 0.01),
    Activation(
        "silu",
        lambda z: z * _sigmoid(z),
        lambda z: _sigmoid(z) + np.clip(z, -800, 800) * _logistic(z),
        lambda z: _logistic(z) * (2.0 - np.clip(z, -800, 800) * np.tanh(z / 2)),
    ),
    Activation(
        "elu",
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0.0))),
        lambda z: np.exp(np.minimum(z, 0.0)),
        lambda z: np.where(z > 0, 0.0, np.exp(np.minimum(z, 0.0))),
    ),
)

ACTIVATIONS = {each.name: each for each in _ALL}
"""The activations by name."""


def activation(name: str | Activation) -> Activation:
    r"""Look an activation up by its name.

    Parameters
    ----------
    name : str or Activation
        ``"identity"``, ``"tanh"``, ``"sigmoid"``, ``"softplus"``, ``"relu"``, ``"gelu"``,
        ``"leaky_relu"``, ``"silu"`` or ``"elu"``; an `Activation` of your own is returned as it is.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If there is no activation of this name.

    Notes
    -----
    Sigmoid :math:`\sigma(z) = 1/(1 + e^{-z})`; softplus :math:`\log(1 + e^z)`; ReLU
    :math:`\max(z, 0)`; GELU :math:`z\,\Phi(z)` with the normal distribution function, not its
    tanh approximation; leaky ReLU :math:`\max(z, z/100)`; SiLU :math:`z\,\sigma(z)`; ELU *z* for
    z > 0 and :math:`e^z - 1` elsewhere.

    At z = 0 derivatives that differ between the sides are those from the left: ReLU 0 and leaky
    ReLU 0.01, both with second derivative 0; ELU has derivative 1 from both sides and second
    derivative 1. JAX says the same, except that its leaky ReLU has 1 there.
    """
    if isinstance(name, Activation):
        return name
    choice("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]
