"""The lemma for the optima that training reaches, instead of those that are closest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array, real_array, squared_norm
from bnlib._projection import Projection, Promise, distance, gain
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum, Point, Ray


def reached_optimum(start: npt.ArrayLike, ray: Ray) -> Array:
    r"""Return where gradient flow on the BN loss ends, shape (..., d).

    .. math:: \|W_0\|\, \hat u ,

    with û the unit vector of the ray. For one linear neuron with Σ invertible, c ≠ 0, γ > 0
    frozen and ε = 0, from every start that is not on the opposite ray: the gradient is orthogonal
    to w, so that the length stays, and the loss falls until the direction is û.

    Parameters
    ----------
    start, ray : array_like of shape (..., d), Ray
        W₀, with any leading batch shape, and the BN optima, without kernel.

    Returns
    -------
    ndarray, shape (..., d)

    Raises
    ------
    ValueError
        If a start does not fit the ray, is not finite or too large, or the ray has a kernel.
    """
    if ray.along.size:
        raise ValueError("ray: has a kernel, so that training also keeps that part; pass a ray.")
    w = real_array("start", start, shape="(..., d)", last=ray.d, finite=False)
    return np.asarray(np.sqrt(squared_norm(w))[..., None] * ray.direction)


def check_reached(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
    *,
    weaker: bool = False,
) -> LemmaCheck:
    r"""Check the lemma's inequality with the BN optimum that gradient flow reaches on the left.

    .. math:: \bigl\|W_0 - \|W_0\|\,\hat u\bigr\|^2 = 2\,\|W_0\|^2 (1 - \cos\varphi),

    φ the angle of W₀ and û. On the right is what the lemma promises, or, ``weaker``, the squared
    distance to W*, which plain gradient descent does reach. `exists` is true where W₀ is not
    opposite to û.

    Parameters
    ----------
    standard_optima, normalized_optima : sequence of Point, sequence of Ray
        One W* and one ray, both without kernel.
    weaker : bool
        Compare with ‖W₀ − W*‖², not with the lemma's right side.

    See Also
    --------
    reached_optimum : start and errors.
    check_lemma : result and errors.
    """
    check = check_lemma(start, standard_optima, normalized_optima)
    match list(standard_optima), list(normalized_optima):
        case [Point(along=kernel) as star], [Ray() as ray] if not kernel.size:
            pass
        case _:
            raise ValueError(
                "standard_optima, normalized_optima: pass one Point, without kernel, and one Ray."
            )
    w = real_array("start", start, shape="(..., d)").reshape(-1, ray.d)
    total = squared_norm(w)
    projected = Projection(w, total, np.sqrt(total), star)
    promise: Promise = distance if weaker else gain
    right, right_error = promise(projected)
    left = squared_norm(w - reached_optimum(w, ray))
    left_error = (ray.error + ray.rounding) * projected.size
    error = np.full(len(w), 4e-322)
    for square, off in ((left, left_error), (right, right_error)):
        error += off * (2 * np.sqrt(square) + off)
    applies, excess = projected.along > 0, left - right
    sure, opposite = projected.along > projected.error, w @ ray.direction <= -np.sqrt(total)
    fields = {
        "applies": applies,
        "exists": ~opposite,
        "left": left,
        "right": right,
        "error": error,
        "violated": sure & (excess > error),
        "undecided": (np.abs(projected.along) <= projected.error) | (sure & (abs(excess) <= error)),
    }
    return LemmaCheck(**{k: v.reshape(check.left.shape)[()] for k, v in fields.items()})
