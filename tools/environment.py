"""Install into `.venv` what requirements.txt locks, then bnlib itself (editable).

The Makefile says when. This runs before anything is installed: standard library only.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
import venv
from pathlib import Path

from tools.project import BUILD, ROOT, VENV, Progress, exclusive, run_logged

LOCK = ROOT / "requirements.txt"


def create() -> None:
    """Make an empty `.venv`."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        sys.exit("Run this with the system's Python, not the one in .venv: it is to be replaced.")
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    venv.create(VENV, symlinks=True, with_pip=True)


def pip(title: str, *arguments: str, total: int = 0) -> None:
    """Run pip in `.venv`; on failure show the end of its log, keep it, and leave."""
    progress, log, seen = Progress(title), BUILD / "install.log", 0

    def count(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            progress.update(f"{seen}/{total} packages" if total else "")

    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--no-input"]
    if run_logged([*command, "--disable-pip-version-check", *arguments], log, count):
        progress.done("failed")
        tail = "".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-25:])
        sys.exit(
            f"{tail}\nThe packages could not be installed (full log: {log}).\n"
            "Remedy: check the network, or name a mirror with PIP_INDEX_URL, and run it again."
        )
    progress.done()


def install(what: str) -> None:
    """Install the locked packages, from scratch so that nothing earlier remains, or bnlib."""
    if what == "packages":
        create()
        pins = len(re.findall(r"^[\w.-]+==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
        title = "Installing the locked packages into .venv (once, a minute or two) …"
        pip(title, "--require-hashes", "--only-binary=:all:", "-r", str(LOCK), total=pins)
    else:
        pip("Installing bnlib …", "--no-build-isolation", "--no-deps", "--editable", str(ROOT))


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
