"""On which learning sets: random ones, and those of scikit-learn, prepared or as they are."""

from bn_experiments.datasets.preparation import (
    PREPARATIONS,
    centred_targets,
    independent_columns,
    prepare,
    with_fit,
    without_intercept,
)
from bn_experiments.datasets.random import RandomLearningSets
from bn_experiments.datasets.scikit_learn import DATA_SETS, Task, load, load_tasks
from bn_experiments.datasets.stacked import StackedOptima, stacked_optima

__all__ = [
    "DATA_SETS",
    "PREPARATIONS",
    "RandomLearningSets",
    "StackedOptima",
    "Task",
    "centred_targets",
    "independent_columns",
    "load",
    "load_tasks",
    "prepare",
    "stacked_optima",
    "with_fit",
    "without_intercept",
]
