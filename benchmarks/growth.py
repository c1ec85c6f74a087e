"""How the cost grows: with the starts n, the weights d, the examples m, and with the workers.

Each curve is measured at sizes that double or more, the best of a few runs, and the slope is that
of a line through its upper half in double logarithmic axes: 1 is proportional, 0 constant.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

from benchmarks.measure import Array, Run, seconds
from bn_experiments.datasets import RandomLearningSets, stacked_optima
from bn_experiments.probability import Gaussian, simulate
from bn_experiments.sweeps import sweep
from bn_solver import least_squares
from bnlib import Point, Ray, check_lemma
from tools.project import Progress

PICTURE = "growth.svg"


class Curve(NamedTuple):
    """A call, what grows, what slope the operations alone would give, and the measured seconds."""

    call: str
    grows: str
    expected: str
    sizes: Array
    seconds: Array

    @property
    def slope(self) -> float:
        """The slope of the line through the upper half of the points, in logarithms."""
        half = slice(len(self.sizes) // 2 - 1, None)
        x, y = np.log(self.sizes[half]), np.log(self.seconds[half])
        return float(np.polyfit(x, y, 1)[0])


def _starts(n: int, d: int) -> Run:
    rng = np.random.default_rng(d)
    starts, star, away = rng.standard_normal((n, d)), *rng.standard_normal((2, d))
    point, ray = Point(star), Ray(star + away)
    return lambda: check_lemma(starts, [point], [ray])


def _simulation(n: int, d: int) -> Run:
    star, ray = np.eye(2, d), np.eye(2, d)[0] + np.eye(2, d)[1]
    rng = np.random.default_rng(1)
    return lambda: simulate(Gaussian(), [Point(star[0])], [Ray(ray)], n, rng)


def _fit(m: int, d: int) -> Run:
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(m, d)), rng.normal(size=m)
    return lambda: least_squares(x, t, intercept=True, kernel=False)


def _sets(n: int, m: int) -> Run:
    inputs, targets = RandomLearningSets(m, 2).sample(np.random.default_rng(1), n)
    return lambda: stacked_optima(inputs, targets)


def _case(size: int, rng: np.random.Generator) -> float:
    """Do one case of a sweep."""
    found = simulate(Gaussian(), [Point([1.0, 0.0])], [Ray([1.0, 1.0])], size, rng)
    return float(found.violated.value)


def _sweep(cases: int, size: int, workers: int) -> object:
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        return sweep(_case, [size] * cases, seed=0)


def curves(scale: float, repetitions: int) -> Iterator[Curve]:
    """Measure every curve, with sizes times `scale`."""

    def sizes(*exponents: int) -> list[int]:
        return [max(8 + each, int(scale * 2**each)) for each in exponents]

    n = sizes(14, 16, 18, 20, 22)
    yield _curve("`check_lemma`, d = 2", "n", "1", n, lambda k: _starts(k, 2), repetitions)
    yield _curve("`simulate`, d = 1000", "n", "1", n, lambda k: _simulation(k, 1000), repetitions)
    yield _curve(
        "`stacked_optima`, m = 3, d = 2", "n", "1", n[:3], lambda k: _sets(k, 3), repetitions
    )
    d = [4, 16, 64, 256, 1024]
    few = max(10, int(20_000 * scale))
    yield _curve("`check_lemma`, n = 20,000", "d", "1", d, lambda k: _starts(few, k), repetitions)
    yield _curve("`simulate`, n = 20,000", "d", "0", d, lambda k: _simulation(few, k), repetitions)
    d = [64, 128, 256, 512, 1024] if scale >= 1 else [16, 32]
    yield _curve("`least_squares`, m = 2 d", "d", "3", d, lambda k: _fit(2 * k, k), repetitions)
    m = sizes(10, 12, 14, 16, 18, 20)
    yield _curve("`least_squares`, d = 5", "m", "1", m, lambda k: _fit(k, 5), repetitions)
    workers = [2**k for k in range(8) if 2**k <= (os.cpu_count() or 1)]
    cases, size = 2 * workers[-1], int(4_000_000 * scale)
    for each in workers:  # the processes have to be there before
        _sweep(each, 10, each)
    run = partial(_sweep, cases, size)
    yield _curve(
        f"`sweep`, {cases} simulations",
        "workers",
        "−1",
        workers,
        lambda k: partial(run, k),
        repetitions,
    )


def _curve(
    call: str, grows: str, expected: str, sizes: list[int], make: Callable[[int], Run], repeat: int
) -> Curve:
    progress, times = Progress(f"{call}, {grows}"), []
    for size in sizes:
        progress.update(f"{grows} = {size:,}")
        run = make(size)
        run()
        times.append(min(seconds(run) for _ in range(repeat)))
    progress.done()
    return Curve(call, grows, expected, np.array(sizes, float), np.array(times))


def table(found: list[Curve]) -> str:
    """Return one line of Markdown for each curve."""
    lines = [
        "| call | grows | from, to | seconds | slope | operations |",
        "|---|---|---|---|---:|---:|",
    ]
    for each in found:
        sizes = f"{each.sizes[0]:,.0f}, {each.sizes[-1]:,.0f}"
        seconds = f"{each.seconds[0]:.3g}, {each.seconds[-1]:.3g}"
        slope = f"{each.slope:.2f}".replace("-", "−") if len(each.sizes) > 1 else "–"
        cells = (each.call, each.grows, sizes, seconds, slope, each.expected)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: list[Curve], path: Path) -> None:
    """Draw the curves, a panel for each size that grows."""
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams |= {"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 10}
    from matplotlib import pyplot as plt

    grown = list(dict.fromkeys(each.grows for each in found))
    figure, axes = plt.subplots(len(grown), 1, figsize=(9, 3 * len(grown)), layout="constrained")
    for axis, grows in zip(np.atleast_1d(axes), grown, strict=True):
        for marker, each in zip(
            "osD^", [each for each in found if each.grows == grows], strict=False
        ):
            label = each.call.replace("`", "")
            label += f": slope {each.slope:.2f}" if len(each.sizes) > 1 else ""
            axis.loglog(each.sizes, each.seconds, marker=marker, label=label.replace("-", "−"))
        axis.set(xlabel=grows, ylabel="seconds")
        axis.set_xscale("log", base=2)
        # Beside the curves: where they run is not known beforehand.
        axis.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axis.grid(alpha=0.3)
    data: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(path, metadata=data)
    plt.close(figure)
