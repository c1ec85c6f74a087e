"""Families of random learning sets."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from bnlib._validation import Array, real_number, whole_number


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
        whole_number("m", self.m, at_least=1)
        whole_number("d", self.d, at_least=1)
        if self.m < self.d + 1:
            raise ValueError(
                f"m, d: got {self.m} examples with {self.d} inputs; both optima are unique only "
                "with at least d + 1 examples."
            )
        for each in fields(self)[2:]:
            floor = 0.0 if each.name == "noise" else None
            real_number(each.name, getattr(self, each.name), at_least=floor)

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
        spread = rng.standard_normal((n, self.m, self.d))
        away, slope = rng.standard_normal((2, n, self.d))
        away /= np.linalg.norm(away, axis=-1, keepdims=True)
        slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
        targets = np.einsum("nmd,nd->nm", spread, slope) + self.level
        targets += self.noise * rng.standard_normal((n, self.m))
        return spread + self.offset * away[:, None, :], targets
