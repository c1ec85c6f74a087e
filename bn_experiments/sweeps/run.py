"""Run one case, or read from a cache what it gave before."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from pickle import PicklingError
from typing import Any, NamedTuple

import joblib
import numpy as np

from bn_experiments.sweeps.code_hash import code_hash

LIBRARIES = ("jax", "numpy", "optax", "scikit-learn", "scipy")
"""Another version of one of these starts anew, as other code does."""


class Call(NamedTuple):
    """Case i of a sweep, with all that its result depends on, but the code."""

    task: Callable[[Any, np.random.Generator], Any]
    case: Any
    seed: int
    i: int


def run(call: Call) -> Any:
    """Return what the task gives for the case, with the generator spawned i-th from the seed."""
    seed = np.random.SeedSequence(call.seed, spawn_key=(call.i,))
    return call.task(call.case, np.random.default_rng(seed))


class CachedRun:
    """`run` for one task, which keeps what it returns in a folder and reads it there next time.

    Several processes may use the folder at once; other code has a folder of its own in it.
    """

    def __init__(self, cache: str | os.PathLike[str], task: Callable[..., Any]) -> None:
        self.code = code_hash(task)
        used = sorted(
            each.name + each.version for each in distributions() if each.name in LIBRARIES
        )
        self.folder = Path(cache).resolve() / joblib.hash([self.code, used])
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "Unable to write")
                self._run = joblib.Memory(self.folder, verbose=0).cache(run)
            self._run.check_call_in_cache(None)  # writes the code of `run`; the first call does
        except (OSError, UserWarning) as error:
            raise self._failure("results", error) from error

    def has(self, call: Call) -> bool:
        """Return whether the result of a call is there."""
        try:
            return bool(self._run.check_call_in_cache(call))
        except (PicklingError, TypeError) as error:
            raise ValueError(
                f"task, cases: case {call.i} cannot be pickled ({error}), as a cache demands. "
                "Use a function of a module, numbers, texts, lists and dictionaries."
            ) from error

    def __call__(self, call: Call) -> Any:
        """Return the result of a call, and have it in the folder."""
        if code_hash(call.task) != self.code:
            raise ValueError(
                "cache: a worker has other source code than the process that started it. "
                "Remedy: start the sweep again; on a cluster, install the same code everywhere."
            )
        what = f"the result of case {call.i}"
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Unable to cache")
            try:
                result = self._run(call)
            except Warning as warning:
                if "Unable to cache" not in str(warning):
                    raise
                raise self._failure(what, warning.__context__) from warning
        if not self.has(call):  # in threads the filters of warnings may be lost
            raise self._failure(what, "it is not there")
        return result

    def _failure(self, what: str, reason: object) -> OSError:
        return OSError(
            f"cache: {what} cannot be kept in {self.folder} ({reason}). Cases that are there stay. "
            "Remedy: make room, give another folder, or return what can be pickled; "
            "then run the same again."
        )
