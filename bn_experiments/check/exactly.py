"""Whether W* and the batch-norm ray have exactly one direction: in rational arithmetic."""

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
    across, whole = x.transpose(), matrix([[1.0]] * data.m)
    gram, h = across * x, across * t
    sums, less = across * whole, whole.transpose() * x.hstack(t) * QQ(1, data.m)
    reduced, pivots = (gram.hstack(h) - sums * less).rref()  # the normal equations, centred
    rows = reduced.to_list()
    slope = [[QQ(0)] for _ in range(data.d)]
    for row, pivot in zip(rows, pivots, strict=False):  # the other weights 0
        slope[pivot] = [row[-1]]
    fitted = gram * DomainMatrix(slope, (data.d, 1), QQ)
    pairs = [(a[0], b[0]) for a, b in zip(fitted.to_list(), h.to_list(), strict=True)]
    first, second = next(pair for pair in pairs if pair[0])
    if any(first * b != second * a for a, b in pairs):
        return 0
    return 1 if second / first > 0 else -1
