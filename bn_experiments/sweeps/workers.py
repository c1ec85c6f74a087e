"""A pool of worker processes, one thread each, that does not outlive this process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from bnlib._validation import whole_number

# Each of these libraries would start as many threads as there are cores, in every worker.
# One thread also fixes the order of its sums, and so the last digits of the results.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@contextmanager
def workers(n: int) -> Iterator[Executor]:
    """Give an executor with n processes, for `sweep` and `resumable_sweep`.

    Parameters
    ----------
    n : int
        Number of processes.

    Yields
    ------
    concurrent.futures.Executor
        Its processes are started afresh ("spawn"), compute with one thread each, leave Ctrl-C
        to this process, and end when this process ends, even if it is killed.

    Raises
    ------
    ValueError
        If n is not a positive whole number.
    """
    count = whole_number("n", n, at_least=1)
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))  # the workers inherit it
    try:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=spawn, initializer=_settle) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _settle() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    # A killed process cannot tell its workers to stop; they would wait for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
