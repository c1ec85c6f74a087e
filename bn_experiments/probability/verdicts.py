"""Verdicts: a statement weaker than the lemma, and one word for what a sample says of either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bnlib._arrays import real_array, squared_norm
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum


def check_weaker(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
    *,
    rtol: float = 1e-12,
) -> LemmaCheck:
    r"""Check the lemma without the term that it subtracts on the right, which it implies.

    .. math:: \|W_0 - \hat W^*\| \;\le\; \|W_0 - W^*\| \qquad
       \text{if } \langle W_0, W^*\rangle > 0 :

    the closest BN optimum is at least as close as the closest standard optimum, the *point* W*.
    The result holds the squares of both sides.

    See Also
    --------
    check_lemma : parameters, result and errors.
    """
    lemma = check_lemma(start, standard_optima, normalized_optima, rtol=rtol)
    w = real_array("start", start, shape="(..., d)")
    right = np.min([each.squared_distance(w) for each in standard_optima], axis=0)
    noise = rtol * np.maximum(squared_norm(w), np.maximum(lemma.left, right))
    violated = np.asarray(lemma.applies & (lemma.left - right > noise))
    return LemmaCheck(lemma.applies, lemma.left, right[()], violated[()])


def verdict(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Any],
    *,
    check: Callable[..., LemmaCheck] = check_lemma,
    tolerance: float = 1e-9,
) -> str:
    """Return "fails", "equal", "true" or "void" over the starts that meet the hypothesis.

    "fails": one of them or more violates the inequality. "equal": none does, and both sides
    differ nowhere by more than the tolerance times ‖W₀‖². "true": none does, and they differ
    somewhere. "void": there is no optimum of one of the two, or no such start. Only "fails" is
    proved by a sample. With a start −W₀ for each W₀, one of the two meets the hypothesis.

    Parameters
    ----------
    check, tolerance : callable, float
        `check_lemma`, or another check with the same arguments; see above.

    See Also
    --------
    check_lemma : the other parameters, and errors; start has the shape (n, d).
    """
    if not len(standard_optima) or not len(normalized_optima):
        return "void"
    found = check(start, standard_optima, normalized_optima)
    if not found.applies.any():
        return "void"
    if found.violated.any():
        return "fails"
    differ = np.abs(found.margin) > tolerance * squared_norm(np.asarray(start, dtype=float))
    return "true" if (differ & found.applies).any() else "equal"
