"""The large sweeps behind the chapters, by name: ``python -m bn_experiments sweep NAME`` runs one.

An experiment is a module with the names that `Experiment` lists. To add one, write the module
and give it a line in `EXPERIMENTS`; it is imported only when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import numpy as np

EXPERIMENTS = {
    "networks": "bn_experiments.sweeps.networks",
    "training": "bn_experiments.sweeps.training",
    "activations": "bn_experiments.sweeps.activations",
}
"""The module of each experiment."""


class Experiment(Protocol):
    """What the module of an experiment must have."""

    DESCRIPTION: str
    """One line for ``python -m bn_experiments list``."""
    SEED: int
    """The seed of the whole sweep."""

    def cases(self) -> list[Any]:
        """Return all cases, quick to make; each is what JSON can hold, with all parameters."""

    def task(self, case: Any, rng: np.random.Generator) -> Any:
        """Run one case; return what JSON can hold, in few bytes."""

    def summary(self, rows: list[Any]) -> dict[str, Any]:
        """Return what the chapter plots, from the results in the order of the cases."""


def experiment(name: str) -> Experiment:
    """Return the module of an experiment.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`, or the dotted name of a module of your own.

    Raises
    ------
    ValueError
        If there is no such experiment, or the module lacks a name.
    """
    if name not in EXPERIMENTS and "." not in name:
        raise ValueError(f"name: {name!r} is unknown; use one of {', '.join(EXPERIMENTS)}.")
    try:
        module: Any = importlib.import_module(EXPERIMENTS.get(name, name))
    except ModuleNotFoundError as error:
        raise ValueError(f"name: {name!r} cannot be imported ({error}).") from error
    parts = ("DESCRIPTION", "SEED", "cases", "task", "summary")
    lacking = [each for each in parts if not hasattr(module, each)]
    if lacking:
        raise ValueError(f"name: the module {name!r} is no experiment; it lacks {lacking}.")
    found: Experiment = module
    return found
