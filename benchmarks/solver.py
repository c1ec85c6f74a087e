"""`least_squares`, right to the last digit, against NumPy's `lstsq` and one millisecond.

What is looked for is the solution alone: the kernel of a wide problem is left out.
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


def rows(
    repetitions: int,
    solid: Iterable[Problem] = SOLID,
    thin: Iterable[Problem] = THIN,
    small: Iterable[Problem] = SMALL,
) -> list[Row]:
    """Compare for problems (m, d, with intercept or not)."""
    result = []
    for limit, problems in ((3.0, solid), (20.0, thin)):
        for m, d, intercept in problems:
            what = _name(m, d, intercept)
            ours, other = alternate(what, _against_lstsq(m, d, intercept), repetitions)
            result.append(Row(what, "`lstsq`", ours, other, limit=limit))
    for m, d, intercept in small:
        what = _name(m, d, intercept)
        ours, _ = alternate(what, _against_lstsq(m, d, intercept, _SMALL), repetitions)
        millisecond = np.full(repetitions, 1e-3)
        result.append(Row(what, "one millisecond", ours / _SMALL, millisecond, limit=1.0))
    return result


def _name(m: int, d: int, intercept: bool) -> str:
    return f"`least_squares`, {m:,} × {d:,}{' with intercept' if intercept else ''}"


def _against_lstsq(m: int, d: int, intercept: bool, times: int = 1) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(m, d)), rng.normal(size=m)
    columns = np.column_stack([x, np.ones(m)]) if intercept else x

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
