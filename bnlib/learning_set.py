"""The learning set: examples, targets and the moments the closed forms are made of."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, centered, frozen, mean, real_array, representable
from bn_solver.doubled import length


@dataclass(frozen=True, eq=False, repr=False)
class LearningSet:
    """Inputs and targets of a supervised problem: copies, validated and immutable.

    All moments are *population* moments, as in batch normalization: divided by m, not by m − 1.

    Parameters
    ----------
    inputs : array_like, shape (m, d)
        X; row i is the input xᵢ of example i.
    targets : array_like, shape (m,)
        t, one number for each example.

    Raises
    ------
    ValueError
        If a shape is wrong, an entry is not a finite real number, the numbers of examples
        differ, there is no example or no input, or a moment is too large for float64.
    """

    inputs: Array
    targets: Array

    def __init__(self, inputs: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        x = real_array("inputs", inputs, shape="(m, d)")
        t = real_array("targets", targets, shape="(m,)")
        if 0 in x.shape:
            raise ValueError(f"inputs: need at least one example and one input, got {x.shape}.")
        if len(t) != len(x):
            raise ValueError(
                f"targets: {len(t)} targets for {len(x)} examples; "
                "inputs and targets need one row each per example."
            )
        object.__setattr__(self, "inputs", frozen(x))
        object.__setattr__(self, "targets", frozen(t))

    @property
    def m(self) -> int:
        """Number of examples."""
        return int(self.inputs.shape[0])

    @property
    def d(self) -> int:
        """Number of inputs, and of weights of the neuron."""
        return int(self.inputs.shape[1])

    @cached_property
    def centered_inputs(self) -> Array:
        """X − 1 x̄ᵀ, shape (m, d): the inputs minus their means, each to an ulp."""
        return frozen(centered(self.inputs, axis=0))

    @property
    def mean_input(self) -> Array:
        """x̄, shape (d,): mean of the inputs over the examples."""
        return mean(self.inputs, axis=0)

    @property
    def mean_target(self) -> float:
        """t̄: mean of the targets over the examples."""
        return float(mean(self.targets, axis=0))

    @property
    def input_covariance(self) -> Array:
        """Σ, shape (d, d): population covariance of the inputs."""
        return self._covariance(self.centered_inputs)

    @property
    def cross_covariance(self) -> Array:
        """c, shape (d,): population covariance of each input with the target."""
        return self._covariance(centered(self.targets, axis=0))

    def _covariance(self, values: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            product = self.centered_inputs.T @ values / self.m
        return representable("covariance", product, cause="inputs, targets")

    @property
    def target_std(self) -> float:
        """τ: population standard deviation of the targets."""
        difference = centered(self.targets, axis=0)
        unit = 1.0 if np.isfinite(length(difference)) else 2.0**64  # it may be, times √m, too large
        return float(length(difference / unit) / np.sqrt(self.m) * unit)

    def with_targets(self, targets: npt.ArrayLike) -> Self:
        """Return the same inputs with other targets.

        See Also
        --------
        LearningSet : parameters and errors.
        """
        return type(self)(self.inputs, targets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LearningSet):
            return NotImplemented
        same = np.array_equal(self.inputs, other.inputs)
        return same and np.array_equal(self.targets, other.targets)

    def __hash__(self) -> int:
        # Through tuples of floats, so that 0.0 and -0.0, which are equal, hash alike.
        return hash((self.inputs.shape, tuple(self.inputs.flat), tuple(self.targets)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (np.array(self.inputs), np.array(self.targets))

    def __repr__(self) -> str:
        plural = ("" if self.m == 1 else "s", "" if self.d == 1 else "s")
        return f"LearningSet({self.m} example{plural[0]}, {self.d} input{plural[1]})"


def require_learning_set(data: Any) -> None:
    """Raise ``ValueError`` unless `data` is a `LearningSet`."""
    if not isinstance(data, LearningSet):
        raise ValueError(
            f"data: expected a LearningSet, got {type(data).__name__}; "
            "write bnlib.LearningSet(inputs, targets)."
        )


def counterexample() -> LearningSet:
    r"""Return the three points on which Lemma 4.5 fails.

    .. math:: x_1 = (1, 0),\ x_2 = (0, 1),\ x_3 = (1, 1), \qquad t = (2, 0, 5).

    Returns
    -------
    LearningSet
        The standard optimum is W* = (3, 1), the BN optima are the ray {k (5, 3) : k > 0}.

    Notes
    -----
    A reconstruction: the simplest learning set found with integer data, an integer W* and the
    BN ray ``3 w₁ = 5 w₂, w₁ > 0`` of the reference; the argument needs only these properties.
    A reader who holds the paper replaces the points here, and nowhere else.

    References
    ----------
    Dannemann and Junike, "Batch normalization does not improve initialization",
    arXiv:2502.17913, 2025.
    """
    return LearningSet([[1, 0], [0, 1], [1, 1]], [2, 0, 5])
