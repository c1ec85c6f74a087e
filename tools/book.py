"""Build the book from the stored outputs, unless it is already up to date."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from tools.determinism import settle
from tools.project import BUILD, CHAPTERS, HTML, ROOT, Progress, exclusive, fingerprint, run_logged

STAMP = BUILD / "book.json"
LOG = BUILD / "book.log"
FIRST_PAGE = HTML / "index.html"


def inputs() -> list[Path]:
    """Return every file the built book depends on."""
    names = ["_config.yml", "_toc.yml", "references.bib", "requirements.txt", "pyproject.toml"]
    files = [ROOT / name for name in names if (ROOT / name).is_file()]
    for folder in (CHAPTERS, ROOT / "_static", ROOT / "bnlib", ROOT / "tools"):
        files += [
            path
            for path in folder.rglob("*")
            if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        ]
    return files


def pages() -> dict[str, int]:
    """Return the built pages with their sizes: a deleted or cut page shows."""
    found = sorted(HTML.rglob("*.html"))
    return {str(path.relative_to(HTML)): path.stat().st_size for path in found}


def is_current(wanted: str) -> bool:
    """Say whether the book on disk is whole and was built from these inputs."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(stamp == {"inputs": wanted, "pages": pages()}) and FIRST_PAGE.is_file()


def build() -> None:
    """Build the book where it is out of date; a failure raises RuntimeError with the log."""
    wanted = fingerprint(inputs())
    if is_current(wanted):
        print("The book is up to date.")
        return
    STAMP.unlink(missing_ok=True)
    for folder in (HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"):
        shutil.rmtree(folder, ignore_errors=True)  # pages of removed chapters would stay
    env = dict(os.environ)
    settle(env)
    # -W -n --keep-going: every warning and every broken reference is fatal, all are shown.
    program = Path(sysconfig.get_path("scripts")) / "jupyter-book"
    command = [str(program), "build", str(ROOT), "--all"]
    progress = Progress("Building the book …")
    code = run_logged([*command, "-W", "-n", "--keep-going"], LOG, env)
    if code or not FIRST_PAGE.is_file():
        progress.done("failed")
        log = re.sub(r"\x1b\[[0-9;]*m", "", LOG.read_text(encoding="utf-8"))
        warnings = [line for line in log.splitlines() if re.search("WARNING|ERROR|CRITICAL", line)]
        told = "\n".join(dict.fromkeys(warnings)) or log  # a crash has no such line
        raise RuntimeError(f"{told}\nThe book could not be built. Remedy: mend this; log: {LOG}")
    progress.done()
    STAMP.write_text(json.dumps({"inputs": wanted, "pages": pages()}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        with exclusive():
            build()
    except RuntimeError as error:
        sys.exit(str(error))
