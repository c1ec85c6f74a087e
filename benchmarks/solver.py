"""`least_squares`, right to the last digit, against NumPy's `lstsq` and one millisecond.

What is looked for is the solution alone: the kernel of a wide problem is left out. The digits are
those of the largest error, in length: ours by its own bound, of `lstsq` by the distance to ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from benchmarks.measure import Array, Case, Row, agree, alternate
from bn_solver import least_squares

Problem = tuple[int, int, bool]

# d² ≥ m and m·d ≥ 10⁵: at most three times the time of `lstsq`.
SOLID = ((330, 320, True), (2_000, 60, True), (3_000, 300, False), (300, 3_000, False))
# Long and thin: at most twenty times.
THIN = ((1_000_000, 3, True), (100_000, 5, True), (20_000, 50, True))
SMALL = ((3, 2, True), (50, 10, True), (50, 50, False))
# As many small problems are solved, one by one, for one time.
_SMALL = 20
_WHY = "this is a fixed time: a slower machine exceeds it, first where there are most columns"


def rows(
    repetitions: int,
    solid: Iterable[Problem] = SOLID,
    thin: Iterable[Problem] = THIN,
    small: Iterable[Problem] = SMALL,
) -> list[Row]:
    """Compare for problems (m, d, with intercept or not)."""
    result = []
    for limit, problems in ((3.0, solid), (20.0, thin)):
        for problem in problems:
            ours, other = alternate(_name(*problem), _against_lstsq(problem), repetitions)
            row = Row(_name(*problem), "`lstsq`", ours, other, limit=limit, digits=_digits(problem))
            result.append(row)
    for problem in small:
        ours, _ = alternate(_name(*problem), _against_lstsq(problem, _SMALL), repetitions)
        one = np.full(repetitions, 1e-3)
        row = Row(_name(*problem), "one millisecond", ours / _SMALL, one, limit=1.0, why=_WHY)
        result.append(row)
    return result


def _name(m: int, d: int, intercept: bool) -> str:
    return f"`least_squares`, {m:,} × {d:,}{' with intercept' if intercept else ''}"


def _data(m: int, d: int, intercept: bool) -> tuple[Array, Array, Array]:
    """Return X, t, and the columns that `lstsq` is given."""
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(m, d)), rng.normal(size=m)
    return x, t, np.column_stack([x, np.ones(m)]) if intercept else x


def _against_lstsq(problem: Problem, times: int = 1) -> Iterator[Case]:
    _, d, intercept = problem
    x, t, columns = _data(*problem)

    def ours() -> Array:
        for _ in range(times):
            result = least_squares(x, t, intercept=intercept, kernel=False)
        return result.solution

    def other() -> Array:
        for _ in range(times):
            solution = np.linalg.lstsq(columns, t)[0]
        return np.asarray(solution[:d], dtype=np.float64)

    def check() -> None:
        expected = other()
        agree("solution", ours(), expected, 1e-8, np.linalg.norm(expected))

    yield Case(ours, other, check)


def _digits(problem: Problem) -> tuple[float, float]:
    """Return how many digits of the solution are right: ours, and those of `lstsq`."""
    _, d, intercept = problem
    x, t, columns = _data(*problem)
    found = least_squares(x, t, intercept=intercept, kernel=False)
    size, off = np.linalg.norm(found.solution), np.linalg.lstsq(columns, t)[0][:d] - found.solution
    ours, other = (np.linalg.norm(each) / size for each in (found.error, off))
    return float(-np.log10(ours)), float(-np.log10(max(ours, other)))
