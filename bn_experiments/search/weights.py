"""The local minima of a loss, found numerically from many starts."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_experiments.search._whitened import WhitenedSearch
from bn_experiments.search.directions import scan_directions
from bn_experiments.search.pieces import Landscape, piecewise_minima
from bn_solver.arrays import real_array
from bn_solver.limits import within_range
from bnlib import LearningSet, Neuron, activation
from bnlib.learning_set import require_learning_set
from bnlib.optima import Optimum

_STARTS = 24  # of `numerical_optima` for more than two weights


@within_range("data, starts")
def search_weights(neuron: Neuron, data: LearningSet, starts: npt.ArrayLike) -> Landscape:
    r"""Search for the local minima of a neuron's loss from many starts.

    From each start SciPy's trust-region method minimises the loss with exact gradient and
    Hessian, and a root finder for the gradient polishes the result. Lengths and steps are
    measured by the root mean square of the pre-activations,
    :math:`\|w\| = \sqrt{\tfrac1m\sum_i\langle x_i, w\rangle^2}`, so that no unit matters.

    For a standard neuron of two weights whose activation has ``slopes``, as ReLU, all minima
    are enumerated instead, without the starts: on each side of the lines
    :math:`\langle x_i, w\rangle = 0` the loss is a quadratic.

    Parameters
    ----------
    neuron : Neuron
        A neuron whose loss depends on the length of the weights: without batch norm, or with
        ε > 0 or ``scale=False``.
    data, starts : LearningSet, array_like of shape (n, d)
        Examples and targets; where to start.

    Returns
    -------
    Landscape
        Its ``outcomes``: ``"minimum"``, positive definite Hessian, and a Newton step of at
        most 10⁻⁹ (1 + ‖w‖); ``"saddle"`` and ``"maximum"``, the same with other signs of the
        eigenvalues; ``"escaping"``, the loss still falls outward but hardly any more, as it
        does on the way to a minimiser at infinity; ``"flat"``, the Hessian is singular;
        ``"kink"``, stopped where the activation has a kink; ``"failed"``, none of these.

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
    >>> found = search_weights(Neuron("relu"), counterexample(), [[0, 0]])
    >>> found.minima, [each.kind for each in found.flat]
    ([Point([3., 1.])], ['plateau', 'valley'])
    """
    _require(neuron, data)
    begin = real_array("starts", starts, shape="(n, d)", last=data.d + neuron.bias)
    if _is_scale_invariant(neuron):
        raise ValueError(
            "neuron: its loss does not change along w, so no minimum is isolated; "
            "use scan_directions."
        )
    pieces = _enumerated(neuron, data)
    if pieces is not None:
        return pieces
    search = WhitenedSearch(neuron, data)
    outcomes = Counter(search.minimize(each) for each in begin @ search.inverse.T)
    minima = search.minima()
    return Landscape(minima, ["minimum"] * len(minima), [], dict(outcomes))


@within_range("data")
def numerical_optima(neuron: Neuron, data: LearningSet, rng: np.random.Generator) -> list[Optimum]:
    """Return all local minima that a search finds: what `Neuron.optima` is for the identity.

    With two weights the starts are the local minima of the loss on fine grids: in polar
    coordinates, for pre-activations of a root mean square from 0.05 to 50; and, for at most 64
    examples, up to 1000 along the lines on which one pre-activation is of size 1, because an
    activation that saturates has minima there. (Both bounds grow with the root mean square of
    the targets above 1.) With more weights they are the least-squares solution of the
    linearized problem and random weights, whose pre-activations have a root mean square from
    0.1 to 10. Minima are enumerated where `search_weights` does; for batch norm with ε = 0 the
    directions are scanned. Only an enumeration proves the list complete.

    Parameters
    ----------
    neuron, rng : Neuron, numpy.random.Generator
        Any neuron; two weights if it is scale invariant. What draws the random starts.

    Returns
    -------
    list of Point or Ray
        By increasing loss, each with a bound of its error: rounding alone cannot make the loss
        rise as it does from the optimum to where the bound ends.

    See Also
    --------
    search_weights, scan_directions : `data`, and errors.
    """
    _require(neuron, data)
    if _is_scale_invariant(neuron):
        return list(scan_directions(neuron, data).minima)
    pieces = _enumerated(neuron, data)
    if pieces is not None:
        return list(pieces.minima)
    search = WhitenedSearch(neuron, data)
    if len(search.frame) == 2:
        for each in search.promising():
            if not search.leads_to_known(each):
                search.minimize(each)
    else:
        v = rng.standard_normal((_STARTS, len(search.frame)))
        v *= (10.0 ** rng.uniform(-1, 1, _STARTS) / np.linalg.norm(v, axis=1))[:, None]
        v[0] = search.linearized()
        for each in v:
            search.minimize(each)
    return list(search.minima())


def _is_scale_invariant(neuron: Neuron) -> bool:
    norm = neuron.normalization
    return norm is not None and norm.scale and norm.epsilon == 0.0


def _enumerated(neuron: Neuron, data: LearningSet) -> Landscape | None:
    """Return all minima where they can be enumerated, else None."""
    slopes, columns = activation(neuron.activation).slopes, neuron.columns(data)
    if neuron.normalization is not None or slopes is None or len(columns) != 2:
        return None
    return piecewise_minima(columns.T, data.targets, slopes)


def _require(neuron: Any, data: Any) -> None:
    if not isinstance(neuron, Neuron):
        raise ValueError(
            f"neuron: expected a Neuron, got {type(neuron).__name__}; write bnlib.Neuron(...)."
        )
    require_learning_set(data)
