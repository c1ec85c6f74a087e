"""The expected loss over mini-batches, exact by enumeration, and its rays of optima."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bn_experiments.search.directions import scan_directions
from bnlib._numeric import centered
from bnlib._validation import Array, changed, whole_number
from bnlib.activations import ACTIVATIONS, activation
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.neuron import Neuron
from bnlib.optima import Ray

MAX_BATCHES = 20_000
"""The largest number of mini-batches that is enumerated."""


@dataclass(frozen=True, repr=False)
class MiniBatchNeuron:
    r"""A neuron that is trained on mini-batches, through its expected loss.

    .. math::

        L_b(w) = \binom{m}{b}^{-1} \sum_{|B| = b} L_B(w),

    where B runs over all sets of b of the m examples, drawn without replacement, and
    :math:`L_B` is the loss of the neuron on the examples of B alone: the mean over B of the
    squared residual, with the mean and variance of batch norm taken over B. An epoch that
    splits a shuffled learning set into m / b batches has the same expected loss.

    Parameters
    ----------
    neuron : Neuron
        The neuron, with or without `BatchNorm`.
    size : int
        b, the number of examples in a batch.

    Raises
    ------
    ValueError
        If b is not a positive integer, or if b = 1 meets a centring `BatchNorm` with ε = 0,
        which has no value on a single example.

    Notes
    -----
    Nothing is sampled. Where more than `MAX_BATCHES` = 20 000 batches would be needed the
    methods raise ``ValueError`` instead.

    Examples
    --------
    >>> from bnlib import BatchNorm, LearningSet
    >>> data = LearningSet([[1, 0], [0, 1], [1, 1], [3, 0], [2, 4]], [2, 0, 5, 1, 4])
    >>> MiniBatchNeuron(Neuron(normalization=BatchNorm()), 3).optima(data)
    [Ray([0.339462, 0.94062 ])]
    >>> Neuron(normalization=BatchNorm()).optima(data)
    [Ray([0.258736, 0.965948])]
    """

    neuron: Neuron
    size: int

    def __post_init__(self) -> None:
        if not isinstance(self.neuron, Neuron):
            raise ValueError(f"neuron: expected a Neuron, got {type(self.neuron).__name__}.")
        object.__setattr__(self, "size", whole_number("size", self.size, at_least=1))
        norm = self.neuron.normalization
        if norm and norm.center and norm.scale and norm.epsilon == 0.0 and self.size == 1:
            raise ValueError(
                "size: a single example has variance 0, so batch normalization divides by zero; "
                "use batches of at least 2 examples, or epsilon > 0."
            )

    def __repr__(self) -> str:
        return changed(self)

    def batches(self, data: LearningSet) -> npt.NDArray[np.intp]:
        """Return the examples of every mini-batch, in lexicographic order.

        Parameters
        ----------
        data : LearningSet
            The examples and targets.

        Returns
        -------
        ndarray of int, shape (n, b)
            Row by row the indices of the examples of one batch, increasing.

        Raises
        ------
        ValueError
            If there are fewer than b examples, or more than `MAX_BATCHES` batches.
        """
        require_learning_set(data)
        if self.size > data.m:
            raise ValueError(
                f"size: batches of {self.size} cannot be drawn without replacement from {data.m} "
                "examples; use a smaller size."
            )
        count = math.comb(data.m, self.size)
        if count > MAX_BATCHES:
            raise ValueError(
                f"data: {data.m} examples have {count} batches of {self.size}, more than the "
                f"{MAX_BATCHES} that are enumerated; use fewer examples."
            )
        return np.array(list(combinations(range(data.m), self.size)), dtype=np.intp)

    def loss(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean of the loss over all mini-batches.

        Parameters
        ----------
        weights : array_like, shape (..., d)
            Weight vectors w.
        data : LearningSet
            The examples and targets.

        Returns
        -------
        ndarray, shape (...)

        Raises
        ------
        ValueError
            As for `batches`, or as `Neuron.loss` does on one of the batches, which is named:
            at ε = 0 if the pre-activations of a batch are constant.
        """
        return self._mean(lambda batch: self.neuron.loss(weights, batch), data)

    def gradient(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the gradient of the mean loss: the mean of the gradients of the batches.

        Parameters
        ----------
        weights : array_like, shape (..., d)
            Weight vectors w.
        data : LearningSet
            The examples and targets.

        Returns
        -------
        ndarray, shape (..., d)

        Raises
        ------
        ValueError
            As for `loss`.
        """
        return self._mean(lambda batch: self.neuron.gradient(weights, batch), data)

    def hessian(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the Hessian of the mean loss: the mean of the Hessians of the batches.

        Parameters
        ----------
        weights : array_like, shape (..., d)
            Weight vectors w.
        data : LearningSet
            The examples and targets.

        Returns
        -------
        ndarray, shape (..., d, d)

        Raises
        ------
        ValueError
            As for `loss`.
        """
        return self._mean(lambda batch: self.neuron.hessian(weights, batch), data)

    def optima(self, data: LearningSet) -> list[Ray]:
        """Return the rays of local minima in the plane, as `scan_directions` finds them.

        Parameters
        ----------
        data : LearningSet
            Examples with two inputs.

        Returns
        -------
        list of Ray
            From the smallest loss to the largest. That none is missed is plausible, not
            proved; see `scan_directions`. Their number is odd.

        Raises
        ------
        ValueError
            As for `loss`; if the activation is not the identity, the loss is not scale
            invariant, there are not two inputs, or the loss is constant; and if the inputs of
            some batch are collinear, which for a centring `BatchNorm` includes every batch of
            two: the loss of that batch is constant on either side of a line and jumps across
            it, so that sectors and not rays can be optimal.
        """
        self._require_rays(data)
        scan = scan_directions(self, data)
        if scan.flat:
            raise ValueError(
                "targets: on average uncorrelated with every input in the batches, so the loss "
                "is the same in all directions; use other targets or inputs."
            )
        return list(scan.minima)

    def _mean(self, value: Callable[[LearningSet], Array], data: LearningSet) -> Array:
        """Return the mean over the batches of a function of a learning set."""
        total: Array | float = 0.0
        count = 0
        for rows, batch in _split(data, self):
            try:
                total = total + value(batch)
            except ValueError as error:
                raise ValueError(f"batch of the examples {list(rows)}: {error}") from error
            count += 1
        return np.asarray(total / count)

    def _require_rays(self, data: LearningSet) -> None:
        """Raise ``ValueError`` unless the optima are rays in the plane."""
        require_learning_set(data)
        norm, neuron = self.neuron.normalization, self.neuron
        if activation(neuron.activation) != ACTIVATIONS["identity"] or neuron.bias:
            raise ValueError("neuron: rays are searched for the identity without a bias only.")
        if norm is None or not norm.scale or norm.epsilon != 0.0 or norm.gamma == 0.0:
            raise ValueError(
                "neuron: its loss is not scale invariant, or does not depend on the weights; "
                "use BatchNorm with scale=True, epsilon=0 and gamma != 0."
            )
        if data.d != 2:
            raise ValueError(f"data: directions are scanned in the plane, got {data.d} inputs.")
        for rows, batch in _split(data, self):
            x = centered(batch.inputs, axis=0) if norm.center else batch.inputs
            x = x / np.where(np.abs(x).max(axis=0) > 0, np.abs(x).max(axis=0), 1.0)
            if np.linalg.matrix_rank(x) < 2:
                raise ValueError(
                    f"data: the inputs of the examples {list(rows)} are collinear, so the loss of "
                    "this batch jumps between two values and sectors, not rays, can be optimal; "
                    "use larger batches or other inputs."
                )


# A search evaluates the loss on one learning set many times.
@lru_cache(maxsize=2)
def _split(
    data: LearningSet, neuron: MiniBatchNeuron
) -> tuple[tuple[tuple[int, ...], LearningSet], ...]:
    """Return every mini-batch: the numbers of its examples, and the examples."""
    return tuple(
        (tuple(rows.tolist()), LearningSet(data.inputs[rows], data.targets[rows]))
        for rows in neuron.batches(data)
    )
