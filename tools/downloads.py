"""A Sphinx extension: the book carries what its chapters need to run outside the checkout.

Into the folder `run` of the book go the wheel of its version, the stored results inside it, and
the versions of the lock. Each chapter says in a folded box, and in the notebook that its page
offers for download, the one command that installs them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import bnlib
from tools.toc import WITH_JAX

# Stands for the address of the book, which only a page that is read knows: _static/book.js.
BOOK = "BOOK"
WHEEL = f"bnlib-{bnlib.__version__}-py3-none-any.whl"
COMMAND = (
    f"pip install -c {BOOK}/run/constraints.txt"
    f' "bnlib[book,certify,data,network] @ {BOOK}/run/{WHEEL}"'
)
JAX = (
    "It needs JAX, which has no wheel for a Mac with an Intel processor, for Windows on ARM, or "
    "for a Linux with musl or an old glibc."
)
WHERE = f"`{BOOK}` stands for the address of the book: that of this page, up to `/chapters`."
BOX = """\
````{{admonition}} Run this chapter yourself
:class: dropdown run-it
Download it (the arrow at the top of the page). An environment of Python 3.11 or newer gets all \
that it needs from the book and the package index:

```{{code-block}} text
:class: wrap
{command}
```

[{where}]{{.without-address}} Then open it in Jupyter or an editor with this environment, or

```{{code-block}} text
jupyter execute --inplace {name}.ipynb
```

{needs}[](run.md) says how long that takes, and what else can be done.
````
"""
CELL = """\
*This is a chapter of the book “Batch normalization does not improve initialization”, version \
{version}. Before it runs, install what it needs, in an environment of Python 3.11 or newer. \
`{book}` stands for the address of the book: that of the page where you got this, up to \
`/chapters`.*

    {command}

{needs}
"""


def with_cell(notebook: dict[str, Any], at: int, text: str) -> dict[str, Any]:
    """Return the notebook with one more Markdown cell."""
    source = text.rstrip("\n").splitlines(keepends=True)
    cell = {"cell_type": "markdown", "id": "run-it", "metadata": {}, "source": source}
    cells = [*notebook["cells"]]
    cells.insert(at, cell)
    return {**notebook, "cells": cells}


def box(name: str) -> str:
    """Return what the page of a chapter says on how to run it."""
    needs = f"{JAX} " if name in WITH_JAX else ""
    return BOX.format(command=COMMAND, where=WHERE, name=name, needs=needs)


def downloaded(path: Path) -> str:
    """Return a chapter as a reader gets it: above everything else, how to run it."""
    needs = JAX if path.stem in WITH_JAX else ""
    text = CELL.format(version=bnlib.__version__, book=BOOK, command=COMMAND, needs=needs)
    notebook = with_cell(json.loads(path.read_text(encoding="utf-8")), 0, text)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def constraints(lock: str) -> str:
    """Return the pins of a lock without their hashes, as `pip install -c` reads them."""
    pins = [line.removesuffix(" \\") for line in lock.splitlines() if line and line[0] not in " #"]
    return "".join(f"{pin}\n" for pin in pins)


def say(app: Any, name: str, source: list[str]) -> None:
    """Add to a chapter, as it is read, how to run it; fill the command into the page `run`."""
    path = Path(app.env.doc2path(name))
    if path.stem == "run":
        source[0] = source[0].replace("INSTALL-COMMAND", COMMAND).replace("WHERE-IS-BOOK", WHERE)
    elif path.suffix == ".ipynb" and app.builder.format == "html":
        notebook = json.loads(source[0])
        every = with_cell(notebook, len(notebook["cells"]), box(path.stem))
        source[0] = json.dumps(every)


def carry(app: Any, exception: Exception | None) -> None:
    """Put wheel and versions into the built book, and the command into its notebooks."""
    if exception is not None or app.builder.format != "html":
        return
    root, folder = Path(app.srcdir), Path(app.outdir) / "run"
    shutil.rmtree(folder, ignore_errors=True)  # a wheel of another version would stay
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    lock = (root / "requirements.txt").read_text(encoding="utf-8")
    (folder / "constraints.txt").write_text(constraints(lock), encoding="utf-8", newline="\n")
    for name in app.env.found_docs:
        path = Path(app.env.doc2path(name))
        if path.suffix == ".ipynb":
            copy = Path(app.outdir) / "_sources" / f"{name}.ipynb"
            copy.write_text(downloaded(path), encoding="utf-8", newline="\n")


def setup(app: Any) -> dict[str, Any]:
    """Connect both to the build."""
    app.connect("source-read", say)
    app.connect("build-finished", carry)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
