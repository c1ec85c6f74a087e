"""Laws of the initial weights W₀."""

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np

from bn_solver.arrays import Array, real_number, whole_number
from bn_solver.limits import within_range


class Initialization(Protocol):
    """A law of W₀ in every dimension d.

    A law is *rotation invariant* if W₀ and Q W₀ have the same law for every rotation Q. Then
    the coordinates of W₀ in a plane have the same joint law for every plane. Such a law also
    has the method ``project``, which draws these coordinates directly, shape (2, n).
    """

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw n initializations with d weights each, shape (n, d).

        Parameters
        ----------
        rng, n, d : numpy.random.Generator, int, int
            The source of randomness, and the numbers of initializations and of weights.
        """
        ...


@dataclass(frozen=True)
class _Sized(Initialization):
    """A law whose first field is its size: a positive number. It inherits what `sample` says."""

    def __post_init__(self) -> None:
        name = fields(self)[0].name
        size = real_number(name, getattr(self, name))
        if size <= 0:
            raise ValueError(f"{name}: must be positive, got {size:g}.")
        object.__setattr__(self, name, size)

    @staticmethod
    def _shape(n: int, d: int) -> tuple[int, int]:
        """Return the shape (n, d), if it is one."""
        return whole_number("n", n, at_least=0), whole_number("d", d, at_least=1)


@dataclass(frozen=True)
class Gaussian(_Sized):
    r"""Independent normal weights, :math:`W_0 \sim N(0, s^2 I)`. Rotation invariant.

    Parameters
    ----------
    scale : float
        s > 0, the standard deviation of each weight.
    """

    scale: float = 1.0

    @within_range("scale")
    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:  # noqa: D102
        return self.scale * rng.standard_normal(self._shape(n, d))

    def project(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw the coordinates of n initializations in a plane, shape (2, n)."""
        plane = rng.standard_normal((2, self._shape(n, d)[0]))
        return plane if self.scale == 1.0 else plane * self.scale  # no pass in the common case


@dataclass(frozen=True)
class Sphere(_Sized):
    """Uniform on the sphere of a given radius. Rotation invariant.

    Parameters
    ----------
    radius : float
        R > 0, the length of W₀.
    """

    radius: float = 1.0

    @within_range("radius")
    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:  # noqa: D102
        w = rng.standard_normal(self._shape(n, d))
        return np.asarray(w * (self.radius / np.linalg.norm(w, axis=1, keepdims=True)))

    def project(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw the coordinates of n initializations in a plane, shape (2, n); d ≥ 2.

        Two coordinates of a normal vector over its length; the other d − 2 enter through
        their sum of squares, which has a chi-squared law.
        """
        if self._shape(n, d)[1] < 2:
            raise ValueError(f"d: a plane needs at least 2 weights, got {d}; use sample.")
        plane = rng.standard_normal((2, n))
        squares = np.einsum("ij,ij->j", plane, plane)
        if d > 2:
            squares += rng.chisquare(d - 2, n)
        return np.asarray(plane * (self.radius / np.sqrt(squares)))


@dataclass(frozen=True)
class Uniform(_Sized):
    """Independent weights, uniform on [−b, b]. *Not* rotation invariant.

    Parameters
    ----------
    bound : float
        b > 0.
    """

    bound: float = 1.0

    @within_range("bound")
    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:  # noqa: D102
        return rng.uniform(-self.bound, self.bound, self._shape(n, d))


@within_range("d")
def he(d: int, *, normal: bool = False) -> Gaussian | Uniform:
    """Return the law of He et al. for a neuron with d inputs: each variance is 2 / d.

    Parameters
    ----------
    d, normal : int, bool
        Number of inputs; whether it is the normal variant, or the uniform one.

    Returns
    -------
    Gaussian or Uniform

    Raises
    ------
    ValueError
        If d is not a positive integer.
    """
    variance = 2.0 / whole_number("d", d, at_least=1)
    return Gaussian(np.sqrt(variance)) if normal else Uniform(np.sqrt(3 * variance))
