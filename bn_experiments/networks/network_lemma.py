"""Both sides of Lemma 4.5 for networks with one hidden layer, and its difficulties.

A network has many optima: hidden units may be permuted, for an odd activation the signs of a
unit's weights turned, and there are local optima besides. No search certifies the closest one.
So optima that were *reached* are compared, or the closest in a pool of reached ones with all
their permuted and turned images.
"""

from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, real_array, unit
from bnlib.lemma import LemmaCheck

# What trainings that end at a small gradient leave open of both sides, as a share of the squared
# norm of the start: measured, not proved.
_ERROR = 1e-9


def reached_sides(starts: Any, stars: Any, normalized: Any) -> LemmaCheck:
    """Compare each start with the two optima that were reached from it.

    Parameters
    ----------
    starts, stars : array_like, shape (n, d, k)
        W₀ and W*: the weights of the normalized layer, a column for each unit, before and after
        the training of the plain network.
    normalized : array_like, shape (n, d, k)
        Ŵ*: those of the BN network after training. The weights of each unit may be multiplied
        by any positive number, so that the optima are a product of k rays.

    Returns
    -------
    LemmaCheck

    Raises
    ------
    ValueError
        If a shape does not fit or a value is not finite.
    """
    w, star, bn = _stacks(starts, stars, normalized)
    rays = unit(np.swapaxes(bn, 1, 2))  # (n, k, d)
    along = np.maximum(np.einsum("nku,nuk->nu", w, rays), 0.0)
    left = np.sum(w**2, axis=(1, 2)) - np.sum(along**2, axis=1)
    return _sides(w, star, left, (along > 0).all(axis=1))


def pooled_sides(starts: Any, stars: Any, normalized: Any, *, odd: bool) -> LemmaCheck:
    """Compare each start with the closest optima of the two pools.

    Parameters
    ----------
    stars : array_like, shape (p, d, k)
        All W* that were reached. Each stands for its images under permutations of the units.
    normalized : array_like, shape (q, d, k)
        All Ŵ* that were reached; likewise, and each is a product of lines: γ may have either
        sign, so the weights of a unit may be multiplied by any number but 0.
    odd : bool
        Whether the activation is odd, so that the weights of any unit may change sign.

    Returns
    -------
    LemmaCheck
        A larger pool can only bring the optima closer: the left side is an upper bound of the
        squared distance to the closest optimum there is.

    See Also
    --------
    reached_sides : `starts`, and what is refused.
    """
    w, pool, bn = _stacks(starts, stars, normalized)
    columns = np.swapaxes(w, 1, 2)
    squares = np.sum(columns**2, axis=2)[:, :, None]
    left = np.full(len(w), np.inf)
    closest, star = np.full(len(w), np.inf), np.zeros_like(w)
    for other in bn:
        products = np.einsum("nud,vd->nuv", columns, unit(other.T))
        left = np.minimum(left, _matched(squares - products**2)[0])
    for other in pool:
        products = np.einsum("nud,vd->nuv", columns, other.T)
        sign = np.where(products < 0, -1.0, 1.0) if odd else np.ones_like(products)
        lengths = np.sum(other**2, axis=0)
        distance, order = _matched(squares - 2 * sign * products + lengths)
        image = other.T[order] * np.take_along_axis(sign, order[:, :, None], 2)
        nearer = distance < closest
        star[nearer] = np.swapaxes(image, 1, 2)[nearer]
        closest = np.minimum(closest, distance)
    return _sides(w, star, left, np.ones(len(w), dtype=np.bool_))


def _matched(cost: Array) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return the least total cost over all permutations, and the permutation, for each start."""
    orders = np.array(list(permutations(range(cost.shape[1]))))
    total = np.stack([cost[:, np.arange(len(each)), each].sum(axis=1) for each in orders])
    return total.min(axis=0), orders[total.argmin(axis=0)]


def _sides(w: Array, star: Array, left: Array, exists: npt.NDArray[np.bool_]) -> LemmaCheck:
    total = np.sum(w**2, axis=(1, 2))
    inner = np.sum(w * star, axis=(1, 2))
    right = total - inner**2 / np.sum(star**2, axis=(1, 2))
    applies, error = inner > 0, _ERROR * total
    violated, undecided = left - right > error, np.abs(left - right) <= error
    return LemmaCheck(applies, exists, left, right, error, applies & violated, applies & undecided)


def _stacks(starts: Any, stars: Any, normalized: Any) -> tuple[Array, Array, Array]:
    w = real_array("starts", starts, shape="(n, d, k)")
    star = real_array("stars", stars, shape="(p, d, k)")
    bn = real_array("normalized", normalized, shape="(q, d, k)")
    for name, each in (("stars", star), ("normalized", bn)):
        if each.shape[1:] != w.shape[1:] or not len(each):
            raise ValueError(f"{name}: shape {each.shape} does not fit starts {w.shape}.")
    return w, star, bn
