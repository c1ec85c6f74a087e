"""Open the chapters in JupyterLab, which has its own environment; the kernel is that of `.venv`."""

from __future__ import annotations

import os
import subprocess
import sys

from tools.determinism import settle
from tools.project import LAB, ROOT


def kernel() -> None:
    """Put the Python that runs this in the place of JupyterLab's own kernel `python3`."""
    command = [sys.executable, "-m", "ipykernel", "install", "--prefix", str(LAB)]
    command += ["--name", "python3", "--display-name", "Python 3 (.venv)"]
    # Its warning that another Jupyter would not find it there is right, and no news.
    subprocess.run(command, check=True, capture_output=True)


def main(arguments: list[str]) -> None:
    """Become JupyterLab, with the landing page open; `arguments` are for it."""
    kernel()
    settle(os.environ)  # a chapter shows here what it shows under `make rerun`
    program = str(LAB / "bin" / "jupyter-lab")
    os.chdir(ROOT)
    opened = "--LabApp.default_url=/lab/tree/chapters/index.ipynb"
    os.execv(program, [program, opened, *arguments])  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
