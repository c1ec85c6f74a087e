"""`simulate` with the shortcut, against the bare cost of drawing its random numbers.

The floor is to draw two normals for each initialization, from the same generator in chunks of
the same size, and to throw them away: a simulation cannot do without its random numbers. Only
two are needed whatever d is, so the cost must not depend on d.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import bnlib
from benchmarks.measure import Case, DisagreementError, Row, agree, alternate
from bn_experiments.probability import Gaussian, Simulation, simulate
from bn_experiments.probability.simulation import CHUNK
from bnlib import Point, Ray

_ANGLE = 0.7


def rows(n: int, dimensions: tuple[int, int], repetitions: int) -> list[Row]:
    """Compare for n initializations in two dimensions, with the floor and with each other."""
    found = []
    for d in dimensions:
        what = f"`simulate`, {n:,} starts, d = {d}"
        ours, floor = alternate(f"{what}, floor", _against_the_draws(n, d), repetitions)
        found.append(Row(what, f"drawing {2 * n:,} normals", ours, floor, limit=2.0))
    low, high = dimensions
    what = f"`simulate`, {n:,} starts, d = {high}"
    ours, other = alternate(f"{what}, d = {low}", _against_each_other(n, low, high), repetitions)
    found.append(Row(what, f"the same for d = {low}", ours, other, limit=1.1))
    return found


def _run(n: int, d: int, rng: np.random.Generator) -> Simulation:
    star, ray = np.zeros((2, d))
    star[0], ray[:2] = 3.0, [np.cos(_ANGLE), np.sin(_ANGLE)]
    return simulate(Gaussian(), [Point(star)], [Ray(ray)], n, rng)


def _draw(n: int, rng: np.random.Generator) -> None:
    size = CHUNK // 2
    for begin in range(0, n, size):
        rng.standard_normal((2, min(size, n - begin)))


def _against_the_draws(n: int, d: int) -> Iterator[Case]:
    def check() -> None:
        ours, bare = np.random.default_rng(1), np.random.default_rng(1)
        result = _run(n, d, ours)
        _draw(n, bare)
        if ours.bit_generator.state != bare.bit_generator.state:
            raise DisagreementError("random numbers: the floor does not draw those of `simulate`.")
        law = bnlib.failure_probability(_ANGLE), bnlib.mean_excess(_ANGLE)
        agree("violated", result.violated.z_score(float(law[0])), 0.0, 5.0, 1.0)
        agree("excess", result.excess.z_score(float(law[1])), 0.0, 5.0, 1.0)

    rng = np.random.default_rng(2)
    yield Case(lambda: _run(n, d, rng), lambda: _draw(n, rng), check)


def _against_each_other(n: int, low: int, high: int) -> Iterator[Case]:
    def check() -> None:
        first, second = (_run(n, d, np.random.default_rng(1)) for d in (high, low))
        agree("violated", first.violated.value, second.violated.value, 1e-12, 1.0)
        agree("excess", first.excess.value, second.excess.value, 1e-12, 1.0)

    rng = np.random.default_rng(2)
    yield Case(lambda: _run(n, high, rng), lambda: _run(n, low, rng), check)
