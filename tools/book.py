"""Build the book from the stored outputs, from nothing: it takes seconds.

With BOOK_REPOSITORY=https://github.com/OWNER/NAME (and BOOK_BRANCH, if it is not main) its pages
get buttons: to the repository, to an edit, to an issue, to Binder and to Colab. Else none.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.determinism import settle
from tools.policy import guarded
from tools.project import BUILD, HTML, ROOT, Progress, exclusive, run_logged

FIRST_PAGE = HTML / "index.html"
CONFIG = ROOT / "_config.yml"


def with_buttons(config: Mapping[str, Any], repository: str, branch: str) -> dict[str, Any]:
    """Return the settings of the book with the buttons of the repository that it is built for."""
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", repository):
        raise ValueError(
            f"BOOK_REPOSITORY={repository} is not the address of a repository on GitHub. Remedy: "
            "BOOK_REPOSITORY=https://github.com/OWNER/NAME, or unset it for a book without buttons"
        )
    buttons = {f"use_{name}_button": True for name in ("repository", "edit_page", "issues")}
    launch = {
        "notebook_interface": "jupyterlab",
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    }
    # What _config.yml says of the theme replaces what Jupyter Book makes of `repository` and
    # `launch_buttons`; so these are said where the theme reads them.
    theme = config["sphinx"]["config"]["html_theme_options"]
    theme = {**theme, "repository_url": repository, "repository_branch": branch}
    theme |= buttons | {"launch_buttons": launch}
    sphinx = {**config["sphinx"]["config"], "html_theme_options": theme}
    ours = dict.fromkeys(config["sphinx"]["local_extensions"], str(ROOT))  # not beside the copy
    return {**config, "sphinx": {**config["sphinx"], "config": sphinx, "local_extensions": ours}}


def settings(environ: Mapping[str, str], folder: Path) -> Path:
    """Return the file of the book's settings: _config.yml, or a copy in `folder` with buttons."""
    if not (repository := environ.get("BOOK_REPOSITORY", "")):
        return CONFIG
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config = with_buttons(config, repository, environ.get("BOOK_BRANCH") or "main")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config-with-buttons.yml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def keep_what_follows(page: Path) -> None:
    """Let a page that redirects pass on what follows # in its address: a state of the explorer."""
    text = page.read_text(encoding="utf-8").strip()
    if not (target := re.search(r'url=([^"]+)"', text)):
        raise RuntimeError(f"{page} does not redirect. Remedy: see what Jupyter Book writes there")
    script = f'<script>location.replace("{target[1]}" + location.hash)</script>'
    page.write_text(guarded(f"{script}\n<noscript>{text}</noscript>\n"), encoding="utf-8")


def build() -> None:
    """Build the book; a failure raises RuntimeError with every warning, or else the log."""
    try:
        config = settings(os.environ, BUILD)
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    if re.search(r"[*?[\]]", str(ROOT)):
        raise RuntimeError(
            f"Sphinx reads the path {ROOT} as a pattern, for its characters * ? [ ]. Remedy: move "
            "the project to a folder without them; the tests of the library run here, too."
        )
    settle(os.environ)
    for folder in (HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"):
        shutil.rmtree(folder, ignore_errors=True)  # pages of removed chapters would stay
    program, log = Path(sysconfig.get_path("scripts")) / "jupyter-book", BUILD / "book.log"
    # -W -n --keep-going: every warning and every broken reference is fatal, all are shown.
    command = [str(program), "build", str(ROOT), "--all", "-W", "-n", "--keep-going"]
    command += ["--config", str(config)]
    progress = Progress("Building the book …")
    if run_logged(command, log) or not FIRST_PAGE.is_file():
        progress.done("failed")
        text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8"))
        warnings = [line for line in text.splitlines() if re.search("WARNING|ERROR|CRITICAL", line)]
        told = "\n".join(dict.fromkeys(warnings)) or text  # a crash has no such line
        raise RuntimeError(f"{told}\nThe book could not be built. Remedy: mend this; log: {log}")
    keep_what_follows(FIRST_PAGE)
    progress.done()


if __name__ == "__main__":
    try:
        with exclusive():
            build()
    except (RuntimeError, OSError) as error:  # the latter where the disk is full
        sys.exit(str(error))
    print(f"The book: {FIRST_PAGE.as_uri()}")
