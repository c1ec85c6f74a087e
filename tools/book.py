"""Build the book from the stored outputs, from nothing: it takes seconds."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

from tools.determinism import settle
from tools.project import BUILD, HTML, ROOT, Progress, exclusive, run_logged

FIRST_PAGE = HTML / "index.html"


def build() -> None:
    """Build the book; a failure raises RuntimeError with every warning, or else the log."""
    for folder in (HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"):
        shutil.rmtree(folder, ignore_errors=True)  # pages of removed chapters would stay
    settle(os.environ)
    program, log = Path(sysconfig.get_path("scripts")) / "jupyter-book", BUILD / "book.log"
    # -W -n --keep-going: every warning and every broken reference is fatal, all are shown.
    command = [str(program), "build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    progress = Progress("Building the book …")
    if run_logged(command, log) or not FIRST_PAGE.is_file():
        progress.done("failed")
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8"))
        warnings = [line for line in text.splitlines() if re.search("WARNING|ERROR|CRITICAL", line)]
        told = "\n".join(dict.fromkeys(warnings)) or text  # a crash has no such line
        raise RuntimeError(f"{told}\nThe book could not be built. Remedy: mend this; log: {log}")
    progress.done()


if __name__ == "__main__":
    try:
        with exclusive():
            build()
    except RuntimeError as error:
        sys.exit(str(error))
    print(f"The book: {FIRST_PAGE.as_uri()}")
