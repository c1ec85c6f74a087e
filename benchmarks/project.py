"""What the project itself costs: its tests, its build, its import and its size on the disk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.measure import Case, Row, agree, alternate
from tools.project import ROOT
from tools.ran import load

_PEERS = ("numpy", "scipy", "matplotlib", "sympy")
_IMPORT = "import sys, {}; print(sys.modules['numpy'].__version__)"
_TESTS = (
    "the chapters became cheaper and the tests more: beside executing every chapter once, they "
    "build the book and print it, open every page in Chromium, plant faults, and hold all that the "
    "library and the experiments compute against another reference"
)


def rows(repetitions: int) -> list[Row]:
    """Compare the commands (as `make timing TEST=1` measured them), the import, and the sizes."""
    measured = load()
    executing = np.array([sum(each["cpu"] for each in measured["chapters"].values())])
    found = []
    for name, what, limit, why in (
        ("test", "`make test`, processor time", 2.0, _TESTS),
        ("book", "`make book`, processor time", 1.0, ""),
    ):
        ours = np.array([measured["commands"][name]["cpu"]])
        found.append(Row(what, "executing all chapters", ours, executing, limit=limit, why=why))
    what = "`import bnlib`, a new process"
    ours, other = alternate(what, _imports(), repetitions)
    found.append(Row(what, "`import numpy`", ours, other, limit=1.5))
    ours, other = (np.array([size(needed(*names))]) for names in (("bnlib",), _PEERS))
    what = "`bnlib` installed, with all it needs"
    return [*found, Row(what, "NumPy, SciPy, Matplotlib, SymPy", ours, other, limit=1.1, unit="MB")]


def _imports() -> Iterator[Case]:
    def imported(name: str) -> str:
        command = [sys.executable, "-c", _IMPORT.format(name)]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    def check() -> None:
        agree("NumPy", float(imported("bnlib") == imported("numpy")), 1.0, 0.0, 1.0)

    yield Case(lambda: imported("bnlib"), lambda: imported("numpy"), check)


def needed(*names: str) -> set[str]:
    """Return the names of these distributions and of all that they need without extras."""
    found: set[str] = set()
    left = [canonicalize_name(name) for name in names]
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            asked = map(Requirement, distribution(name).requires or ())
            here = [r for r in asked if not r.marker or r.marker.evaluate({"extra": ""})]
            left += [canonicalize_name(each.name) for each in here]
    return found


def size(names: set[str]) -> float:
    """Return how many megabytes the files of these have, of bnlib those that its wheel has."""
    paths = [
        Path(str(p.locate())) for name in names - {"bnlib"} for p in distribution(name).files or ()
    ]
    if "bnlib" in names:
        folders = ("bnlib", "bn_solver", "bn_experiments", "results")
        own = (path for folder in folders for path in (ROOT / folder).rglob("*.[pj]*"))
        paths += [path for path in own if path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
