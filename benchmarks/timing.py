"""Measure what it takes to run the book, into `benchmarks/timing.json`.

`make timing` executes each chapter once, builds the book and the wheel, and with TEST=1 runs the
tests. The page "How it ran" is made from the result by `tools/ran.py`.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from benchmarks.report import processor
from tools.project import HTML, ROOT, Progress, write
from tools.ran import TIMING
from tools.toc import notebooks

NOT_IN_OUTPUTS = ("lint", "lock")  # extras that no chapter and no test runs
ADOPT = 36  # PR_SET_CHILD_SUBREAPER
PATIENCE = 60  # seconds for what a command left behind to end


def adopt() -> None:
    """Have Linux hand over processes whose parent ended before them, as in Chromium."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)


def cost(*command: str, output: int | None = subprocess.DEVNULL) -> dict[str, float]:
    """Run a module of Python; return its seconds, and the processor time of all it starts.

    The memory is that of the largest process. Every child of this process is waited for.
    """
    used, start = [], time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=output)
    while process.returncode is None:
        pid, status, usage = os.wait4(-1, 0)
        used.append(usage)
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
    end = time.monotonic()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed. Remedy: mend it, then measure again")
    with suppress(ChildProcessError):  # until none is left
        while time.monotonic() < end + PATIENCE:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
            used += [usage] if pid else []
            time.sleep(0 if pid else 0.05)
    peak = max(each.ru_maxrss for each in used) * (1 if sys.platform == "darwin" else 1024)
    cpu = sum(each.ru_utime + each.ru_stime for each in used)
    return {"seconds": round(end - start, 1), "cpu": round(cpu, 1), "megabytes": round(peak / 1e6)}


def machine() -> dict[str, Any]:
    """Return the kind of machine, and the version of what the project itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    groups = {"library": project["dependencies"]}
    groups |= {name: needs for name, needs in extras if name not in NOT_IN_OUTPUTS}
    needed = {name: [Requirement(each) for each in needs] for name, needs in groups.items()}
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {
            name: {r.name: version(r.name) for r in needs if not r.marker or r.marker.evaluate()}
            for name, needs in needed.items()
        },
    }


def chapters() -> dict[str, Any]:
    """Measure every chapter, and the book and the wheel with their sizes."""
    progress, costs = Progress("Executing every chapter …"), {}
    for path in notebooks():
        progress.update(path.stem)
        costs[path.stem] = cost("tools.rerun", path.stem)
    progress.update("the book and the wheel")
    commands = {"book": cost("tools.book")}
    html = sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        wheel = sum(path.stat().st_size for path in Path(folder).iterdir())
    progress.done()
    sizes = {"wheel": wheel, "book": html}
    return {"machine": machine(), "chapters": costs, "commands": commands, "bytes": sizes}


def main(what: str) -> None:
    """Measure the chapters, or the tests, and write it; what was measured elsewhere is dropped."""
    before = json.loads(TIMING.read_text(encoding="utf-8")) if TIMING.is_file() else {}
    same = before.get("machine") == machine()
    if what == "chapters":
        result = chapters()
        if same:
            result["commands"] = before["commands"] | result["commands"]
    elif same:
        before["commands"]["test"] = cost("pytest", output=None)
        result = before
    else:
        told = "is not there, or of another machine or other packages"
        raise SystemExit(f"{TIMING.name} {told}. Remedy: make timing TEST=1")
    write(TIMING, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    adopt()
    main(sys.argv[1])
