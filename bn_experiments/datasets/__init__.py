"""On which learning sets: random ones, and those of scikit-learn, prepared or as they are."""

from bn_experiments.datasets.preparation import PREPARATIONS, independent_columns, prepare
from bn_experiments.datasets.random import RandomLearningSets
from bn_experiments.datasets.scikit_learn import DATA_SETS, Task, load, load_tasks

__all__ = [
    "DATA_SETS",
    "PREPARATIONS",
    "RandomLearningSets",
    "Task",
    "independent_columns",
    "load",
    "load_tasks",
    "prepare",
]
