"""A weaker statement than Lemma 4.5: the set of BN optima against the *point* W*."""

from __future__ import annotations

from collections.abc import Sequence

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
    r"""Check the weaker inequality for one or many initializations.

    .. math:: \|W_0 - \hat W^*\| \;\le\; \|W_0 - W^*\| \qquad
       \text{if } \langle W_0, W^*\rangle > 0 .

    The lemma without the term that it subtracts on the right: the closest BN optimum is at
    least as close as the closest standard optimum. It follows from the lemma, so it holds
    wherever the lemma does.

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
