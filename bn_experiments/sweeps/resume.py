"""A sweep that may be killed at any moment and continues where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, as_completed
from functools import partial
from typing import Any

import numpy as np

from bn_experiments.sweeps.results_file import ResultsFile, header
from bn_experiments.sweeps.sweep import case_seeds, run_case

Task = Callable[[Any, np.random.Generator], Any]


def resumable_sweep(
    path: str | os.PathLike[str],
    task: Task,
    cases: Iterable[Any],
    *,
    seed: int,
    name: str,
    executor: Executor | None = None,
    progress: bool = False,
) -> list[Any]:
    """Do what `sweep` does, and keep every finished case in a file.

    The result of a case is on the disk as soon as the case is finished. After an interruption
    of any kind, the same call runs only the cases that are missing. Case i gets the generator
    spawned i-th from `seed` each time. So the complete file is the same, byte for byte, however
    often the sweep was interrupted and whatever the executor.

    Parameters
    ----------
    path : str or Path
        The results file, JSON Lines: a header, then one line for each case. A file of another
        sweep is never changed.
    task : callable
        As for `sweep`. Its results must be what JSON can hold: finite numbers, texts,
        lists and dictionaries with text keys.
    cases : iterable
        What to run the task on; likewise what JSON can hold. All parameters of the task belong
        here, because the header has a digest of the cases.
    seed : int
        The seed of the whole sweep.
    name : str
        The name of the sweep, for the header.
    executor : concurrent.futures.Executor, optional
        As for `sweep`.
    progress : bool
        Show a progress bar on stderr if that is a terminal. Cases of earlier runs are in it.

    Returns
    -------
    list
        One result for each case, in the order of the cases, as read back from JSON: a tuple
        has become a list.

    Raises
    ------
    ValueError
        If the file belongs to another sweep (name, seed, cases or version of bnlib), is
        damaged, or is being written by another process; or if a case or a result is nothing
        that JSON can hold, NaN and infinity included.
    OSError
        If the file cannot be opened or written, as on a full disk.

    Notes
    -----
    An error of the task ends the sweep, but not before the cases that are running then are
    stored. Numbers are written with all their digits. On Windows nothing keeps two processes
    from writing to one file.
    """
    every = list(cases)
    with ResultsFile(path, header(name, seed, every)) as file:
        missing = [i for i in range(len(every)) if i not in file.results]
        seeds = case_seeds(seed, len(every))
        with _bar(len(every), len(file.results), shown=progress) as bar:

            def store(i: int, result: Any) -> None:
                if i not in file.results:
                    file.append(i, result)
                    bar.update()

            calls = {i: partial(run_case, task, every[i], seeds[i]) for i in missing}
            if executor is None:
                for i, call in calls.items():
                    store(i, call())
            else:
                _collect(executor, calls, store)
        file.complete()
        return [file.results[i] for i in range(len(every))]


def _collect(
    executor: Executor, calls: Mapping[int, Callable[[], Any]], store: Callable[[int, Any], None]
) -> None:
    """Store each result when it comes; after an error, only what is running already."""
    futures: dict[Future[Any], int] = {}
    failure: Exception | None = None
    waiting: set[Future[Any]] = set()
    try:
        for i, call in calls.items():
            futures[executor.submit(call)] = i
        waiting = set(futures)
        for future in as_completed(futures):
            try:
                if not future.cancelled():
                    store(futures[future], future.result())
            except Exception as error:
                failure = failure or error
                for each in waiting:
                    each.cancel()
            waiting.discard(future)
        if failure is not None:
            raise failure
    except BaseException:
        # An interruption: what has come in meanwhile is finished too.
        for future in futures:
            future.cancel()
        for future in waiting:
            if future.done() and not future.cancelled() and future.exception() is None:
                store(futures[future], future.result())
        raise


def _bar(total: int, done: int, *, shown: bool) -> Any:
    # Imported on request only: a bar has no place in a stored output.
    if not shown:
        from contextlib import nullcontext

        return nullcontext(_Silent())
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit="case", disable=None)


class _Silent:
    def update(self) -> None:
        """Show nothing."""
