"""`stacked_optima` of many learning sets, against a loop over scikit-learn and NumPy's `pinv`.

The other ways are what one would write without the stacked call: for each learning set two fits
of `LinearRegression`, without intercept for W* and with intercept for the ray; or two products
with stacked pseudoinverses, as `lstsq` takes no stack.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LinearRegression

from benchmarks.measure import Array, Case, Row, agree, alternate
from bn_experiments.datasets import RandomLearningSets, stacked_optima

_WHY = (
    "a fit of the loop takes the same fraction of a millisecond whatever its size, nearly all of "
    "it overhead, and ours grows with the set: what is promised holds for the book's three points"
)


def rows(n: int, repetitions: int, looped: int, m: int = 3, d: int = 2) -> list[Row]:
    """Compare for n learning sets of m points and d inputs; the loop does `looped` of them."""
    what = f"`stacked_optima`, {n:,} sets of {m} points, {d} inputs"
    ours, loop = alternate(what, _against_a_loop(n, looped, m, d), repetitions)
    against = f"`LinearRegression` twice, {looped:,} of them, scaled"
    found = [Row(what, against, ours, loop, speedup=100.0, faster=True, why=_WHY)]
    ours, other = alternate(f"{what}, pinv", _against_pinv(n, m, d), repetitions)
    found.append(Row(what, "stacked `pinv` twice", ours, other))
    return found


def _against_pinv(n: int, m: int, d: int) -> Iterator[Case]:
    inputs, targets = RandomLearningSets(m, d).sample(np.random.default_rng(1), n)

    def both() -> tuple[Array, Array]:
        columns = np.concatenate([inputs, np.ones((n, m, 1))], axis=2)
        stars, lines = (np.linalg.pinv(x) @ targets[..., None] for x in (inputs, columns))
        return stars[..., 0], lines[..., 0]

    def check() -> None:
        result, (stars, lines) = stacked_optima(inputs, targets), both()
        agree("W*", result.stars, stars, 1e-4, _length(stars))
        agree("slope", result.slopes, lines[:, :-1], 1e-4, _length(lines))

    yield Case(lambda: stacked_optima(inputs, targets), both, check)


def _against_a_loop(n: int, looped: int, m: int, d: int) -> Iterator[Case]:
    inputs, targets = RandomLearningSets(m, d).sample(np.random.default_rng(1), n)
    some = inputs[:looped], targets[:looped]

    def check() -> None:
        result = stacked_optima(inputs, targets)
        stars, lines = _loop(*some)
        ours = np.column_stack([result.slopes, result.intercepts])[: len(lines)]
        agree("W*", result.stars[: len(stars)], stars, 1e-10, _length(stars))
        agree("slope and intercept", ours, lines, 1e-10, _length(lines))

    yield Case(
        lambda: stacked_optima(inputs, targets),
        lambda: _loop(*some),
        check,
        share=len(some[0]) / n,
    )


def _loop(inputs: Array, targets: Array) -> tuple[Array, Array]:
    """Return W*, and slope and intercept together, of each set."""
    stars, lines = [], []
    for x, t in zip(inputs, targets, strict=True):
        stars.append(LinearRegression(fit_intercept=False).fit(x, t).coef_)
        line = LinearRegression().fit(x, t)
        lines.append([*line.coef_, line.intercept_])
    return np.array(stars), np.array(lines)


def _length(vectors: Array) -> Array:
    return np.asarray(np.linalg.norm(vectors, axis=1, keepdims=True))
