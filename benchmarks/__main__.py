"""Measure every comparison, print the table, and write it to `benchmarks/results.md`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import lemma, networks, report, simulation, solver, stacked
from benchmarks.measure import Row
from tools.project import ROOT, write

RESULTS = ROOT / "benchmarks" / "results.md"
DIMENSIONS = (2, 16, 128, 1024)


def full() -> list[Row]:
    """Return every comparison at its full size."""
    return [
        *lemma.rows(1_000_000, DIMENSIONS, repetitions=7, looped=2_000),
        *simulation.rows(10_000_000, (2, 1000), repetitions=7),
        *stacked.rows(100_000, repetitions=7, looped=500),
        *stacked.rows(10_000, repetitions=7, looped=500, m=30, d=5),
        *solver.rows(repetitions=7),
        *networks.rows(50, 400, repetitions=7),
    ]


def quick() -> list[Row]:
    """Return every comparison at a size that takes seconds: to see that it works."""
    return [
        *lemma.rows(2_000, DIMENSIONS, repetitions=2, looped=50),
        *simulation.rows(100_000, (2, 1000), repetitions=2),
        *stacked.rows(2_000, repetitions=2, looped=20),
        *stacked.rows(200, repetitions=2, looped=20, m=30, d=5),
        *solver.rows(repetitions=2, thin=((10_000, 3, True), (2_000, 5, True), (5_000, 9, True))),
        *networks.rows(3, 10, repetitions=2),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, a few seconds, nothing is written"
    )
    if parser.parse_args(arguments).quick:
        print(f"\n{report.table(quick())}\n\nToo small to mean anything: sizes of --quick.")
        return 0
    rows = full()
    write(RESULTS, report.page(rows, "make bench"))
    print(f"\n{report.table(rows)}\n\nWritten to {RESULTS.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
