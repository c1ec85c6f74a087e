"""The expected loss over mini-batches, exact by enumeration, and its rays of optima."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bn_experiments.search import scan_directions, slope_rounding
from bn_solver.arrays import EPS, Array, real_array, whole_number
from bn_solver.limits import within_range
from bnlib import LearningSet, Neuron, Ray, activation
from bnlib.learning_set import require_learning_set

MAX_BATCHES = 20_000  # the largest number that is enumerated


@dataclass(frozen=True)
class MiniBatchNeuron:
    r"""A neuron that is trained on mini-batches, through its expected loss.

    .. math:: L_b(w) = \binom{m}{b}^{-1} \sum_{|B| = b} L_B(w),

    where B runs over all sets of b of the m examples, drawn without replacement, and
    :math:`L_B` is the loss of the neuron on B alone, mean and variance of batch norm included.
    An epoch that splits a shuffled learning set into m / b batches has the same expected loss.

    Parameters
    ----------
    neuron, size : Neuron, int
        The neuron, with or without `BatchNorm`, and b, the number of examples in a batch.

    Raises
    ------
    ValueError
        If b is not a positive integer. The methods: for fewer than b examples, for more than
        20 000 batches, and as `Neuron.output` does on one of the batches, which they name.

    See Also
    --------
    Neuron : what the methods take.

    Examples
    --------
    >>> from bnlib import BatchNorm, LearningSet
    >>> data = LearningSet([[1, 0], [0, 1], [1, 1], [3, 0], [2, 4]], [2, 0, 5, 1, 4])
    >>> MiniBatchNeuron(Neuron(normalization=BatchNorm()), 3).optima(data)
    [Ray([0.339462, 0.94062 ])]
    """

    neuron: Neuron
    size: int

    def __post_init__(self) -> None:
        if not isinstance(self.neuron, Neuron):
            raise ValueError(f"neuron: expected a Neuron, got {type(self.neuron).__name__}.")
        object.__setattr__(self, "size", whole_number("size", self.size, at_least=1))

    def batches(self, data: LearningSet) -> npt.NDArray[np.intp]:
        """Return the row numbers of every mini-batch, shape (n, b), in lexicographic order."""
        require_learning_set(data)
        if self.size > data.m:
            raise ValueError(
                f"size: batches of {self.size} cannot be drawn from {data.m} examples; use fewer."
            )
        count = math.comb(data.m, self.size)
        if count > MAX_BATCHES:
            raise ValueError(
                f"data: {data.m} examples have {count} batches of {self.size}, more than "
                f"{MAX_BATCHES}; use fewer examples."
            )
        return np.array(list(combinations(range(data.m), self.size)), dtype=np.intp)

    def columns(self, data: LearningSet) -> Array:
        """Return the inputs as the neuron sees them, shape (d, m)."""
        return self.neuron.columns(data)

    @within_range("weights, data")
    def loss(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean of the loss over all mini-batches, shape (...)."""
        return self._mean(lambda batch: self.neuron.loss(weights, batch), data)

    @within_range("weights, data")
    def gradient(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean of the gradients of the batches, shape (..., d)."""
        return self._mean(lambda batch: self.neuron.gradient(weights, batch), data)

    @within_range("weights, data, along")
    def slope_rounding(self, weights: npt.ArrayLike, data: LearningSet, along: Array) -> Array:
        """Return a bound of the rounding error of ⟨∇L, v⟩, shape (..., k).

        Parameters
        ----------
        along : ndarray, shape (..., d, k)
            Directions v in the columns.
        """
        w = real_array("weights", weights, shape="(..., d)")
        along = real_array("along", along, shape="(..., d, k)")
        share = EPS * len(self._split(data))

        def bound(batch: LearningSet) -> Array:
            terms = np.abs(self.neuron.gradient(w, batch))[..., None, :] @ np.abs(along)
            return slope_rounding(self.neuron, w, batch, along) + share * terms[..., 0, :]

        return self._mean(bound, data)

    @within_range("data")
    def optima(self, data: LearningSet) -> list[Ray]:
        """Return the rays of local minima in the plane, by increasing loss; their number is odd.

        That none is missed is plausible, not proved: see `scan_directions`, which finds them.

        Raises
        ------
        ValueError
            Also if the activation is not the identity, the loss is constant or not scale
            invariant, or there are not two inputs; and if the (centred) inputs of some batch
            are collinear: its loss then jumps between two values, as in `best_sectors`.
        """
        if activation(self.neuron.activation) != activation("identity"):
            raise ValueError("neuron: rays are searched for the identity only.")
        for rows, batch in self._split(data):
            x = self.neuron.columns(batch)
            size = np.abs(x).max(axis=1, keepdims=True)
            if np.linalg.matrix_rank(x / np.where(size > 0, size, 1.0)) < 2:
                raise ValueError(
                    f"data: the inputs of the examples {rows} are collinear, so sectors, not "
                    "rays, can be optimal; use larger batches or other inputs."
                )
        scan = scan_directions(self, data)
        if scan.flat:
            raise ValueError("targets, neuron: the loss is the same in all directions; use others.")
        return list(scan.minima)

    def _split(self, data: LearningSet) -> list[tuple[list[int], LearningSet]]:
        require_learning_set(data)
        return _split(data, self)

    def _mean(self, value: Callable[[LearningSet], Array], data: LearningSet) -> Array:
        """Return the mean over the batches of a function of a learning set."""
        total: Array | float = 0.0
        for rows, batch in self._split(data):
            try:
                total = total + value(batch)
            except ValueError as error:
                raise ValueError(f"batch of the examples {rows}: {error}") from error
        return np.asarray(total / len(self._split(data)))


# A search evaluates the loss on one learning set many times.
@lru_cache(maxsize=2)
def _split(data: LearningSet, neuron: MiniBatchNeuron) -> list[tuple[list[int], LearningSet]]:
    """Return the row numbers and the examples of every mini-batch."""
    rows = neuron.batches(data)
    return [(i.tolist(), LearningSet(data.inputs[i], data.targets[i])) for i in rows]
