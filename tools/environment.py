"""Make `.venv` hold exactly what requirements.txt locks, plus bnlib itself (editable).

Runs before anything is installed, so: standard library only, and a first part that
even an old Python understands.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 (this runs on whatever python3 is)
    sys.exit(
        "Python 3.11 or newer is needed; {} is version {}.{}.\n"
        "Remedy: install a newer Python and name it, e.g.  make book PYTHON=python3.12".format(
            sys.executable, *sys.version_info[:2]
        )
    )

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from tools.project import BUILD, ROOT, VENV, Progress, exclusive, run_logged

PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
LOCK = ROOT / "requirements.txt"

# What a machine may rightly set: where packages come from. Everything else that pip
# reads from the environment (PIP_TARGET, PIP_USER, …) would install something else.
PIP_SETTINGS = {
    "PIP_CACHE_DIR", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_CACHE_DIR", "PIP_NO_INDEX",
    "PIP_PROXY", "PIP_RETRIES", "PIP_TRUSTED_HOST",
}  # fmt: skip


def clean_environment() -> dict[str, str]:
    """Return the user's environment without what would change an installation."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name in PIP_SETTINGS or not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))
    }
    return env | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def wanted() -> dict[str, str]:
    """Return what `.venv` depends on, each part as one comparable string."""
    with (ROOT / "pyproject.toml").open("rb") as handle:
        table = tomllib.load(handle)
    source = (ROOT / "bnlib" / "__init__.py").read_text(encoding="utf-8")
    version = re.findall(r"^__version__.*$", source, re.MULTILINE)
    metadata = json.dumps([table["build-system"], table["project"], version], sort_keys=True)
    return {
        # A moved checkout counts as well: scripts and the editable link hold its path.
        "interpreter": f"{sys.version} {platform.machine()} {sys.base_prefix} {ROOT}",
        "requirements": hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        "bnlib": hashlib.sha256(metadata.encode()).hexdigest(),
    }


def distributions() -> set[str]:
    """Return the names of the installed distributions, as their folders say them."""
    return {path.name for path in VENV.glob("lib/python3*/site-packages/*.dist-info")}


def installed() -> dict[str, str]:
    """Return what the last complete installation was made from; empty if it is not whole."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        whole = set(stamp.pop("distributions")) <= distributions()
        subprocess.run([PYTHON, "-c", "import pip"], check=True, capture_output=True)
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
        return {}
    return stamp if whole else {}


def run_pip(title: str, *arguments: str, total: int | None = None) -> None:
    """Run pip in `.venv`; on failure show the end of its log, keep it, and leave."""
    progress, log, seen = Progress(title), BUILD / "install.log", 0

    def on_line(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            progress.update(f"{seen}/{total} packages" if total else "")

    command = [str(PYTHON), "-m", "pip", "install", *arguments]
    if run_logged(command, log, clean_environment(), on_line):
        progress.done("failed")
        tail = "".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[-25:])
        sys.exit(
            f"{tail}\nThe packages could not be installed (full log: {log}).\n"
            "Remedy: check the network, or name a mirror with PIP_INDEX_URL, and run it again."
        )
    progress.done()


def create() -> None:
    """Make an empty `.venv`; say what to install where Python came without venv."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            f"{sys.executable} has no venv module (or no ensurepip).\n"
            "Remedy: on Debian or Ubuntu  sudo apt-get install python3-venv ; "
            "elsewhere use a complete Python, e.g.  make book PYTHON=python3.12"
        )
    if VENV.is_symlink() or VENV.is_file():
        VENV.unlink()
    shutil.rmtree(VENV, ignore_errors=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    result = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    if result.returncode:
        sys.exit(
            f"{result.stdout}{result.stderr}\nThe virtual environment {VENV} could not be made.\n"
            "Remedy: on Debian or Ubuntu  sudo apt-get install python3-venv ; "
            "elsewhere see the message above."
        )


def ensure() -> None:
    """Bring `.venv` up to date, doing nothing where nothing has changed."""
    want, have = wanted(), installed()
    if have == want:
        return
    outdated = {part for part in want if have.get(part) != want[part]}
    if outdated - {"bnlib"}:
        # From scratch, so that nothing of an earlier lock or a broken install remains.
        create()
        pins = len(re.findall(r"^[\w.-]+==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
        arguments = ["--require-hashes", "--only-binary=:all:", "-r", str(LOCK)]
        title = "Installing the locked packages into .venv (once, a minute or two) …"
        run_pip(title, *arguments, total=pins)
    STAMP.unlink(missing_ok=True)
    run_pip("Installing bnlib …", "--no-build-isolation", "--no-deps", "--editable", str(ROOT))
    stamp = want | {"distributions": sorted(distributions())}
    partial = STAMP.with_suffix(".partial")
    partial.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    partial.replace(STAMP)  # last and atomic: an interrupted install never looks complete


if __name__ == "__main__":
    os.chdir(ROOT)
    if Path(sys.prefix).resolve() == VENV.resolve():
        sys.exit("Run this with the system's Python, not the one in .venv: it may be replaced.")
    with exclusive():
        ensure()
