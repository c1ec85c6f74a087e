"""The data that scikit-learn ships: as they are, and as learning sets. No network is needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_experiments.datasets.preparation import independent_columns
from bn_solver.arrays import Array, choice, real_array
from bnlib.learning_set import LearningSet

DATA_SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes", "diabetes_raw", "linnerud")
"""What there is. scikit-learn centres and scales ``diabetes``; ``diabetes_raw`` is before that."""


@dataclass(frozen=True)
class Task:
    """A learning set with a name.

    Attributes
    ----------
    source, target : str
        The data set, and the class that is told from the rest or the quantity.
    data : LearningSet
        Inputs as they are shipped, without the dropped columns, and targets.
    columns, dropped : tuple of str, tuple of (str, str)
        Names of the inputs, and of the others each with its reason: see `independent_columns`.
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


def load(source: str) -> Any:
    """Return one of the data sets that scikit-learn ships.

    Parameters
    ----------
    source : str
        A name from `DATA_SETS`.

    Returns
    -------
    sklearn.utils.Bunch

    Raises
    ------
    ValueError, ImportError
        If the name is unknown, or scikit-learn is not installed.
    """
    choice("source", source, DATA_SETS)
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "the data sets need scikit-learn; install it, for example with bnlib[data]."
        ) from error
    if source == "diabetes_raw":
        return datasets.load_diabetes(scaled=False)
    return getattr(datasets, f"load_{source}")()


def load_tasks(
    sources: Iterable[str] = DATA_SETS, *, coding: tuple[float, float] = (0.0, 1.0)
) -> list[Task]:
    """Return the tasks of some of the data sets that scikit-learn ships.

    In the order of the sources, then of the classes, each told from the rest, or of the
    quantities. Columns are dropped by `independent_columns`.

    Parameters
    ----------
    sources, coding : iterable of str, tuple of two floats
        Names from `DATA_SETS`; the targets of the rest and of the class, which must differ.

    See Also
    --------
    load : errors.
    Task : the result.
    """
    codes = real_array("coding", coding, shape="(2,)", last=2)
    if codes[0] == codes[1]:
        raise ValueError(f"coding: both targets are {codes[0]:g}; give two different numbers.")
    wanted = [sources] if isinstance(sources, str) else list(sources)
    return [task for source in wanted for task in _tasks(source, codes)]


def _tasks(source: str, codes: Array) -> list[Task]:
    bunch = load(source)
    x, t = np.asarray(bunch.data, dtype=float), np.asarray(bunch.target, dtype=float)
    if source.startswith("diabetes"):
        targets = {"progression": t}
    elif source == "linnerud":
        targets = {name.lower(): t[:, j] for j, name in enumerate(bunch.target_names)}
    else:
        kinds = [str(each).replace("_", " ") for each in bunch.target_names]
        targets = {kind: np.where(t == k, codes[1], codes[0]) for k, kind in enumerate(kinds)}
    kept, dropped = independent_columns(x)
    names = [str(each) for each in bunch.feature_names]
    columns = tuple(names[j] for j in kept)
    reasons = tuple((names[j], why) for j, why in dropped.items())
    return [
        Task(source, target, LearningSet(x[:, kept], values), columns, reasons)
        for target, values in targets.items()
    ]
