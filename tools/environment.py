"""Install into `.venv` what requirements.txt locks, then bnlib itself (editable).

JupyterLab, for whoever asks for it, has an environment of its own in `.venv/lab`, locked by
requirements-lab.txt: `.venv` stays what its lock says.

The Makefile says when. This runs before anything is installed: standard library only.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
import venv
from pathlib import Path

from tools.project import BUILD, LAB, ROOT, VENV, Progress, exclusive, run_logged


def create(folder: Path) -> None:
    """Make an empty environment."""
    if Path(sys.prefix).resolve() == folder.resolve():
        sys.exit("Run this with the system's Python, not the one in .venv: it is to be replaced.")
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True, with_pip=True)


def pip(folder: Path, title: str, *arguments: str, total: int = 0) -> None:
    """Run pip in an environment; on failure show the end of its log, keep it, and leave."""
    progress, log, seen = Progress(title), BUILD / "install.log", 0

    def count(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            progress.update(f"{seen}/{total} packages" if total else "")

    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    if run_logged([*command, "--disable-pip-version-check", *arguments], log, count):
        progress.done("failed")
        tail = "".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-25:])
        sys.exit(
            f"{tail}\nThe packages could not be installed (full log: {log}).\n"
            "Remedy: check the network, or name a mirror with PIP_INDEX_URL, and run it again."
        )
    progress.done()


def locked(folder: Path, title: str, lock: Path) -> None:
    """Install what a lock says, from scratch so that nothing earlier remains."""
    create(folder)
    pins = len(re.findall(r"^[\w.-]+==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    arguments = ("--require-hashes", "--only-binary=:all:", "-r", str(lock))
    pip(folder, title, *arguments, total=pins)


def install(what: str) -> None:
    """Install the locked packages, or bnlib, or JupyterLab."""
    if what == "packages":
        title = "Installing the locked packages into .venv (once, a minute or two) …"
        locked(VENV, title, ROOT / "requirements.txt")
    elif what == "lab":
        title = "Installing JupyterLab into .venv/lab (once, a minute) …"
        locked(LAB, title, ROOT / "requirements-lab.txt")
    else:
        editable = ("--no-build-isolation", "--no-deps", "--editable", str(ROOT))
        pip(VENV, "Installing bnlib …", *editable)


def stamp(path: Path) -> None:
    """Write what is there now, last and in one step: no interrupted install looks complete."""
    for old in VENV.glob(f"{path.name.partition('-')[0]}-*"):
        old.unlink()
    there = [VENV / "bin" / "python", *VENV.glob("lib/python3*/site-packages/*.dist-info")]
    partial = VENV / "stamp.partial"
    partial.write_text("".join(f"{each.relative_to(ROOT)}\n" for each in there), encoding="utf-8")
    partial.replace(path)


def main(what: str, path: Path) -> None:
    """Install, unless another command did so while this one waited for it."""
    started = time.time()
    with exclusive():
        if not path.is_file() or path.stat().st_mtime < started:
            install(what)
            stamp(path)


if __name__ == "__main__":
    main(sys.argv[1], ROOT / sys.argv[2])
