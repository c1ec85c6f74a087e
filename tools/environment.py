"""Install into `.venv` what requirements.txt locks, then bnlib itself (editable).

JupyterLab, for whoever asks for it, has an environment of its own in `.venv/lab`, locked by
requirements-lab.txt, and mutmut one in `.venv/mutants`: `.venv` stays what its lock says.

The Makefile says when. This runs before anything is installed: standard library only.
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.project import BUILD, LAB, MUTANTS, ROOT, VENV, Progress, exclusive, run_logged

# What a machine may rightly set: where packages come from, and how to get there.
MACHINE = (
    *("cache-dir", "cert", "client-cert", "default-timeout", "timeout", "extra-index-url"),
    *("find-links", "index-url", "keyring-provider", "no-cache-dir", "no-index", "proxy"),
    *("retries", "trusted-host"),
)


def create(folder: Path) -> None:
    """Make an empty environment."""
    if Path(sys.prefix).resolve() == folder.resolve():
        sys.exit("Run this with the system's Python, not the one in .venv: it is to be replaced.")
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True, with_pip=True)


def pip_environment(python: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for pip: of its own settings only `MACHINE`.

    They may stand in a variable or in a file (pip.conf). Any other, such as `user = true` or
    PIP_TARGET, would install something else, or elsewhere; pip reads no file then.
    """
    ours = {k: v for k, v in given.items() if not k.startswith(("PIP_", "HATCH_", "SOURCE_DATE"))}
    file = {k: v for k, v in given.items() if k == "PIP_CONFIG_FILE"}
    command = [python, "-m", "pip", "config", "debug"]  # its `list` obeys `user` in a file
    asked: dict[str, Any] = {
        "env": ours | file | {"PIP_QUIET": "0"},
        "encoding": "utf-8",
        "errors": "replace",
    }
    told = subprocess.run(command, capture_output=True, check=False, **asked).stdout
    config = configparser.RawConfigParser(strict=False)
    config.optionxform = lambda optionstr: optionstr.lower().replace("_", "-")  # type: ignore
    if file.get("PIP_CONFIG_FILE") != os.devnull:
        for kind in ("global", "user", "site", "env"):  # the later one counts
            block = re.search(rf"^{kind}:\n((?:  .*\n)*)", told, re.MULTILINE)
            config.read(re.findall(r"^  (\S.*), exists: True$", block[1] if block else "", re.M))
    for name in MACHINE:
        variable = f"PIP_{name.upper().replace('-', '_')}"
        values = [
            given.get(variable),
            *(config.get(s, name, fallback="") for s in ("install", "global")),
        ]
        if value := next(filter(None, values), None):
            ours[variable] = value
    return ours | {"PIP_CONFIG_FILE": os.devnull}


def pip(folder: Path, title: str, *arguments: str, total: int = 0) -> None:
    """Run pip in an environment; on failure show the end of its log, keep it, and leave."""
    progress, log, seen = Progress(title), BUILD / "install.log", 0

    def count(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            progress.update(f"{seen}/{total} packages" if total else "")

    python = str(folder / "bin" / "python")
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    environ = pip_environment(python, os.environ)
    if run_logged([*command, *arguments], log, count, environ):
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
    """Install the locked packages, or bnlib, or JupyterLab, or mutmut."""
    if what == "packages":
        title = "Installing the locked packages into .venv (once, a minute or two) …"
        locked(VENV, title, ROOT / "requirements.txt")
    elif what == "lab":
        title = "Installing JupyterLab into .venv/lab (once, a minute) …"
        locked(LAB, title, ROOT / "requirements-lab.txt")
    elif what == "mutants":
        title = "Installing mutmut into .venv/mutants (once) …"
        locked(MUTANTS, title, ROOT / "requirements-mutants.txt")
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
    try:
        main(sys.argv[1], ROOT / sys.argv[2])
    except OSError as error:
        sys.exit(
            f"The packages could not be installed: {error}\nRemedy: make room, or work in a copy "
            "of this folder that is yours to write."
        )
