"""`check_lemma` on many initializations, against its floor and against a Python loop.

The floor is one matrix product of the starts with the two directions, and one pass for their
norms. Whoever checks the lemma needs both: its sides are made of ‖W₀‖² and of the projections
of W₀ on W* and on the ray, and they cannot be had without reading every weight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Array, Case, Row, agree, alternate
from bnlib import LemmaCheck, Point, Ray, check_lemma

_WHY = (
    "the other side computes three numbers of each start and decides nothing; the check returns "
    "seven, with a verdict that rounding cannot change, by passes over arrays of one number a "
    "start, which cost the same at every d and so weigh most where d is small; the printed formula "
    "in NumPy, which bounds nothing, is the next row"
)
# Weights in memory at a time: 2²⁷ doubles are 1 GiB. More starts come in several blocks.
_BLOCK = 1 << 27


def rows(n: int, dimensions: tuple[int, ...], repetitions: int, looped: int) -> list[Row]:
    """Compare for n starts in each dimension.

    Parameters
    ----------
    n : int
        Number of starts.
    dimensions : tuple of int
    repetitions : int
    looped : int
        Number of starts that the Python loop does; its time is scaled to as many as
        `check_lemma` does.
    """
    found = []
    for d in dimensions:
        what = f"`check_lemma`, {n:,} starts, d = {d}"
        ours, floor = alternate(f"{what}, floor", _against_the_floor(n, d), repetitions)
        found.append(Row(what, "product and norms", ours, floor, limit=1.5, why=_WHY))
        first = min(n, max(1, _BLOCK // d))
        what = f"`check_lemma`, {first:,} starts, d = {d}"
        ours, plain = alternate(f"{what}, NumPy", _against_numpy(first, d), repetitions)
        found.append(Row(what, "the printed formula in NumPy", ours, plain))
        ours, loop = alternate(f"{what}, loop", _against_a_loop(first, d, looped), repetitions)
        against = f"Python loop, {looped:,} of them, scaled"
        found.append(Row(what, against, ours, loop, faster=True))
    return found


def _optima(d: int) -> tuple[Point, Ray]:
    star, away = np.random.default_rng(d).standard_normal((2, d))
    return Point(star), Ray(star + away)


def _against_the_floor(n: int, d: int) -> Iterator[Case]:
    rng = np.random.default_rng(1)
    size = max(1, _BLOCK // d)
    for begin in range(0, n, size):
        yield _floor_case(rng.standard_normal((min(size, n - begin), d)))


def _floor_case(starts: Array) -> Case:
    d = starts.shape[1]
    star, ray = _optima(d)
    directions = np.stack([star.weights / np.linalg.norm(star.weights), ray.direction], axis=1)

    def ours() -> LemmaCheck:
        return check_lemma(starts, [star], [ray])

    def floor() -> tuple[Array, Array]:
        return starts @ directions, np.einsum("ij,ij->i", starts, starts)

    def check() -> None:
        result, (along, squares) = ours(), floor()
        left = squares - np.maximum(along[:, 1], 0.0) ** 2
        agree("left side", result.left, left, 1e-13, squares)
        agree("right side", result.right, squares - along[:, 0] ** 2, 1e-13, squares)

    return Case(ours, floor, check)


def _against_numpy(n: int, d: int) -> Iterator[Case]:
    star, ray = _optima(d)
    starts = np.random.default_rng(1).standard_normal((n, d))

    def plain() -> list[Array]:
        return _all_at_once(starts, star.weights, ray.direction)

    def check() -> None:
        result, (applies, left, right, violated) = check_lemma(starts, [star], [ray]), plain()
        size = np.linalg.norm(starts, axis=1) ** 2
        agree("hypothesis", result.applies.astype(float), applies.astype(float), 0.0, 1.0)
        agree("left side", result.left, left, 1e-11, size)
        agree("right side", result.right, right, 1e-11, size + star.weights @ star.weights)
        differ = (result.violated != violated) & ~result.undecided
        agree("verdict", float(differ.any()), 0.0, 0.0, 1.0)

    yield Case(lambda: check_lemma(starts, [star], [ray]), plain, check)


def _against_a_loop(n: int, d: int, looped: int) -> Iterator[Case]:
    star, ray = _optima(d)
    starts = np.random.default_rng(1).standard_normal((n, d))
    some = starts[:looped]

    def check() -> None:
        result = check_lemma(starts, [star], [ray])
        applies, left, right = np.array(_loop(some, star.weights, ray.direction)).T
        size = np.linalg.norm(some, axis=1) ** 2
        agree("hypothesis", result.applies[: len(some)], applies, 0.0, 1.0)
        agree("left side", result.left[: len(some)], left, 1e-11, size)
        # The printed formula subtracts numbers of size ‖W₀ − W*‖².
        both = size + star.weights @ star.weights
        agree("right side", result.right[: len(some)], right, 1e-11, both)

    yield Case(
        lambda: check_lemma(starts, [star], [ray]),
        lambda: _loop(some, star.weights, ray.direction),
        check,
        share=len(some) / n,
    )


def _all_at_once(starts: Array, star: Array, unit: Array) -> list[Array]:
    """Evaluate the lemma as it is printed, on whole arrays; no bound of any error."""
    inner, square = starts @ star, star @ star
    nearest = np.maximum(starts @ unit, 0.0)[:, None] * unit
    left = np.square(starts - nearest).sum(axis=1)
    right = np.square(starts - star).sum(axis=1) - (square - inner) ** 2 / square
    return [inner > 0, left, right, (inner > 0) & (left > right)]


def _loop(starts: Array, star: Array, unit: Array) -> list[tuple[bool, float, float]]:
    """Evaluate the lemma as it is printed, start by start."""
    found = []
    for start in starts:
        nearest = max(start @ unit, 0.0) * unit
        inner, square = start @ star, star @ star
        left = (start - nearest) @ (start - nearest)
        right = (start - star) @ (start - star) - (square - inner) ** 2 / square
        found.append((inner > 0, left, right))
    return found
