"""Families of random learning sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnlib._validation import Array, real_number, whole_number
from bnlib.activations import ACTIVATIONS, Activation, activation


@dataclass(frozen=True)
class LinearFamily:
    r"""Random learning sets around a linear law.

    .. math:: x_i = o\,e' + \xi_i, \qquad t_i = \langle v, \xi_i\rangle + \ell + \nu\,\eta_i,

    with independent standard normal ξᵢ, ηᵢ, and independent uniform unit vectors e′ and v, new
    for each learning set. In terms of the inputs, the intercept is ℓ − o⟨v, e′⟩.

    Parameters
    ----------
    m, d : int
        Numbers of examples and of inputs; m ≥ d + 1 makes both optima unique almost surely.
    offset : float
        o: length of the inputs' mean, in units of their standard deviation. At 0 the inputs
        are centred up to sampling.
    level : float
        ℓ: mean of the targets.
    noise : float
        ν ≥ 0: standard deviation of what is not linear in the inputs.

    Raises
    ------
    ValueError
        If m or d is too small or a number is not finite.
    """

    m: int
    d: int
    offset: float = 1.0
    level: float = 1.0
    noise: float = 0.5

    def __post_init__(self) -> None:
        _check(self)

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Draw n learning sets.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n : int
            Number of learning sets.

        Returns
        -------
        inputs : ndarray, shape (n, m, d)
        targets : ndarray, shape (n, m)
        """
        return _draw(self, rng, n, ACTIVATIONS["identity"])


@dataclass(frozen=True)
class NeuronFamily:
    r"""Random learning sets around the output of a neuron, the teacher.

    .. math:: x_i = o\,e' + \xi_i, \qquad
       t_i = \varphi\bigl(\langle v, \xi_i\rangle + \ell\bigr) + \nu\,\eta_i,

    with ξ, η, e′ and v as in `LinearFamily`, which is the case of the identity: the same
    generator then gives the same numbers.

    Parameters
    ----------
    activation : str or Activation
        φ of the teacher.
    m, d : int
        Numbers of examples and of inputs; m ≥ d + 1.
    offset : float
        o: length of the inputs' mean, in units of their standard deviation.
    level : float
        ℓ: mean of the teacher's pre-activations.
    noise : float
        ν ≥ 0: standard deviation of what is added to the output.

    Raises
    ------
    ValueError
        If the activation is unknown, m or d is too small or a number is not finite.
    """

    activation: str | Activation
    m: int
    d: int
    offset: float = 1.0
    level: float = 1.0
    noise: float = 0.5

    def __post_init__(self) -> None:
        activation(self.activation)
        _check(self)

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Draw n learning sets.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n : int
            Number of learning sets.

        Returns
        -------
        inputs : ndarray, shape (n, m, d)
        targets : ndarray, shape (n, m)
        """
        return _draw(self, rng, n, activation(self.activation))


def _check(family: LinearFamily | NeuronFamily) -> None:
    """Raise ``ValueError`` unless the sizes and numbers of a family make sense."""
    whole_number("m", family.m, at_least=1)
    whole_number("d", family.d, at_least=1)
    if family.m < family.d + 1:
        raise ValueError(
            f"m, d: got {family.m} examples with {family.d} inputs; both optima are unique only "
            "with at least d + 1 examples."
        )
    for name in ("offset", "level", "noise"):
        floor = 0.0 if name == "noise" else None
        real_number(name, getattr(family, name), at_least=floor)


def _draw(
    family: LinearFamily | NeuronFamily, rng: np.random.Generator, n: int, phi: Activation
) -> tuple[Array, Array]:
    """Draw inputs and targets φ(⟨v, ξ⟩ + ℓ) + ν η."""
    spread = rng.standard_normal((n, family.m, family.d))
    away, slope = rng.standard_normal((2, n, family.d))
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
    targets = phi.value(np.einsum("nmd,nd->nm", spread, slope) + family.level)
    targets += family.noise * rng.standard_normal((n, family.m))
    return spread + family.offset * away[:, None, :], targets
