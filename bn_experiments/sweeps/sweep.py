"""Run a task over many cases, on one core or on a cluster, with the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar

import numpy as np

from bnlib._validation import whole_number

Case = TypeVar("Case")
Result = TypeVar("Result")


def sweep(
    task: Callable[[Case, np.random.Generator], Result],
    cases: Iterable[Case],
    *,
    seed: int,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[Result]:
    """Return ``[task(case, rng) for case in cases]``, each with a generator of its own.

    Case i always gets the generator spawned i-th from `seed`. So the results do not depend on
    the executor, on the number of its workers, or on the order in which they finish.

    Parameters
    ----------
    task : callable
        Takes a case and a `numpy.random.Generator`. For an executor with processes it must be
        importable there: a function of a module, or a `functools.partial` of one.
    cases : iterable
        What to run the task on.
    seed : int
        The seed of the whole sweep.
    executor : concurrent.futures.Executor, optional
        Where to run: a thread or process pool, or ``client.get_executor()`` of a Dask client.
        None runs in this process.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    list
        One result for each case, in the order of the cases.

    Raises
    ------
    ValueError
        If the seed is not a non-negative integer.
    """
    whole_number("seed", seed, at_least=0)
    every = list(cases)
    seeds = case_seeds(seed, len(every))
    run = partial(run_case, task)
    results = map(run, every, seeds) if executor is None else executor.map(run, every, seeds)
    return list(_shown(results, len(every)) if progress else results)


def case_seeds(seed: int, n: int) -> list[np.random.SeedSequence]:
    """Return the seeds of cases 0 to n − 1; those of fewer cases are the first of these."""
    return np.random.SeedSequence(int(seed)).spawn(n)


def run_case(task: Callable[[Any, np.random.Generator], Any], case: Any, seed: Any) -> Any:
    """Run a task on one case, with the generator of its seed."""
    return task(case, np.random.default_rng(seed))


def _shown(results: Iterable[Any], total: int) -> Iterable[Any]:
    # Imported on request only: a bar has no place in a stored output.
    from tqdm import tqdm

    bar: Sequence[Any] | Iterable[Any] = tqdm(results, total=total)
    return bar
