"""Batches of two: only the order of the pre-activations counts, and sectors are optimal."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import EPS, real_array
from bn_solver.limits import within_range
from bnlib import LearningSet, LemmaCheck, Ray, check_lemma
from bnlib.learning_set import require_learning_set
from bnlib.optima import Optimum

_DIGITS = 12  # to which the angle of an edge is rounded, so that pairs on one line share it


class Sector(NamedTuple):
    """A cone of weights in the plane, of at most half a turn, edges included.

    Attributes
    ----------
    first, last : Ray
        Its edges, counter-clockwise, each with a bound of its error.
    """

    first: Ray
    last: Ray

    @within_range("start")
    def contains(self, start: npt.ArrayLike, *, surely: bool = False) -> npt.NDArray[np.bool_]:
        """Return whether weights, shape (..., 2), are in the sector, shape (...).

        Parameters
        ----------
        surely : bool
            Only where they are in it wherever its edges are within their errors.

        See Also
        --------
        check_lemma : start.
        """
        w = real_array("start", start, shape="(..., 2)", last=2)
        a, b = self.first.direction, self.last.direction
        after, before = a[0] * w[..., 1], b[1] * w[..., 0]
        size = np.hypot(w[..., 0], w[..., 1]) * surely
        off = [(edge.error + edge.rounding) * size for edge in self]
        past = after - a[1] * w[..., 0] >= off[0]
        return np.asarray(past & (before - b[0] * w[..., 1] >= off[1]))


@within_range("data")
def best_sectors(data: LearningSet) -> list[Sector]:
    r"""Return the global minima of the expected loss over batches of two, counter-clockwise.

    At γ = 1, ε = 0 they are the sectors with the largest mean over all pairs of examples of

    .. math:: \tfrac12 (t_i - t_j) \operatorname{sign} \langle w, x_i - x_j\rangle .

    Parameters
    ----------
    data : LearningSet
        Two examples or more with two inputs, no two with the same inputs.

    Returns
    -------
    list of Sector

    Raises
    ------
    ValueError
        If the data are not of this kind.
    """
    require_learning_set(data)
    i, j = np.array(list(combinations(range(data.m), 2)), dtype=np.intp).reshape(-1, 2).T
    x, gain = data.inputs[i] - data.inputs[j], (data.targets[i] - data.targets[j]) / 2
    if data.d != 2 or data.m < 2 or not x.any(axis=1).all():
        raise ValueError(f"data: needs two or more examples, with two different inputs; {data}.")
    lines = np.arctan2(-x[:, 0], x[:, 1]) % np.pi  # directions orthogonal to x
    lines = np.unique(lines.round(_DIGITS) % round(np.pi, _DIGITS))
    edges = np.concatenate([lines, lines + np.pi, [lines[0] + 2 * np.pi]])
    error = 10.0**-_DIGITS + 16 * EPS  # half a digit, twice where π is rounded as well
    middle = (edges[1:] + edges[:-1]) / 2
    rays = [Ray([np.cos(a), np.sin(a)], error) for a in edges]
    score = np.sign(np.stack([np.cos(middle), np.sin(middle)], axis=-1) @ x.T) @ gain
    best = np.flatnonzero(score >= score.max() - 1e-9 * np.abs(gain).sum())
    return [Sector(rays[k], rays[k + 1]) for k in best]


def check_sectors(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Sector],
) -> LemmaCheck:
    """Check the lemma where the BN optima are sectors: inside them the left side is 0.

    Inside, the lemma holds whatever the right side is, since that is not negative. What is
    within the errors of the edges from them is judged by its distance to the edge.

    See Also
    --------
    check_lemma : parameters and errors.
    """
    if not isinstance(normalized_optima, Sequence) or not all(
        isinstance(each, Sector) for each in normalized_optima
    ):
        raise ValueError("normalized_optima: expected a list of Sector; pass that of best_sectors.")
    edges = [edge for sector in normalized_optima for edge in sector]
    check = check_lemma(start, standard_optima, edges)  # outside, one of them is closest
    inside = np.any([sector.contains(start) for sector in normalized_optima], axis=0)
    surely = np.any([sector.contains(start, surely=True) for sector in normalized_optima], axis=0)
    return replace(
        check,
        exists=check.exists | inside,
        left=np.where(inside, 0.0, check.left)[()],
        violated=check.violated & ~surely,
        undecided=check.undecided & ~surely,
    )
