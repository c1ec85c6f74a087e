"""Whether W* and the batch-norm ray have exactly one direction: in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from bnlib.learning_set import LearningSet

_ENTRIES, _WEIGHTS = 5000, 20  # of tables that take seconds


def exact_sign(data: LearningSet) -> int | None:
    r"""Return the sign of λ in w* = λ û, 0 if there is no such λ; None for a table too large.

    For inputs of which no combination is 1, and c ≠ 0, w* ≠ 0. Then X and X_c have one kernel,
    and for *any* slope v of least squares with intercept

    .. math:: w^* = \lambda \hat u \iff X^\top t = \lambda\, X^\top X v .

    Floats are binary fractions, so that nothing is rounded.
    """
    if data.inputs.size > _ENTRIES or data.d > _WEIGHTS:
        return None
    from sympy import QQ  # on first use: it takes longer to load than bnlib
    from sympy.polys.matrices import DomainMatrix

    def matrix(rows: Any) -> Any:
        entries = [[QQ(*Fraction(v).as_integer_ratio()) for v in row] for row in rows]
        return DomainMatrix(entries, (len(entries), len(entries[0])), QQ)

    x, t = matrix(data.inputs.tolist()), matrix([[each] for each in data.targets.tolist()])
    ones = DomainMatrix([[QQ(1, data.m)] * data.m] * data.m, (data.m, data.m), QQ)
    centred = x - ones * x
    normal = (centred.transpose() * centred).hstack(centred.transpose() * t)
    reduced, pivots = normal.rref()
    rows = reduced.to_list()
    slope = [[QQ(0)] for _ in range(data.d)]
    for row, pivot in zip(rows, pivots, strict=False):  # the other weights 0
        slope[pivot] = [row[-1]]
    fitted = x.transpose() * x * DomainMatrix(slope, (data.d, 1), QQ)
    g, h = ([row[0] for row in each.to_list()] for each in (fitted, x.transpose() * t))
    first = next(j for j in range(data.d) if g[j])
    if any(g[first] * b != h[first] * a for a, b in zip(g, h, strict=True)):
        return 0
    return 1 if h[first] / g[first] > 0 else -1
