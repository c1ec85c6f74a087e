"""Verdicts: a statement weaker than the lemma, and one word for what a sample says of either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from bnlib._projection import distance
from bnlib._verdict import compare
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum


def check_weaker(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
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
    return LemmaCheck(**compare(start, standard_optima, normalized_optima, distance))


def verdict(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Any],
    *,
    check: Callable[..., LemmaCheck] = check_lemma,
) -> str:
    """Return one word for the starts that meet the hypothesis.

    "fails": one of them or more violates the inequality. "true": none does, and for some of them
    it is strict. "equal": both sides are the same, by structure or up to what is known of the
    optima. "void": there is no optimum of one of the two, or no such start. Only "fails" is
    proved by a sample. With a start −W₀ for each W₀, one of the two meets the hypothesis.

    Parameters
    ----------
    check : callable
        `check_lemma`, or another check with the same arguments.

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
    if (found.applies & (found.margin > found.error)).any():
        return "true"
    return "equal"
