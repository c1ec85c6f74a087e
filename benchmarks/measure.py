"""Time two ways to the same numbers side by side, after checking that they are the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.project import Progress

Array = npt.NDArray[np.float64]
Run = Callable[[], object]


class DisagreementError(AssertionError):
    """Two ways to the same numbers give different ones: their times cannot be compared."""


def agree(
    what: str, actual: npt.ArrayLike, expected: npt.ArrayLike, tolerance: float, size: npt.ArrayLike
) -> None:
    """Raise `DisagreementError` unless |actual − expected| ≤ tolerance · size, entry by entry."""
    error = np.abs(np.asarray(actual) - np.asarray(expected))
    excess = float(np.max(error / np.asarray(size)))
    if not excess <= tolerance:  # so that NaN disagrees
        raise DisagreementError(
            f"{what}: relative difference {excess:.1e}, allowed {tolerance:.0e}."
        )


@dataclass(frozen=True)
class Case:
    """One piece of the work, done in two ways.

    Attributes
    ----------
    ours, other : callable
        The library, and what it is compared with.
    check : callable
        Raises `DisagreementError` unless both give the same numbers. It warms up both.
    share : float
        Part of the work that `other` does, where all of it would take too long; its time is
        divided by this.
    """

    ours: Run
    other: Run
    check: Callable[[], None]
    share: float = 1.0


@dataclass(frozen=True)
class Row:
    """One comparison, measured: the seconds of each repetition, and what was aimed at.

    Attributes
    ----------
    what, against : str
        The work, and what the library is compared with.
    ours, other : ndarray, shape (repetitions,)
        Seconds.
    limit : float, optional
        Largest share of the other's time aimed at.
    speedup : float, optional
        Smallest factor faster than the other aimed at.
    faster : bool
        Whether the ratio is shown as "times faster".
    why : str
        What stands against the target, printed where it is missed.
    digits : tuple of float, optional
        How many digits are right: the library's, the other's.
    unit : str
        What is compared, if not seconds.
    """

    what: str
    against: str
    ours: Array
    other: Array
    limit: float | None = None
    speedup: float | None = None
    faster: bool = False
    why: str = ""
    digits: tuple[float, float] | None = None
    unit: str = "s"

    @property
    def ratios(self) -> Array:
        """The ratio of each repetition, of two runs that follow each other."""
        return self.other / self.ours if self.faster else self.ours / self.other

    @property
    def target(self) -> str:
        """What is aimed at, in words."""
        if self.limit is not None:
            return f"≤ {self.limit:g}"
        return f"≥ {self.speedup:g}" if self.speedup is not None else "none"

    @property
    def met(self) -> str:
        """Whether the median ratio is what was aimed at."""
        ratio = float(np.median(self.ratios))
        if self.limit is not None:
            return "yes" if ratio <= self.limit else "no"
        if self.speedup is not None:
            return "yes" if ratio >= self.speedup else "no"
        return "–"


def alternate(title: str, cases: Iterable[Case], repetitions: int) -> tuple[Array, Array]:
    """Return the seconds of the library and of the other way, for each repetition.

    Each case is checked once (that is the warm-up too), then timed in the order A B A B …:
    a machine that slows down for a while slows down both sides of one ratio. The times of
    several cases are added, repetition by repetition.
    """
    progress = Progress(title)
    times = np.zeros((2, repetitions))
    for case in cases:
        case.check()
        for repetition in range(repetitions):
            progress.update(f"repetition {repetition + 1} of {repetitions}")
            times[0, repetition] += seconds(case.ours)
            times[1, repetition] += seconds(case.other) / case.share
        del case  # its data, before the next case makes its own
    progress.done()
    return times[0], times[1]


def seconds(run: Run) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
