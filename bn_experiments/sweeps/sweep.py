"""Run a task over many cases, in this process or wherever joblib is told, with the same results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import joblib
import numpy as np

from bn_experiments.sweeps.run import CachedRun, Call, run
from bnlib._arrays import whole_number

Case = TypeVar("Case")
Result = TypeVar("Result")


def sweep(
    task: Callable[[Case, np.random.Generator], Result],
    cases: Iterable[Case],
    *,
    seed: int,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> list[Result]:
    """Return ``[task(case, rng) for case in cases]``, each with a generator of its own.

    Case i always gets the generator spawned i-th from `seed`. So the results do not depend on
    where the cases run or on the order in which they end. They run in this process, unless
    joblib is told otherwise::

        with joblib.parallel_config("loky", n_jobs=4, inner_max_num_threads=1): ...
        with joblib.parallel_config("dask", client=client): ...

    Parameters
    ----------
    task : callable
        Takes a case and a `numpy.random.Generator`.
    cases : iterable
        What to run the task on.
    seed : int
        The seed of the whole sweep.
    cache : str or Path, optional
        A folder that keeps every finished case: whatever ends the sweep, the same call runs
        only the others. All of them run anew if the source of bnlib, bn_experiments (but for
        its figures) or the task's module has changed, or a library that computes. The task is
        a function of a module, or a partial of one. A cluster needs a folder that all share.
    progress : bool
        Show a progress bar on stderr if that is a terminal.

    Returns
    -------
    list
        One result for each case, in the order of the cases.

    Raises
    ------
    ValueError
        If the seed is not a non-negative integer, or task or cases cannot be pickled for a cache.
    OSError
        If a result cannot be kept in the cache, as on a full disk.
    """
    seed = whole_number("seed", seed, at_least=0)
    calls = [Call(task, case, seed, i) for i, case in enumerate(cases)]
    run_one, missing = run, calls
    if cache is not None:
        run_one = cached = CachedRun(cache, task)
        missing = [call for call in calls if not cached.has(call)]
    found = joblib.Parallel(return_as="generator_unordered")(
        joblib.delayed(_numbered)(run_one, call) for call in missing
    )
    if progress:
        from tqdm import tqdm  # on request only: a bar has no place in a stored output

        done = len(calls) - len(missing)
        found = tqdm(found, total=len(calls), initial=done, unit="case", disable=None)
    results = dict(found)
    return [results[call.i] if call.i in results else run_one(call) for call in calls]


def _numbered(run_one: Callable[[Call], Any], call: Call) -> tuple[int, Any]:
    return call.i, run_one(call)
