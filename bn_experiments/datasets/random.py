"""Random learning sets around the output of a neuron, the teacher."""

from dataclasses import dataclass

import numpy as np

from bn_solver.arrays import Array, real_number, whole_number
from bn_solver.limits import within_range
from bnlib.activations import Activation, activation


@dataclass(frozen=True)
class RandomLearningSets:
    r"""Random learning sets around a linear law, or around the output of any neuron.

    .. math:: x_i = o\,e' + \xi_i, \qquad
       t_i = \varphi\bigl(\langle v, \xi_i\rangle + \ell\bigr) + \nu\,\eta_i,

    with independent standard normal ξᵢ, ηᵢ, and independent uniform unit vectors e′ and v, new
    for each learning set. With the identity for φ, the intercept in terms of the inputs is
    ℓ − o⟨v, e′⟩. The same generator gives the same ξ, η, e′ and v for every φ.

    Parameters
    ----------
    m, d : int
        Numbers of examples and of inputs; m ≥ d + 1, so that both optima are unique almost surely.
    offset, level, noise : float
        o: length of the inputs' mean, in units of their standard deviation; at 0 they are centred
        up to sampling. ℓ: mean of the pre-activations. ν ≥ 0: standard deviation of the noise.
    activation : str or Activation
        φ of the teacher.
    """

    m: int
    d: int
    offset: float = 1.0
    level: float = 1.0
    noise: float = 0.5
    activation: str | Activation = "identity"

    def __post_init__(self) -> None:
        whole_number("m", self.m, at_least=1)
        if self.m < whole_number("d", self.d, at_least=1) + 1:
            raise ValueError(
                f"m, d: got {self.m} examples with {self.d} inputs; both optima are unique only "
                "with at least d + 1 examples."
            )
        for name, floor in (("offset", None), ("level", None), ("noise", 0.0)):
            object.__setattr__(self, name, real_number(name, getattr(self, name), at_least=floor))
        activation(self.activation)

    @within_range("offset, level, noise")
    def sample(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Draw n learning sets: inputs, shape (n, m, d), and targets, shape (n, m).

        Parameters
        ----------
        rng, n : numpy.random.Generator, int
        """
        phi = activation(self.activation)
        whole_number("n", n, at_least=0)
        spread = rng.standard_normal((n, self.m, self.d))
        away, slope = rng.standard_normal((2, n, self.d))
        away /= np.linalg.norm(away, axis=-1, keepdims=True)
        slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
        targets = phi.value(np.einsum("nmd,nd->nm", spread, slope) + self.level)
        targets += self.noise * rng.standard_normal((n, self.m))
        return spread + self.offset * away[:, None, :], targets
