"""The stationary points of a loss, found numerically from many starts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_experiments.search.directions import scan_directions
from bn_experiments.search.pieces import piecewise_minima
from bn_experiments.search.whitened import WhitenedSearch
from bnlib._validation import Array, real_array, whole_number
from bnlib.activations import activation
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.neuron import Neuron
from bnlib.optima import Optimum, Point


@dataclass(frozen=True, eq=False)
class Landscape:
    """The stationary points of a loss that a search has found.

    Attributes
    ----------
    minima : list of Point
        Strict local minima, by increasing loss.
    losses : ndarray, shape (n,)
        Their losses.
    kinds : list of str
        For each minimum, ``"minimum"`` where the loss is smooth, ``"kink"`` where the
        activation has a kink.
    saddles, maxima : list of Point
        By increasing loss; empty unless asked for.
    outcomes : dict of str to int
        Number of starts by what became of them; see `search_weights`.
    """

    minima: list[Point]
    losses: Array
    kinds: list[str]
    saddles: list[Point]
    maxima: list[Point]
    outcomes: dict[str, int]


def search_weights(
    neuron: Neuron, data: LearningSet, starts: npt.ArrayLike, *, saddles: bool = True
) -> Landscape:
    r"""Search for the local minima of a neuron's loss from many starts.

    From each start SciPy's trust-region method minimises the loss with exact gradient and
    Hessian, and a root finder for the gradient polishes the result. Lengths and steps are
    measured by the root mean square of the pre-activations,
    :math:`\|w\| = \sqrt{\tfrac1m\sum_i\langle x_i, w\rangle^2}`, so that no unit matters.

    For an activation that is linear on both sides of 0 and two weights the minima are
    enumerated by `piecewise_minima` instead.

    Parameters
    ----------
    neuron : Neuron
        A neuron whose loss depends on the length of the weights: without batch norm, or with
        ε > 0 or ``scale=False``.
    data : LearningSet
        Examples and targets.
    starts : array_like, shape (n, d)
        Where to start.
    saddles : bool
        Also look for saddles and maxima, with the root finder from each start.

    Returns
    -------
    Landscape
        Its ``outcomes`` count the starts of the minimiser. ``"minimum"``: positive definite
        Hessian, and a Newton step of at most 10⁻⁹ (1 + ‖w‖). ``"saddle"`` and ``"maximum"``:
        the same with other signs of the eigenvalues. ``"escaping"``: the loss still falls
        outward but hardly any more, as it does on the way to a minimiser at infinity.
        ``"flat"``: gradient and Hessian vanish, or the Hessian is singular. ``"kink"``:
        stopped where the activation has a kink. ``"failed"``: none of these. Where minima are
        enumerated the outcomes count the minima, kinks and flat sectors instead.

    Raises
    ------
    ValueError
        If the starts do not fit, the inputs are collinear, or the loss is scale invariant.

    Notes
    -----
    A search from finitely many starts is complete with luck, not by proof.

    Examples
    --------
    >>> from bnlib import counterexample
    >>> search_weights(Neuron("softplus"), counterexample(), [[0, 0], [1, -1]]).minima
    [Point([2.973369, 1.016838])]
    """
    _require_neuron(neuron)
    require_learning_set(data)
    norm, slopes = neuron.normalization, activation(neuron.activation).slopes
    d = data.d + neuron.bias
    begin = real_array("starts", starts, shape="(n, d)", last=d)
    if norm is not None and norm.scale and norm.epsilon == 0.0:
        raise ValueError(
            "neuron: its loss does not change along w, so no minimum is isolated; "
            "use scan_directions."
        )
    if norm is None and slopes is not None and d == 2:
        pieces = piecewise_minima(neuron, data)
        outcomes = Counter(pieces.kinds) + Counter(flat=len(pieces.flat))
        return Landscape(pieces.minima, pieces.losses, pieces.kinds, [], [], dict(outcomes))
    search = WhitenedSearch(neuron, data)
    outcomes = Counter(search.minimize(each) for each in begin @ search.inverse.T)
    if saddles:
        for each in begin @ search.inverse.T:
            search.add(search.root(each))
    minima = search.points("minimum")
    return Landscape(
        [point for point, _ in minima],
        np.array([loss for _, loss in minima]),
        ["minimum"] * len(minima),
        [point for point, _ in search.points("saddle")],
        [point for point, _ in search.points("maximum")],
        dict(outcomes),
    )


def numerical_optima(
    neuron: Neuron, data: LearningSet, rng: np.random.Generator, starts: int = 24
) -> list[Optimum]:
    """Return all local minima that a search finds: what `Neuron.optima` is for the identity.

    With two weights the starts are the local minima of the loss on fine grids: in polar
    coordinates, for pre-activations of a root mean square from 0.05 to 50; and up to 1000 along
    the lines on which one pre-activation is of size 1, because an activation that saturates
    has minima there. (Both bounds grow with the root mean square of the targets above 1.)
    With more weights they are the least-squares solution of the linearized problem and random
    weights, whose pre-activations have a root mean square from 0.1 to 10. For batch norm with
    ε = 0 the directions are scanned.

    Parameters
    ----------
    neuron : Neuron
        Any neuron; two weights if it is scale invariant.
    data : LearningSet
        Examples and targets.
    rng : numpy.random.Generator
        Draws the random starts.
    starts : int
        The number of random starts; none for two weights.

    Returns
    -------
    list of Point or Ray
        By increasing loss.

    Raises
    ------
    ValueError
        As for `search_weights` and `scan_directions`.

    Notes
    -----
    Nothing here proves that the list is complete, except where `piecewise_minima` makes it.
    The lines far out are searched for at most 64 examples.
    """
    _require_neuron(neuron)
    require_learning_set(data)
    whole_number("starts", starts, at_least=1)
    norm = neuron.normalization
    if norm is not None and norm.scale and norm.epsilon == 0.0:
        return list(scan_directions(neuron, data).minima)
    if (
        norm is None
        and activation(neuron.activation).slopes is not None
        and data.d + neuron.bias == 2
    ):
        return list(piecewise_minima(neuron, data).minima)
    search = WhitenedSearch(neuron, data)
    if len(search.frame) == 2:
        for each in search.promising():
            if not search.leads_to_known(each):
                search.minimize(each)
    else:
        v = rng.standard_normal((starts, len(search.frame)))
        v *= (10.0 ** rng.uniform(-1, 1, starts) / np.linalg.norm(v, axis=1))[:, None]
        v[0] = search.linearized()
        for each in v:
            search.minimize(each)
    return [point for point, _ in search.points("minimum")]


def _require_neuron(neuron: Any) -> None:
    if not isinstance(neuron, Neuron):
        raise ValueError(
            f"neuron: expected a Neuron, got {type(neuron).__name__}; write bnlib.Neuron(...)."
        )
