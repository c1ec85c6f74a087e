"""Verdicts: a statement weaker than the lemma, and one word for what a sample says of either."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bnlib._projection import distance
from bnlib._verdict import compare
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum, Point, Ray


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


def _lacking(standard_optima: Any, normalized_optima: Any) -> bool:
    """Return whether one of two lists of optima is empty; ``ValueError`` unless they are lists."""
    lists = {"standard_optima": standard_optima, "normalized_optima": normalized_optima}
    for name, optima in lists.items():
        if not isinstance(optima, Sequence):
            raise ValueError(
                f"{name}: expected a list of optima, got {type(optima).__name__}; pass a list."
            )
    return not all(map(len, lists.values()))


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
    if _lacking(standard_optima, normalized_optima):
        return "void"
    found = check(start, standard_optima, normalized_optima)
    if not found.applies.any():
        return "void"
    if found.violated.any():
        return "fails"
    return "true" if (found.applies & (found.margin > found.error)).any() else "equal"


def verdicts(
    standard_optima: Sequence[Point],
    normalized_optima: Sequence[Any],
    rng: np.random.Generator,
    *,
    check: Callable[..., LemmaCheck] = check_lemma,
) -> tuple[str, str]:
    """Return the `verdict` in the infimum and in the strict reading, from starts worth trying.

    They are every W*, 60 Gaussian starts with their opposites, and one near the bisector of each W*
    and each BN ray, where the strict reading fails if it does so anywhere close to both. In the
    strict reading the starts without a closest BN optimum are left out.

    Parameters
    ----------
    rng : numpy.random.Generator
        Draws the Gaussian starts, of unit scale.

    Returns
    -------
    tuple of str

    See Also
    --------
    verdict, check_lemma : the other parameters, and errors.
    """
    if _lacking(standard_optima, normalized_optima):
        return "void", "void"
    d = getattr(standard_optima[0], "d", 1)
    check(np.zeros(d), standard_optima, normalized_optima)  # refuses what are no optima
    points, between = [star.weights for star in standard_optima], []
    rays = [each.direction for each in normalized_optima if isinstance(each, Ray)]
    for star, u in [(star, u) for star in points for u in rays if star.any()]:
        e = star / np.linalg.norm(star)
        if 1 + e @ u > 1e-12:
            between.append(e + u + (1 + e @ u) / 2 * (e - u))
    drawn = rng.normal(size=(60, d))
    starts = np.vstack([*points, *between, drawn, -drawn])
    near = starts[check(starts, standard_optima, normalized_optima).exists]
    first, second = (
        verdict(each, standard_optima, normalized_optima, check=check) if len(each) else "void"
        for each in (starts, near)
    )
    return first, second
