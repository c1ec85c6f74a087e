"""Run a task over many cases, here or wherever joblib is told, with the same results.

A cache keeps what each case gave, in a folder named by a hash of the source code, so that a
mended solver is never answered with old results.
"""

import functools
import hashlib
import inspect
import os
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import distributions
from pathlib import Path
from pickle import PicklingError
from typing import Any, NamedTuple, TypeVar

import joblib
import numpy as np

import bn_experiments
import bnlib
from bn_solver.arrays import whole_number

Case = TypeVar("Case")
Result = TypeVar("Result")

LIBRARIES = ("jax", "numpy", "optax", "scikit-learn", "scipy")
"""Another version of one of these starts anew, as other code does."""


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
    task, cases, seed : callable, iterable, int
        What takes a case and a `numpy.random.Generator`, the cases, the seed of the whole sweep.
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


def _numbered(run_one: Callable[[Call], Any], call: Call) -> tuple[int, Any]:
    return call.i, run_one(call)


class CachedRun:
    """`run` for one task, which keeps what it returns in a folder that processes may share."""

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


def code_hash(task: Callable[..., Any]) -> str:
    """Return the SHA-256 of the source of bnlib, bn_experiments and the module of a task.

    It is that of the first call in a process, however the lines of a file end. The room
    `bn_experiments.book` is left out: no other imports it, so it changes no result.
    """
    function = task.func if isinstance(task, functools.partial) else task
    try:
        return _hash_with(Path(inspect.getfile(function)).resolve())
    except (TypeError, OSError) as error:
        raise ValueError(
            f"task: its source cannot be read ({error}), so a change of it would not be noticed. "
            "Remedy: put it into a module, or sweep without a cache."
        ) from error


@functools.cache
def _hash_with(own: Path) -> str:
    names = {own: own.name}
    for package in (bnlib, bn_experiments):
        root = Path(package.__path__[0]).resolve()
        files = (path for path in root.rglob("*.py") if not path.is_relative_to(root / "book"))
        names |= {path: path.relative_to(root.parent).as_posix() for path in files}
    digest = hashlib.sha256()
    for path, name in sorted(names.items(), key=lambda item: item[1]):
        text = path.read_text(encoding="utf-8").encode()
        digest.update(f"{name} {hashlib.sha256(text).hexdigest()}\n".encode())
    return digest.hexdigest()
