"""Laws of the initial weights W₀."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from bnlib._validation import Array, real_number, whole_number


class Initialization(Protocol):
    """A law of W₀ in every dimension d.

    A law is *rotation invariant* if W₀ and Q W₀ have the same law for every rotation Q. Then
    the coordinates of W₀ in a plane have the same joint law for every plane, and `project`
    draws them directly.
    """

    rotation_invariant: ClassVar[bool]

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw n initializations.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights.

        Returns
        -------
        ndarray, shape (n, d)
        """
        ...


@dataclass(frozen=True)
class Gaussian:
    r"""Independent normal weights, :math:`W_0 \sim N(0, s^2 I)`. Rotation invariant.

    Parameters
    ----------
    scale : float
        s > 0, the standard deviation of each weight.
    """

    scale: float = 1.0
    rotation_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _positive("scale", self.scale))

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw n initializations.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights.

        Returns
        -------
        ndarray, shape (n, d)
        """
        return self.scale * rng.standard_normal((n, d))

    def project(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw the coordinates of n initializations in a plane.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights.

        Returns
        -------
        ndarray, shape (2, n)
        """
        return _scaled(rng.standard_normal((2, n)), self.scale)


@dataclass(frozen=True)
class Sphere:
    """Uniform on the sphere of a given radius. Rotation invariant.

    Parameters
    ----------
    radius : float
        R > 0, the length of W₀.
    """

    radius: float = 1.0
    rotation_invariant: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", _positive("radius", self.radius))

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw n initializations.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights.

        Returns
        -------
        ndarray, shape (n, d)
        """
        w = rng.standard_normal((n, d))
        return np.asarray(w * (self.radius / np.linalg.norm(w, axis=1, keepdims=True)))

    def project(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw the coordinates of n initializations in a plane.

        Two coordinates of a normal vector over its length; the other d − 2 enter through
        their sum of squares, which has a chi-squared law.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights, d ≥ 2.

        Returns
        -------
        ndarray, shape (2, n)

        Raises
        ------
        ValueError
            If d < 2: there is no plane then.
        """
        if d < 2:
            raise ValueError(f"d: a plane needs at least 2 weights, got {d}; use sample.")
        plane = rng.standard_normal((2, n))
        squares = np.einsum("ij,ij->j", plane, plane)
        if d > 2:
            squares += rng.chisquare(d - 2, n)
        return np.asarray(plane * (self.radius / np.sqrt(squares)))


@dataclass(frozen=True)
class Uniform:
    """Independent weights, uniform on [−b, b]. *Not* rotation invariant.

    Parameters
    ----------
    bound : float
        b > 0.
    """

    bound: float = 1.0
    rotation_invariant: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "bound", _positive("bound", self.bound))

    def sample(self, rng: np.random.Generator, n: int, d: int) -> Array:
        """Draw n initializations.

        Parameters
        ----------
        rng : numpy.random.Generator
            The source of randomness.
        n, d : int
            Numbers of initializations and of weights.

        Returns
        -------
        ndarray, shape (n, d)
        """
        return rng.uniform(-self.bound, self.bound, (n, d))


def xavier(d: int, *, normal: bool = False) -> Initialization:
    """Return Glorot and Bengio's law for a neuron with d inputs and one output.

    The variance of each weight is 2 / (d + 1).

    Parameters
    ----------
    d : int
        Number of inputs.
    normal : bool
        The normal variant, which is rotation invariant; else the uniform one, which is not.

    Returns
    -------
    Gaussian or Uniform

    Raises
    ------
    ValueError
        If d is not a positive integer.
    """
    return _of_variance(2.0 / (_inputs(d) + 1), normal=normal)


def he(d: int, *, normal: bool = False) -> Initialization:
    """Return the law of He et al. for a neuron with d inputs: each variance is 2 / d.

    Parameters
    ----------
    d : int
        Number of inputs.
    normal : bool
        The normal variant, which is rotation invariant; else the uniform one, which is not.

    Returns
    -------
    Gaussian or Uniform

    Raises
    ------
    ValueError
        If d is not a positive integer.
    """
    return _of_variance(2.0 / _inputs(d), normal=normal)


def _of_variance(variance: float, *, normal: bool) -> Initialization:
    return Gaussian(np.sqrt(variance)) if normal else Uniform(np.sqrt(3 * variance))


def _inputs(d: int) -> int:
    return whole_number("d", d, at_least=1)


def _positive(name: str, value: float) -> float:
    number = real_number(name, value)
    if number <= 0:
        raise ValueError(f"{name}: must be positive, got {number:g}.")
    return number


def _scaled(array: Array, scale: float) -> Array:
    # The common case costs no pass over the array.
    return array if scale == 1.0 else array * scale
