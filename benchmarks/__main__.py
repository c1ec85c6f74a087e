"""Measure every comparison and every growth, print the tables, write `benchmarks/results.md`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import (
    certificates,
    growth,
    lemma,
    networks,
    project,
    report,
    simulation,
    solver,
    stacked,
)
from benchmarks.measure import Row
from tools.project import ROOT, write
from tools.ran import load

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
        *certificates.rows(repetitions=7),
        *networks.rows(50, 400, repetitions=7),
        *project.rows(repetitions=7),
    ]


def quick() -> list[Row]:
    """Return every comparison at a size that takes seconds: to see that it works."""
    return [
        *lemma.rows(2_000, DIMENSIONS, repetitions=2, looped=50),
        *simulation.rows(100_000, (2, 1000), repetitions=2),
        *stacked.rows(2_000, repetitions=2, looped=20),
        *stacked.rows(200, repetitions=2, looped=20, m=30, d=5),
        *solver.rows(repetitions=2, thin=((10_000, 3, True), (2_000, 5, True), (5_000, 9, True))),
        *certificates.rows(repetitions=2),
        *networks.rows(3, 10, repetitions=2),
        *project.rows(repetitions=2),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, a few seconds, nothing is written"
    )
    if parser.parse_args(arguments).quick:
        curves = list(growth.curves(1 / 256, repetitions=1))
        print(f"\n{report.table(quick())}\n\n{growth.table(curves)}")
        print("\nToo small to mean anything: sizes of --quick.")
        return 0
    if "test" not in load()["commands"]:
        raise SystemExit("What the tests take is not known. Remedy: make timing TEST=1")
    rows, curves = full(), list(growth.curves(1, repetitions=5))
    growth.draw(curves, RESULTS.parent / growth.PICTURE)
    write(RESULTS, report.page(rows, curves, "make bench"))
    print(f"\n{report.table(rows)}\n\n{growth.table(curves)}\n")
    print(f"Written to {RESULTS.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
