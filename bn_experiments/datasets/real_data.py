"""Learning sets from the data that scikit-learn ships, prepared in the four usual ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bnlib._numeric import angle_between, centered, unit
from bnlib._validation import Array, real_array, real_number, whole_number
from bnlib.learning_set import LearningSet, require_learning_set

DATA_SETS = (
    *("iris", "wine", "breast_cancer", "digits"),
    *("diabetes", "diabetes_raw", "linnerud"),
)
"""What `load_tasks` knows. scikit-learn centres and scales ``diabetes``; ``diabetes_raw`` is
the same data before that."""

PREPARATIONS = ("raw", "scaled", "centred", "standardised")
"""What `prepare` knows."""


@dataclass(frozen=True)
class Task:
    """A learning set with a name.

    Attributes
    ----------
    source : str
        The data set, one of `DATA_SETS`.
    target : str
        The class that is told from the rest, or the quantity that is predicted.
    data : LearningSet
        Inputs as they are shipped, without the dropped columns, and targets.
    columns : tuple of str
        Names of the inputs.
    dropped : tuple of (str, str)
        Name of each dropped column, and why: ``"constant"`` or ``"collinear"``.
    """

    source: str
    target: str
    data: LearningSet
    columns: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The data set and the target, for people."""
        return f"{self.source.replace('_', ' ')}, {self.target}"


def load_tasks(
    sources: Iterable[str] = DATA_SETS, *, coding: tuple[float, float] = (0.0, 1.0)
) -> list[Task]:
    """Return the tasks of some of the data sets that scikit-learn ships.

    A data set with classes gives one task for each class, told from the rest; one with
    quantities gives one task for each quantity. No network is needed.

    Parameters
    ----------
    sources : iterable of str
        Names from `DATA_SETS`.
    coding : tuple of float
        Targets of the rest and of the class.

    Returns
    -------
    list of Task
        In the order of the sources, then of the classes or quantities. Columns are dropped
        by `independent_columns`.

    Raises
    ------
    ValueError
        If a source is unknown, or the coding is not two different finite numbers.
    ImportError
        If scikit-learn is not installed.
    """
    codes = real_array("coding", coding, shape="(2,)", last=2)
    if codes[0] == codes[1]:
        raise ValueError(f"coding: both targets are {codes[0]:g}; give two different numbers.")
    wanted = [sources] if isinstance(sources, str) else list(sources)
    return [task for source in wanted for task in _tasks(source, codes)]


def independent_columns(
    inputs: npt.ArrayLike, *, tolerance: float = 1e-6
) -> tuple[list[int], dict[int, str]]:
    """Return which columns to keep so that the covariance Σ is invertible.

    Constant columns go first. The others are centred and scaled to length 1, and a QR
    decomposition with column pivoting takes them one by one, each time the one farthest from
    the span of those taken before. Where that distance falls to the tolerance, the rest goes.
    Centring comes first because columns may be collinear only together with an intercept;
    columns that are collinear as they are stay so when centred.

    Parameters
    ----------
    inputs : array_like, shape (m, d)
        The inputs X.
    tolerance : float
        Smallest distance, as a fraction of a column's own length after centring, at which a
        column still counts as independent; in (0, 1).

    Returns
    -------
    kept : list of int
        In increasing order.
    dropped : dict of int to str
        The other columns, each with ``"constant"`` or ``"collinear"``.

    Raises
    ------
    ValueError
        If the shape does not fit, a value is not finite, all columns are constant, or the
        tolerance is not in (0, 1).
    """
    from scipy.linalg import qr

    x = real_array("inputs", inputs, shape="(m, d)")
    if not 0.0 < real_number("tolerance", tolerance) < 1.0:
        raise ValueError(f"tolerance: must lie in (0, 1), got {tolerance:g}.")
    if 0 in x.shape:
        raise ValueError(f"inputs: need at least one example and one input, got {x.shape}.")
    difference = centered(x, axis=0)
    varying = np.flatnonzero(difference.any(axis=0))
    if varying.size == 0:
        raise ValueError("inputs: every column is constant, so none is left; use other inputs.")
    triangle, order = qr(unit(difference[:, varying].T).T, mode="r", pivoting=True)
    distance = np.abs(np.diagonal(triangle))
    kept = sorted(varying[order[: len(distance)][distance > tolerance]].tolist())
    why = dict.fromkeys(range(x.shape[1]), "constant") | {int(j): "collinear" for j in varying}
    return kept, {j: reason for j, reason in why.items() if j not in kept}


def prepare(data: LearningSet, preparation: str) -> LearningSet:
    """Return a learning set with its inputs prepared, and the targets as they are.

    Parameters
    ----------
    data : LearningSet
        Examples and targets.
    preparation : str
        ``"raw"``: as it is. ``"scaled"``: each input over its population standard deviation.
        ``"centred"``: minus its mean. ``"standardised"``: both. Means and deviations are over
        the examples of `data`.

    Returns
    -------
    LearningSet

    Raises
    ------
    ValueError
        If the preparation is unknown, or an input that is to be scaled is constant.
    """
    require_learning_set(data)
    if preparation not in PREPARATIONS:
        raise ValueError(f"preparation: unknown {preparation!r}; use one of {PREPARATIONS}.")
    if preparation == "raw":
        return data
    difference = centered(data.inputs, axis=0)
    x = difference if preparation in ("centred", "standardised") else data.inputs
    if preparation != "centred":
        if not difference.any(axis=0).all():
            column = int(np.flatnonzero(~difference.any(axis=0))[0])
            raise ValueError(f"data: input {column} is constant, so it has no scale; drop it.")
        x = x / np.sqrt(np.mean(difference**2, axis=0))
    return LearningSet(x, data.targets)


def resampled_angles(data: LearningSet, rng: np.random.Generator, n: int = 200) -> Array:
    r"""Return θ for n random weightings of the examples: the Bayesian bootstrap.

    Each weighting is uniform on the simplex (Dirichlet with all parameters 1). Means and
    covariances become weighted ones, and

    .. math:: W^* = \hat u + \frac{a}{1+q}\,s, \qquad \hat u = \Sigma^{-1}c, \quad
       s = \Sigma^{-1}\bar x, \quad q = \bar x^\top s, \quad a = \bar t - \bar x^\top\hat u .

    Parameters
    ----------
    data : LearningSet
        Examples and targets; Σ must be invertible.
    rng : numpy.random.Generator
        The source of randomness.
    n : int
        Number of weightings.

    Returns
    -------
    ndarray, shape (n,)
        Angles in radians. Their standard deviation estimates the standard error of θ as a
        property of the sample.

    Raises
    ------
    ValueError
        If n < 2, or Σ is singular: see `independent_columns`.

    Notes
    -----
    No example gets the weight 0, so Σ stays invertible where it is. A bootstrap that draws
    examples with replacement would lose inputs that vary in a few examples only.

    References
    ----------
    Rubin, "The Bayesian bootstrap", The Annals of Statistics 9 (1981), 130–134.
    """
    require_learning_set(data)
    whole_number("n", n, at_least=2)
    if len(independent_columns(data.inputs, tolerance=1e-9)[0]) < data.d:
        raise ValueError("data: constant or collinear inputs; drop them by independent_columns.")
    # In coordinates in which the unweighted Σ is 1: the weighted one is then far from singular.
    size = np.sqrt(data.m)
    basis, root = np.linalg.qr(centered(data.inputs, axis=0) / size)
    basis, back = basis * size, np.linalg.inv(root)
    level = np.linalg.solve(root.T, data.mean_input)
    t = data.targets
    angles = np.empty(n)
    for i in range(n):
        weights = rng.dirichlet(np.ones(data.m))
        away, mean_target = weights @ basis, weights @ t
        weighted = basis.T * weights
        covariance = weighted @ basis - np.outer(away, away)
        mean = level + away
        both = np.stack([weighted @ t - away * mean_target, mean], axis=1)
        slope, s = np.linalg.solve(covariance, both).T
        intercept = mean_target - mean @ slope
        star = slope + s * intercept / (1 + mean @ s)
        angles[i] = angle_between(unit(back @ star), unit(back @ slope))
    return angles


def _tasks(source: str, codes: Array) -> list[Task]:
    """Return the tasks of one data set."""
    if source not in DATA_SETS:
        raise ValueError(f"sources: unknown {source!r}; use names from {DATA_SETS}.")
    bunch = _bunch(source)
    x, t = np.asarray(bunch.data, dtype=float), np.asarray(bunch.target, dtype=float)
    kept, dropped = independent_columns(x)
    names = [str(each) for each in bunch.feature_names]
    if source.startswith("diabetes"):
        targets = {"progression": t}
    elif source == "linnerud":
        targets = {str(name).lower(): t[:, j] for j, name in enumerate(bunch.target_names)}
    else:
        kinds = [str(each).replace("_", " ") for each in bunch.target_names]
        targets = {kind: np.where(t == k, codes[1], codes[0]) for k, kind in enumerate(kinds)}
    columns = tuple(names[j] for j in kept)
    reasons = tuple((names[j], why) for j, why in dropped.items())
    return [
        Task(source, target, LearningSet(x[:, kept], values), columns, reasons)
        for target, values in targets.items()
    ]


def _bunch(source: str) -> Any:
    """Return what scikit-learn ships; imported here because few need it."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "the data sets need scikit-learn; install it, for example with bnlib[data]."
        ) from error
    if source == "diabetes_raw":
        return datasets.load_diabetes(scaled=False)
    return getattr(datasets, f"load_{source}")()
