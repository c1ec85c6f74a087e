"""Digits of least squares on NIST's linear regression sets, against exact rational arithmetic.

`python -m benchmarks.nist FOLDER` writes `benchmarks/nist.md`. FOLDER holds NIST's own files of
the four sets that are measurements (`Norris.dat`, `Pontius.dat`, `Filip.dat`, `Longley.dat`); they
are not part of this project. The other seven have a formula and are written here; without
a folder their rows are printed and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from benchmarks.measure import Array
from bn_solver import least_squares
from tools.project import ROOT, write

PAGE = ROOT / "benchmarks" / "nist.md"
# What is shared by all is the rounding of the result: more digits would be an accident.
MOST = 15.0
# The powers of the one input column; 1 for columns that are taken as they are.
DEGREES = {"Norris": 1, "Pontius": 2, "Filip": 10, "Longley": 1}
# What NIST added to the polynomial of Wampler 3 (Wampler 4: 100 times, Wampler 5: 10,000 times).
_HALF = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048]
_ADDED = [*_HALF, 2048, *_HALF[::-1]]

_HEADER = (
    "| set | condition | `lstsq` | centred, scaled | ours | our bound | ours, certified |",
    "|---|---:|---:|---:|---:|---:|---:|",
)
_TEXT = """\
# NIST's linear regression sets

Made by `python -m benchmarks.nist FOLDER`. FOLDER holds NIST's files of Norris, Pontius, Filip and
Longley; the other sets are written by their formula in `benchmarks/nist.py`.
Source: U.S. National Institute of Standards and Technology, Statistical Reference Datasets, linear
regression; the four files as stored in the repository `mathnet/mathnet-numerics`, `data/NIST`.

{table}

Digits are −log₁₀ of the relative error of the *worst* coefficient, the intercept included, {most}
at most: the rounding of the result leaves no more that mean anything.

- *condition*: of the columns, the ones included, each scaled to length 1.
- *`lstsq`*: `numpy.linalg.lstsq` of the columns and ones (it takes Filip's columns for dependent,
  hence 0); *centred, scaled*: the same of centred inputs, each over its largest entry, as linear
  regression is usually done. The last digit of these two depends on the machine.
- *ours*: `bn_solver.least_squares`. These three are compared with the exact solution, in rational
  arithmetic, for the floats that all of them are given.
- *our bound*: the largest bound of a coefficient's error over the coefficient.
- *ours, certified*: compared with the values that NIST certifies, which belong to the *decimal*
  data. Data and powers of inputs are rounded to floats before any solver sees them, and the exact
  solution for the floats has no more digits than are shown here: 7.6 for Filip.
"""


@dataclass(frozen=True)
class DataSet:
    """Inputs (m, d), targets (m,), and the certified coefficients, the intercept first."""

    name: str
    inputs: Array
    targets: Array
    intercept: bool
    certified: Sequence[Fraction]

    @property
    def columns(self) -> Array:
        """The inputs, after a column of ones if there is an intercept."""
        ones = np.ones((len(self.targets), int(self.intercept)))
        return np.hstack([ones, self.inputs])


@dataclass(frozen=True)
class Digits:
    """One row of the table."""

    name: str
    condition: float
    plain: float
    centred: float
    ours: float
    bound: float
    certified: float


def written() -> Iterator[DataSet]:
    """Return the sets that have a formula."""
    one, tenth = [Fraction(1)] * 6, [Fraction(1, 10**k) for k in range(6)]
    added = {1: 0, 2: 0, 3: 1, 4: 100, 5: 10_000}
    for number, factor in added.items():
        certified = tenth if number == 2 else one
        exact = [
            sum(c * i**k for k, c in enumerate(certified)) + factor * more
            for i, more in enumerate(_ADDED)
        ]
        inputs: Array = np.arange(21.0)[:, None] ** np.arange(1.0, 6.0)
        targets = np.array([float(v) for v in exact])
        yield DataSet(f"Wampler{number}", inputs, targets, True, certified)
    without = {
        "NoInt1": (range(60, 71), range(130, 141), "2.07438016528926"),
        "NoInt2": ((4, 5, 6), (3, 4, 4), "0.727272727272727"),
    }
    for name, (x, y, slope) in without.items():
        inputs, targets = np.array(x, dtype=float)[:, None], np.array(y, dtype=float)
        yield DataSet(name, inputs, targets, False, [Fraction(slope)])


def read(folder: Path) -> Iterator[DataSet]:
    """Return the sets that are measurements, from NIST's files."""
    for name, degree in DEGREES.items():
        lines = (folder / f"{name}.dat").read_text(encoding="utf-8").splitlines()
        words = [line.split() for line in lines]
        certified = [Fraction(v[1]) for v in words[29:56] if v and v[0][0] == "B" and len(v) == 3]
        data = np.array([v for v in words[60:] if v], dtype=float)
        inputs = data[:, 1:] if name == "Longley" else data[:, 1:] ** np.arange(1.0, degree + 1)
        yield DataSet(name, inputs, data[:, 0], True, certified)


def exact(data: DataSet) -> list[Fraction]:
    """Return the coefficients for the floats, in rational arithmetic."""
    a, b = _matrix(data.columns), _matrix(data.targets[:, None])
    found = (a.transpose() * a).solve(a.transpose() * b)
    return [Fraction(int(v.p), int(v.q)) for v in found.entries()]


def digits(found: Iterable[float | Fraction], truth: Iterable[Fraction]) -> float:
    """Return −log₁₀ of the largest relative error, between 0 and 15."""
    errors = [abs(Fraction(v) / w - 1) for v, w in zip(found, truth, strict=True)]
    return float(np.clip(-np.log10(max(float(max(errors)), 1e-99)), 0.0, MOST))


def measure(data: DataSet) -> Digits:
    """Solve one set in three ways, and compare."""
    columns, x, t = data.columns, data.inputs, data.targets
    truth = exact(data)
    plain = centred = np.linalg.lstsq(columns, t)[0]
    ours = least_squares(x, t, intercept=data.intercept)
    found, bound = ours.solution, ours.error
    if data.intercept:
        shifted = x - x.mean(axis=0)
        size = np.abs(shifted).max(axis=0)
        slope = np.linalg.lstsq(shifted / size, t - t.mean())[0] / size
        centred = np.append(t.mean() - x.mean(axis=0) @ slope, slope)
        found = np.append(ours.intercept, found)
        bound = np.append(ours.intercept_error, bound)
    return Digits(
        data.name,
        float(np.linalg.cond(columns / np.linalg.norm(columns, axis=0))),
        digits(plain.tolist(), truth),
        digits(centred.tolist(), truth),
        digits(found.tolist(), truth),
        float((bound / np.abs(found)).max()),
        digits(found.tolist(), data.certified),
    )


def table(rows: Iterable[Digits]) -> str:
    """Return the rows as a table of Markdown."""
    lines = [
        f"| {row.name} | {row.condition:.1e} | {row.plain:.1f} | {row.centred:.1f} "
        f"| {row.ours:.1f} | {row.bound:.0e} | {row.certified:.1f} |"
        for row in rows
    ]
    return "\n".join([*_HEADER, *lines])


def page(rows: Iterable[Digits]) -> str:
    """Return the whole page."""
    return _TEXT.format(table=table(rows), most=int(MOST))


def _matrix(values: Array) -> Any:
    m, d = values.shape
    ratios = [float(v).as_integer_ratio() for v in values.ravel()]
    return fmpq_mat(m, d, [fmpq(*ratio) for ratio in ratios])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nist", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where NIST's four files are")
    folder = parser.parse_args(arguments).folder
    rows = [measure(data) for data in written()]
    if folder is None:
        print(f"{table(rows)}\n\nWithout a folder only the sets that have a formula.")
        return 0
    rows = [*(measure(data) for data in read(folder)), *rows]
    write(PAGE, page(rows))
    print(f"{table(rows)}\n\nWritten to {PAGE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
