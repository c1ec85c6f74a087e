"""Lemma 4.5 of Santurkar et al. (2018): both sides of its inequality, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from bnlib._arrays import Array, power_of_two, real_array, real_number, squared_norm
from bnlib.optima import Optimum, Point, residual

# Weights that are checked at a time: they stay in the processor's cache between the passes.
_BLOCK = 1 << 17


@dataclass(frozen=True, eq=False)
class LemmaCheck:
    """What the lemma says, and whether it is so, for each initialization.

    Attributes
    ----------
    applies : ndarray of bool, shape (...)
        The hypothesis: ⟨W₀, W*⟩ > 0.
    left : ndarray, shape (...)
        ‖W₀ − Ŵ*‖².
    right : ndarray, shape (...)
        ‖W₀ − W*‖² − (‖W*‖² − ⟨W*, W₀⟩)² / ‖W*‖².
    violated : ndarray of bool, shape (...)
        The hypothesis is true and left > right beyond rounding.
    """

    applies: npt.NDArray[np.bool_]
    left: Array
    right: Array
    violated: npt.NDArray[np.bool_]

    @property
    def margin(self) -> Array:
        """right − left: negative where the inequality is false."""
        return self.right - self.left

    @property
    def holds(self) -> npt.NDArray[np.bool_]:
        """Whether the lemma is true as an implication: vacuously where it does not apply."""
        return np.logical_not(self.violated)

    def __repr__(self) -> str:
        if np.ndim(self.left) > 0:
            counts = [np.count_nonzero(each) for each in (self.applies, self.violated)]
            return (
                f"LemmaCheck({np.size(self.left)} initializations: "
                f"{counts[0]} with the hypothesis, {counts[1]} of them violated)"
            )
        # A side that is rounding next to the other one is shown as 0.
        floor = 1e-15 * max(self.left, self.right)
        left, right = (float(side) if side > floor else 0.0 for side in (self.left, self.right))
        return (
            f"LemmaCheck(applies={bool(self.applies)}, left={left:.6g}, "
            f"right={right:.6g}, holds={bool(self.holds)})"
        )


def check_lemma(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
    *,
    rtol: float = 1e-12,
) -> LemmaCheck:
    r"""Check the inequality of Lemma 4.5 for one or many initializations.

    Let W* and Ŵ* be the optima of the standard and of the BN network that are closest to W₀.
    If ⟨W₀, W*⟩ > 0, the lemma claims

    .. math::

        \|W_0 - \hat W^*\|^2 \;\le\; \|W_0 - W^*\|^2
          - \frac{\bigl(\|W^*\|^2 - \langle W^*, W_0\rangle\bigr)^2}{\|W^*\|^2}.

    Parameters
    ----------
    start : array_like, shape (..., d)
        W₀: one initialization, or any leading batch shape of them.
    standard_optima, normalized_optima : sequence of Point, sequence of Point or Ray
        The local optima of the standard network, and of that with batch norm.
    rtol : float
        A violation must exceed this fraction of the largest of ‖W₀‖² and both sides, because
        two equal sides differ by rounding.

    Returns
    -------
    LemmaCheck

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, a standard optimum is not a `Point`,
        or a list of optima is empty: without an optimum the lemma says nothing.

    Notes
    -----
    The right side is evaluated as ‖W₀‖² − ⟨W*/‖W*‖, W₀⟩², to which it is equal: the squared
    distance from W₀ to the line through W*. This form has no ‖W*‖⁴ to overflow and is exactly
    comparable with the left side. Where two optima are equally close, the first in the list is
    W*. Beside the starts and the result only a few megabytes are needed.

    Degenerate cases. W* = 0: the hypothesis is false for every W₀; the right side, 0/0 in the
    formula, is given as its bound ‖W₀‖². ⟨u, W₀⟩ ≤ 0 for a ray of direction u: the left side is
    the infimum ‖W₀‖², which no optimum attains.

    References
    ----------
    Santurkar, Tsipras, Ilyas and Mądry, "How does batch normalization help
    optimization?", NeurIPS 2018, arXiv:1805.11604, Lemma 4.5.
    """
    w = real_array("start", start, shape="(..., d)", finite=False)
    tolerance = real_number("rtol", rtol, at_least=0.0)
    d = w.shape[-1]
    points = _fitting("standard_optima", standard_optima, d, Point)
    images = _fitting("normalized_optima", normalized_optima, d)

    batch = w.shape[:-1]
    rows = w.reshape(math.prod(batch), d)
    applies, violated = np.empty((2, len(rows)), dtype=np.bool_)
    left, right = np.empty((2, len(rows)))
    size = max(1, _BLOCK // d)
    for begin in range(0, len(rows), size):
        block = slice(begin, begin + size)
        total = squared_norm(rows[block], w)
        along, right[block] = _right_side(rows[block], total, points)
        left[block] = reduce(np.minimum, (each.squared_distance(rows[block]) for each in images))
        applies[block] = along > 0
        noise = tolerance * np.maximum(total, np.maximum(left[block], right[block]))
        violated[block] = applies[block] & (left[block] - right[block] > noise)
    found: list[Any] = [each.reshape(batch)[()] for each in (applies, left, right, violated)]
    return LemmaCheck(*found)


def _right_side(w: Array, total: Array, points: list[Point]) -> tuple[Array, Array]:
    """Return ⟨W*/‖W*‖, W₀⟩ and the lemma's right side for the closest W*."""
    along, right = _projection(w, total, points[0])
    if len(points) > 1:
        distance = points[0].squared_distance(w)
        for other in points[1:]:
            other_along, other_right = _projection(w, total, other)
            other_distance = other.squared_distance(w)
            closer = other_distance < distance
            along = np.where(closer, other_along, along)
            right = np.where(closer, other_right, right)
            distance = np.minimum(distance, other_distance)
    return along, right


def _projection(w: Array, total: Array, optimum: Point) -> tuple[Array, Array]:
    """Return ⟨W*/‖W*‖, W₀⟩ and the lemma's right side."""
    # Only scaled by a power of two, so that an orthogonal start gives exactly 0.
    scaled = optimum.weights / power_of_two(np.abs(optimum.weights).max())
    length = np.linalg.norm(scaled)
    if length == 0:
        return np.zeros(w.shape[:-1]), total
    along = np.asarray(w @ scaled / length)
    return along, residual(w, total, scaled / length, along)


def _fitting(name: str, optima: Any, d: int, kind: Any = Optimum) -> list[Any]:
    """Return the optima as a list, if there are any, of this kind and with d weights."""
    if not isinstance(optima, Sequence):
        raise ValueError(
            f"{name}: expected a list of optima, got {type(optima).__name__}; "
            "pass what Neuron.optima returns."
        )
    if not optima:
        raise ValueError(f"{name}: is empty; without an optimum the lemma says nothing.")
    for each in optima:
        if not isinstance(each, Optimum):
            raise ValueError(f"{name}: expected Point or Ray, got {type(each).__name__}.")
        if not isinstance(each, kind):
            raise ValueError(
                f"{name}: {each} is not a Point; the lemma compares with single optima of the "
                "standard network. Are the two lists swapped?"
            )
        if each.d != d:
            raise ValueError(f"{name}: {each} has {each.d} weights, but start has {d}.")
    return list(optima)
