"""One word for what a sample of initializations says of the lemma on one learning set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bnlib._arrays import squared_norm
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum


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
    start : array_like, shape (n, d)
        Initializations W₀.
    standard_optima, normalized_optima
        As for the check.
    check : callable
        `check_lemma`, or another check with the same arguments.
    tolerance : float
        See above.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        As for the check.
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
